// Package console reads the commands of a documentation page and what they print, so that
// a test can run them: blocks like
//
//	```console WORLD
//	$ windvane status
//	windvane 1.2.0, running since …
//	```
//
// WORLD says what they are run against, and is for the test to know; renderers of Markdown
// pass it over. A line that ends in a backslash is continued. A command without output may
// print anything. In an output "…" stands for anything, on a line of its own for any lines.
// A command that is to fail ends in the comment "# exit code N". A comment of the page's,
//
//	<!-- given: Prometheus is down -->
//
// is of the next block, and names a state that the test brings about.
package console

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Block is one of a page's.
type Block struct {
	Line  int    // of the page, from 1
	World string // empty: none was named
	Given string // empty: nothing
	Steps []Step
}

// Step is a command with what it prints.
type Step struct {
	Line    int
	Command string
	Exit    int
	Output  []string // nil: not shown
}

const fence = "```"

var (
	given = regexp.MustCompile(`^<!-- given: (.+) -->$`)
	exits = regexp.MustCompile(`# exit code (\d+)$`)
	span  = regexp.MustCompile("`([^`]+)`")
)

// Parse returns the blocks of a page. A comment that no block follows, or a block that does
// not begin with a command, is an error.
func Parse(page string) ([]Block, error) {
	var out []Block
	var state string
	var fenced, continued bool
	var block *Block
	for i, line := range strings.Split(page, "\n") {
		n := i + 1
		switch info, isFence := strings.CutPrefix(line, fence); {
		case isFence && fenced:
			if block != nil && len(block.Steps) == 0 {
				return nil, fmt.Errorf("line %d: a block without a command", block.Line)
			}
			if block != nil {
				out = append(out, *block)
			}
			fenced, block = false, nil
		case isFence:
			fenced = true
			if world, ok := strings.CutPrefix(info, "console"); ok {
				block = &Block{Line: n, World: strings.TrimSpace(world), Given: state}
				state = ""
			}
		case block != nil:
			if err := block.add(n, line, continued); err != nil {
				return nil, err
			}
			last := block.Steps[len(block.Steps)-1]
			continued = last.Output == nil && strings.HasSuffix(line, `\`)
		default:
			if m := given.FindStringSubmatch(line); m != nil && !fenced {
				state = m[1]
			}
		}
	}
	if fenced {
		return nil, fmt.Errorf("a block is not closed")
	}
	if state != "" {
		return nil, fmt.Errorf("no block follows %q", state)
	}
	return out, nil
}

func (b *Block) add(n int, line string, continued bool) error {
	command, isCommand := strings.CutPrefix(line, "$ ")
	switch {
	case continued:
		last := &b.Steps[len(b.Steps)-1]
		last.Command += "\n" + line
		return last.exit()
	case isCommand:
		b.Steps = append(b.Steps, Step{Line: n, Command: command})
		return b.Steps[len(b.Steps)-1].exit()
	case len(b.Steps) == 0:
		return fmt.Errorf("line %d: output without a command", n)
	}
	last := &b.Steps[len(b.Steps)-1]
	last.Output = append(last.Output, line)
	return nil
}

func (s *Step) exit() (err error) {
	if m := exits.FindStringSubmatch(s.Command); m != nil {
		s.Exit, err = strconv.Atoi(m[1])
	}
	return err
}

// File returns what a page shows as a file of this name, as in a block that begins with
// "```go main.go"; empty: it shows none.
func File(page, name string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(page) {
		switch {
		case inside && strings.HasPrefix(line, fence):
			return out.String()
		case inside:
			out.WriteString(line)
		case strings.HasPrefix(line, fence):
			inside = strings.HasSuffix(strings.TrimSpace(line), " "+name)
		}
	}
	return ""
}

// Spans returns the code in a page's text, its blocks apart, that begins with one of the
// programs and has arguments: commands that a reader may give.
func Spans(page string, programs ...string) []Step {
	var out []Step
	fenced := false
	for i, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, fence) {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		for _, m := range span.FindAllStringSubmatch(line, -1) {
			for _, p := range programs {
				if strings.HasPrefix(m[1], p+" ") {
					out = append(out, Step{Line: i + 1, Command: m[1]})
				}
			}
		}
	}
	return out
}

// Differ says where what a command printed is not as it is shown; empty: nowhere. Lines are
// compared as same has made them; nil: as they are.
func (s Step) Differ(printed string, same func(string) string) string {
	if s.Output == nil {
		return ""
	}
	if same == nil {
		same = func(line string) string { return line }
	}
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range s.Output {
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(same(line), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, ".*") + `\n`)
	}
	var got strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(printed, "\n"), "\n") {
		got.WriteString(same(strings.TrimRight(line, " ")) + "\n")
	}
	if regexp.MustCompile(pattern.String() + `\z`).MatchString(got.String()) {
		return ""
	}
	return fmt.Sprintf("line %d: `%s` prints\n%s\nand not\n%s", s.Line, s.Command, strings.TrimRight(printed, "\n"), strings.Join(s.Output, "\n"))
}
