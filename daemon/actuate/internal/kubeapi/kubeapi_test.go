package kubeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEach(t *testing.T) {
	var under, calls, beyond atomic.Int32
	var once sync.Once
	full := make(chan struct{})
	err := Each(100, func(i int) error {
		calls.Add(1)
		switch n := under.Add(1); {
		case n == concurrency:
			once.Do(func() { close(full) })
		case n > concurrency:
			beyond.Add(1)
		}
		<-full // all slots are taken at once
		under.Add(-1)
		if i%50 == 0 {
			return fmt.Errorf("error %d", i)
		}
		return nil
	})
	if err == nil || err.Error() != "error 0\nerror 50" {
		t.Errorf("got %v, want the errors in order", err)
	}
	if calls.Load() != 100 || under.Load() != 0 || beyond.Load() > 0 {
		t.Errorf("%d calls, %d left, the bound was exceeded %d times", calls.Load(), under.Load(), beyond.Load())
	}
	if err := Each(0, nil); err != nil {
		t.Errorf("none: %v", err)
	}
}

func TestCode(t *testing.T) {
	refusal := &apierrors.StatusError{ErrStatus: metav1.Status{Code: 409}}
	for want, err := range map[int32]error{0: errors.New("no connection"), 409: fmt.Errorf("patch: %w", refusal)} {
		if got := Code(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	if Code(nil) != 0 {
		t.Error("nil has a code")
	}
}

func TestParseName(t *testing.T) {
	if n, err := ParseName("default/front"); err != nil || n != (Name{"default", "front"}) || n.String() != "default/front" {
		t.Errorf("%v, %v", n, err)
	}
	for _, s := range []string{"", "/", "a", "a/", "/a", "a/b/c"} {
		if n, err := ParseName(s); err == nil {
			t.Errorf("%q: %v", s, n)
		}
	}
}

func TestOwnEntries(t *testing.T) {
	for managed, want := range map[string]string{
		``: "", `{"manager":"a"}`: "", `{"manager":"windvane"}`: "",
		`{"manager":"windvane"},{"manager":"a"},{"manager":"windvane"}`: "/metadata/managedFields/2 /metadata/managedFields/0",
	} {
		var m Metadata
		if err := json.Unmarshal([]byte(`{"managedFields":[`+managed+`]}`), &m); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.OwnEntries(), " "); got != want {
			t.Errorf("%s: %q, want %q", managed, got, want)
		}
	}
}
