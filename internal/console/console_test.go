package console

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = `# A page

Text with ` + "`windvane status`, `windvane`, `windvane.toml` and `kubectl get pods`" + `.

<!-- given: night -->
` + fence + `console mesh
$ echo one \
    two
one two
$ false # exit code 1
` + fence + `

` + fence + `toml
$ not a command
` + fence + `

` + fence + `console
$ true
` + fence + `
`

func TestParse(t *testing.T) {
	got, err := Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 6, World: "mesh", Given: "night", Steps: []Step{
			{Line: 7, Command: "echo one \\\n    two", Output: []string{"one two"}}, {Line: 10, Command: "false # exit code 1", Exit: 1},
		}},
		{Line: 17, Steps: []Step{{Line: 18, Command: "true"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	spans := Spans(page, "windvane", "kubectl")
	if d := cmp.Diff([]Step{{Line: 3, Command: "windvane status"}, {Line: 3, Command: "kubectl get pods"}}, spans); d != "" {
		t.Error(d)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		fence + "console\noutput\n" + fence: "line 2: output without a command",
		fence + "console\n" + fence:         "line 1: a block without a command",
		fence + "console\n$ true":           "not closed",
		"<!-- given: night -->\ntext":       `no block follows "night"`,
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestDiffer(t *testing.T) {
	lower := strings.ToLower
	for _, c := range []struct {
		shown, printed string
		same           func(string) string
		differs        bool
	}{
		{"", "anything", nil, false},
		{"a\nb", "a\nb\n", nil, false},
		{"a\nb", "a\n", nil, true},
		{"a", "a\nb\n", nil, true},
		{"a", "A", nil, true},
		{"a", "A", lower, false},
		{"a … c", "a b c", nil, false},
		{"a …", "b c", nil, true},
		{"a\n…\nc", "a\nb\nb\nc", nil, false},
		{"…\nc", "c", nil, false},
		{"a.c", "abc", nil, true},
	} {
		s := Step{Line: 1, Command: "x"}
		if c.shown != "" {
			s.Output = strings.Split(c.shown, "\n")
		}
		if got := s.Differ(c.printed, c.same); got != "" != c.differs {
			t.Errorf("%q, printed %q: %q", c.shown, c.printed, got)
		}
	}
}

func TestShell(t *testing.T) {
	dir := t.TempDir()
	s := Shell{Dir: dir, Env: os.Environ(), Places: []Place{{Page: "/etc/thing", Here: dir}}}
	for _, c := range []struct {
		step Step
		want string
	}{
		{Step{Command: "echo hello >/etc/thing/file; ls /etc/thing/*", Output: []string{"/etc/thing/file"}}, ""},
		{Step{Line: 3, Command: "exit 3 # exit code 3", Exit: 3}, ""},
		{Step{Line: 4, Command: "exit 3"}, "line 4: `exit 3` has exit code 3, want 0"},
		{Step{Command: "mkdir below"}, ""},
		{Step{Command: "cd below"}, ""},
		{Step{Command: "ls -d ../below", Output: []string{"../below"}}, ""},
		{Step{Line: 5, Command: "echo a", Output: []string{"b"}}, "line 5: `echo a` prints\na\nand not\nb"},
	} {
		if got := s.Step(t.Context(), c.step, nil); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", c.step.Command, got, c.want)
		}
	}
	if _, err := os.Stat(dir + "/file"); err != nil {
		t.Error(err)
	}
}

func TestFile(t *testing.T) {
	page := "text\n```console\n$ true\n```\n```go main.go\npackage main\n\n```\n```go\nfunc other()\n```\n"
	if got := File(page, "main.go"); got != "package main\n\n" {
		t.Errorf("main.go is %q", got)
	}
	if got := File(page, "other.go"); got != "" {
		t.Errorf("a file that is not shown: %q", got)
	}
}
