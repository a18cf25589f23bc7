package progress

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windvane/windvane/internal/lockedbuffer"
)

func TestQuickWorkIsNotSpokenOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedbuffer.Buffer
		m := New("train", &out)
		m.Note("fitting")
		time.Sleep(1900 * time.Millisecond)
		m.Stop()
		m.Stop()
		if got := out.String(); got != "" {
			t.Errorf("said %q", got)
		}
	})
}

// Where nobody can rewrite a line there are few, without control characters: one for each
// thing that is being done, and one again when nothing was said for long.
func TestPlainLinesComeNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedbuffer.Buffer
		m := New("train", &out)
		defer m.Stop()
		m.Note("fitting 45343 rows")
		time.Sleep(3150 * time.Millisecond)
		for i := range 150 {
			m.Count("steps learned", 1000+10*i, 3000) // the first 1000 are of an earlier run
			if i == 50 {
				m.Remark("reward 2")
			}
			time.Sleep(100 * time.Millisecond)
		}
		want := "train: fitting 45343 rows, 2 s\n" +
			"train: [######..............] 1000 of 3000 steps learned, 0 s\n" +
			"train: [#############.......] 2000 of 3000 steps learned, 100/s, 10 s left; reward 2\n"
		if got := out.String(); got != want {
			t.Errorf("said\n%swant\n%s", got, want)
		}
	})
}

func TestATerminalsLineIsRewrittenAndCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedbuffer.Buffer
		m := New("evaluate", &out)
		m.mu.Lock()
		m.terminal, m.columns = true, 60
		m.mu.Unlock()
		m.Count("runs judged", 0, 4)
		time.Sleep(6 * time.Second)
		m.Count("runs judged", 2, 4)
		time.Sleep(2050 * time.Millisecond)
		m.Stop()
		got := out.String()
		if strings.Contains(got, "\n") || !strings.HasSuffix(got, "\r\x1b[K") {
			t.Errorf("said %q", got)
		}
		lines := strings.Split(strings.TrimSuffix(got, "\r\x1b[K"), "\x1b[K")
		last := lines[len(lines)-2]
		if want := "\revaluate: [##########..........] 2 of 4 runs judged, 3.0 s "; last != want {
			t.Errorf("the last line is %q, want %q, which is cut to the terminal's width", last, want)
		}
	})
}
