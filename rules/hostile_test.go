package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// fill repeats unit between two texts until the file is an eighth as large as may be:
// enough to show what grows with the square of the size, in a fraction of the time. %d
// in the unit is its number, with as many digits as keep the length.
func fill(prefix, unit, suffix string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for i := 0; ; i++ {
		next := unit
		if strings.Contains(unit, "%d") {
			next = strings.ReplaceAll(unit, "%d", fmt.Sprintf("%06d", i))
		}
		if b.Len()+len(next)+len(suffix) > MaxFileSize/8 {
			break
		}
		b.WriteString(next)
	}
	return b.String() + suffix
}

func hostile() map[string]string {
	long := strings.Repeat("k", 100_000)
	nested := strings.Repeat("(", 8000) + "x" + strings.Repeat(")", 8000)
	return map[string]string{
		"a long header over many keys":  fill("["+long+"]\n", "k%d=1\n", ""),
		"a long key before many items":  fill(long+" = [", "1,", "]"),
		"many long keys":                fill("", "k%d"+strings.Repeat("k", 200)+".a.b = 1\n", ""),
		"newlines":                      fill("", "\n", "x"),
		"carriage returns":              fill("", "\r\n", "x"),
		"blanks":                        fill("", " ", "x"),
		"comments":                      fill("", "#\n", "x"),
		"double quotes":                 fill("a=", `"`, ""),
		"single quotes":                 fill("a=", "'", ""),
		"quotes in a multi-line string": fill(`a="""`, "\n\"\"", ""),
		"backslashes":                   fill(`a="`, `\\`, ""),
		"line endings escaped":          fill(`a="""`, "\\\n", ""),
		"dots":                          fill("", ".", ""),
		"keys and dots":                 fill("", "a.", ""),
		"opening brackets":              fill("", "[", ""),
		"closing brackets":              fill("", "]", ""),
		"nested arrays":                 fill("x=", "[", ""),
		"nested arrays after a BOM":     fill("\xef\xbb\xbfx=", "[", ""),
		"nested arrays after no key":    fill("!\nx=", "[", ""),
		"nested arrays in an array":     fill("x=[1 ", "[", ""),
		"nested tables":                 fill("x=", "{a=", ""),
		"arrays in an array":            fill("x=[", "[],", "]"),
		"tables in an array":            fill("x=[", "{},", "]"),
		"newlines in an array":          fill("x=[", "\n", "]"),
		"comments in an array":          fill("x=[", "#\n", "]"),
		"commas":                        fill("x=[", ",", ""),
		"headers":                       fill("", "[[a]]\n", ""),
		"headers with children":         fill("", "[[a]]\n[[a.b]]\n", ""),
		"children":                      fill("[[a]]\n", "[[a.b]]\n", ""),
		"deep dotted keys":              fill("", "k%d"+strings.Repeat(".a", 30)+"=1\n", ""),
		"zeros":                         fill("", "\x00", ""),
		"no UTF-8":                      fill("a='", "\xff", "'"),
		"digits":                        fill("a=", "1", ""),
		"equals":                        fill("a", "=", ""),
		"unknown keys":                  fill("", "k%d=1\n", ""),
		"services":                      fill("mesh='m'\n", "[[service]]\nname='s%d'\nblocking={maximum=1}\n", ""),
		"the same service":              fill("mesh='m'\n", "[[service]]\nname='s'\n", ""),
		"objectives on nothing":         fill("mesh='m'\n[signals]\nlatency='x'\n[[service]]\nname='s'\n", "[[service.objective]]\nsignal='s%d'\ntarget=0.9\n", ""),
		"queries":                       fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='x'\n", ""),
		"empty queries":                 fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d=''\n", ""),
		"empty ratios":                  fill("mesh='m'\n[[service]]\nname='s'\n", "[[service.objective]]\nbad=''\n", ""),
		"destinations":                  fill("mesh='m'\n[[service]]\nname='s'\n[[service.route]]\ndestinations=[", "'d%d',", "]"),
		"the same destination":          fill("mesh='m'\n[[service]]\nname='s'\n[[service.route]]\ndestinations=[", "'d',", "]"),
		"settings":                      fill("mesh='m'\n[[policy]]\nname='p'\n[policy.settings]\n", "k%d=1\n", "z=nan\n"),
		"centres of nobody":             fill("mesh='m'\n[reward]\nname='mo1'\nsteepness=1\n[reward.theta]\n", "s%d='1s'\n", ""),
		"deep queries":                  fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='"+nested+"'\n", ""),
		"deep ratios":                   fill("mesh='m'\n[[service]]\nname='s'\n", "[[service.objective]]\ntarget=0.9\nbad='"+nested+"'\ntotal='"+nested+"'\n", ""),
		"queries with many signs":       fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='"+strings.Repeat("-", 16000)+"x'\n", ""),
		"queries with many operators":   fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='"+strings.Repeat("a^-", 5000)+"x'\n", ""),
		"queries with many words":       fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='"+strings.Repeat("a or ", 3200)+"x'\n", ""),
		"queries with many selectors":   fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='"+strings.Repeat("a{b=\"\"}+", 1500)+"x'\n", ""),
		"queries with many errors":      fill("mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n[signals]\n", "s%d='"+strings.Repeat("a{b=~\"(\"}+", 1500)+"x'\n", ""),
	}
}

// No file of the size that is read takes long, or answers with more than a reader of a
// log can bear. The slowest takes half a second without the race detector.
func TestHostileFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const limit = 20 * time.Second
	for name, src := range hostile() {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				_, err := Parse("hostile.toml", []byte(src))
				done <- err
			}()
			select {
			case err := <-done:
				problems, ok := errors.AsType[Problems](err)
				if !ok {
					t.Fatalf("got %v, want Problems", err)
				}
				for _, p := range problems {
					if n := len(p.String()); n > 2<<10 {
						t.Errorf("a message of %d bytes: %.100s…", n, p)
					}
				}
			case <-time.After(limit):
				t.Fatalf("not read in %v", limit)
			}
		})
	}
}

func TestBoundsSayWhatIsTooMuch(t *testing.T) {
	const service = "mesh='m'\n[[service]]\nname='s'\nblocking={maximum=1}\n"
	for name, tc := range map[string]struct{ src, want string }{
		"key":        {"a=1\n" + strings.Repeat("k", 257) + "=1", "b.toml:2: has a key of more than 256 bytes, with those of the tables around it"},
		"keys":       {"[" + strings.Repeat("k", 200) + "]\n" + strings.Repeat("k", 57) + "=1", "b.toml:2: has a key of more than 256 bytes, with those of the tables around it"},
		"depth":      {"a = " + strings.Repeat("[", 33), "b.toml:1: is nested deeper than 32 levels"},
		"operators":  {service + "[signals]\noffered='" + strings.Repeat("-", 1001) + "x'", "b.toml:6: signals.offered: has 1001 operators and parentheses, want at most 1000 (make a recording rule of it)"},
		"expression": {service + "[signals]\noffered='" + strings.Repeat("x", maxExpr+1) + "'", "b.toml:6: signals.offered: is longer than 16 KiB (make a recording rule of it)"},
		"tables":     {service + "[signals]\noffered='x'\n" + strings.Repeat("[[workload]]\n", 1001), "b.toml:7: workload: has 1001 items, want at most 1000 (split the file)"},
		"long line":  {strings.Repeat(" ", 2000) + "a = 1 2", "b.toml:1: expected a top-level item to end with a newline, comment, or EOF, but got '2' instead at column 2006"},
	} {
		_, err := Parse("b.toml", []byte(tc.src))
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", name, err, tc.want)
		}
	}
}

// What the library quotes of a file would carry a password into a log.
func TestSyntaxProblemsQuoteNoSecret(t *testing.T) {
	for _, src := range []string{
		"password = \"hunter2\"\na = ",
		"password = hunter2",
		"bearer_token = 2hunter2",
		"http = {basic_auth = {password = \"hunter2\"}\n",
		"credentials = \"hunter2\n",
		"password = '''hunter2\n\n\n",
		"api_key = \"hunter2\\q\"",
		"client_secret = hunter2\n",
	} {
		_, err := Parse("s.toml", []byte(src))
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%q: %v", src, err)
		}
	}
}

// What the library accepts has been scanned to its end: the bounds hold for all of it.
func FuzzScanLines(f *testing.F) {
	for _, src := range hostile() {
		f.Add(src[:200] + src[len(src)-20:])
	}
	f.Add("\xff\xfea = 1")
	f.Add("a = '''\\''''\nb = \"\"\"\\\"\"\"\"\"\nc = 1")
	f.Fuzz(func(t *testing.T, src string) {
		s := newScanner(src)
		s.document()
		if s.excess != nil {
			t.Skip() // the library is not asked
		}
		var values map[string]any
		if _, err := toml.Decode(src, &values); err == nil && s.pos < len(src) {
			t.Errorf("stopped at %d in what is TOML: %q", s.pos, src)
		}
	})
}
