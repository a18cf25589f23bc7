package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScanLines(t *testing.T) {
	const src = `a = 1 # [x]
"b c".d = """
[no]
""" # ]]
[e.f]
g = {h = 1, i = [
  2, {j = '}'}]}
[[k]]
l = 1
[[k.m]]
n = 1
[[k.m]]
n = 2
[[k]]
[k.o]
p = ''''two quotes''''
q = "\\"
r = 1979-05-27 07:32:00
`
	want := map[string]int{
		"": 1, "a": 1, `"b c"`: 2, `"b c".d`: 2, "e": 5, "e.f": 5, "e.f.g": 6, "e.f.g.h": 6, "e.f.g.i": 6,
		"e.f.g.i[0]": 7, "e.f.g.i[1]": 7, "e.f.g.i[1].j": 7, "k": 8, "k[0]": 8, "k[0].l": 9, "k[0].m": 10, "k[0].m[0]": 10,
		"k[0].m[0].n": 11, "k[0].m[1]": 12, "k[0].m[1].n": 13, "k[1]": 14, "k[1].o": 15, "k[1].o.p": 16, "k[1].o.q": 17, "k[1].o.r": 18,
	}
	got, excess := scanLines(src)
	if excess != nil {
		t.Errorf("given up: %+v", excess)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}
