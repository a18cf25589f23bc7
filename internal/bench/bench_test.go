package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two benchmarks share one file; the later of two figures of one name stays.
func TestFiguresAreAddedToTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	t.Setenv("BENCH_JSON", path)
	t.Setenv("BENCH_COMMAND", "make bench")
	t.Setenv("BENCH_COMMIT", "c0ffee")
	var out bytes.Buffer
	run := func(f func(r *Report)) {
		t.Run("bench", func(t *testing.T) {
			r := Start(t)
			r.w, r.Peers = &out, map[string]float64{"steps": 850}
			r.Section("simulator; peer: the Python one")
			f(r)
		})
	}
	run(func(r *Report) {
		r.Add("fit", 2, "s", 3)
		r.AddPeer("search", .99, "1", 1, 5)
	})
	run(func(r *Report) {
		r.AddPeer("fit", .5, "s", 13, 3)
		r.Add("steps", 50778890.5, "1/s", 5)
	})

	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]Figure
	if err := json.Unmarshal(src, &got); err != nil {
		t.Fatal(err)
	}
	peer := func(f Figure) float64 {
		if f.Peer == nil {
			return -1
		}
		return *f.Peer
	}
	for name, want := range map[string]Figure{
		"fit": {.5, "s", new(13.), 3, "make bench", "c0ffee"}, "search": {.99, "1", new(1.), 5, "make bench", "c0ffee"},
		"steps": {50778890.5, "1/s", new(850.), 5, "make bench", "c0ffee"},
	} {
		f := got[name]
		if peer(f) != peer(want) {
			t.Errorf("%s: peer %v, want %v", name, peer(f), peer(want))
		}
		f.Peer = want.Peer
		if f != want {
			t.Errorf("%s: %+v, want %+v", name, f, want)
		}
	}
	for _, want := range []string{
		"  fit                                           0.5 s              13        26        3\n",
		"  steps                                    50778890 1/s           850     59740        5\n",
		"  search                                       0.99                 1      0.99        5\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if len(line) > 100 {
			t.Errorf("a line of %d characters: %q", len(line), line)
		}
	}
}

func TestADamagedFileIsNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := merge(path, map[string]Figure{"fit": {Value: 1}}); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("got %v", err)
	}
	if src, _ := os.ReadFile(path); string(src) != "{" {
		t.Errorf("the file is now %q", src)
	}
}
