package authority

import (
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
)

func TestTheLowestAnnotationWins(t *testing.T) {
	if got := Annotated(nil); got != nil {
		t.Errorf("without an annotation: %+v", got)
	}
	got := Annotated(map[string]string{"VirtualService ns/a": "act", "VirtualService ns/b": " approve ", "VirtualService ns/c": "act"})
	if len(got) != 1 || got[0].Level != "approve" || got[0].By != "VirtualService ns/b" || got[0].Why != "" {
		t.Errorf("%+v", got)
	}
	got = Annotated(map[string]string{"VirtualService ns/a": "approve", "VirtualService ns/b": "pause"})
	if len(got) != 1 || got[0].Level != "observe" || got[0].By != "VirtualService ns/b" || !strings.Contains(got[0].Why, `"pause" is no authority; use observe, approve or act`) {
		t.Errorf("an unreadable one: %+v", got)
	}
}

func TestEffectiveIsTheLeast(t *testing.T) {
	for _, c := range []struct{ levels, want string }{
		{"", "observe"}, {"act", "act"}, {"act approve", "approve"}, {"approve observe act", "observe"}, {"act nonsense", "observe"},
	} {
		var sources []journal.AuthoritySource
		for l := range strings.FieldsSeq(c.levels) {
			sources = append(sources, journal.AuthoritySource{Level: l})
		}
		if got := Effective(sources); string(got) != c.want {
			t.Errorf("%q: %s, want %s", c.levels, got, c.want)
		}
	}
	if Above("nonsense", "observe") || Above("observe", "nonsense") || !Above("act", "nonsense") {
		t.Error("what is no authority allows something")
	}
}

func TestSinceIsWhenItBegan(t *testing.T) {
	first := Annotated(map[string]string{"VirtualService ns/a": "observe"})
	Since(first, nil, noon)
	again := Annotated(map[string]string{"VirtualService ns/a": "observe"})
	Since(again, first, noon.Add(time.Hour))
	other := Annotated(map[string]string{"VirtualService ns/a": "approve"})
	Since(other, again, noon.Add(2*time.Hour))
	if !again[0].Since.Equal(noon) || !other[0].Since.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("since %v and %v", again[0].Since, other[0].Since)
	}
}
