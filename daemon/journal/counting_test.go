package journal

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestVerifyingIsCounted(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 { // a start each, which begins no segment of its own
		j, _, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(time.Unix(int64(i), 0), "shop", KindNote, Note{}, false); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	sum, err := VerifyCounting(dir, func(done, of int) { said = append(said, fmt.Sprint(done, " of ", of)) })
	if err != nil || sum.Records != 2 || !slices.Equal(said, []string{"0 of 1"}) {
		t.Errorf("%+v, %v, said %q", sum, err, said)
	}
}
