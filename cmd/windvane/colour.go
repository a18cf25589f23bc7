package main

import (
	"fmt"
	"io"
	"os"
	"regexp"

	"golang.org/x/term"
)

// colours are of the words by which a person finds what is wrong. Nothing is said by colour
// alone: the words are the same without it.
var colours = []struct {
	words *regexp.Regexp
	code  int
}{
	{regexp.MustCompile(`(?m)^ {2}problem|^ {2}failed:|burns its budget too fast`), 31},                                        // red
	{regexp.MustCompile(`(?m)^warning:|^ {2}(?:warning|unknown|hold:|signal:|nothing was feasible)|planned, not applied`), 33}, // yellow
	{regexp.MustCompile(`(?m)^mesh \S+`), 1}, // bold
}

// coloured returns w with colours, if it is a terminal that has them and nobody asked for
// none (https://no-color.org).
func coloured(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return w
	}
	return paint{w}
}

// paint colours the words of each text that is written at once.
type paint struct{ w io.Writer }

func (p paint) Write(text []byte) (int, error) {
	out := text
	for _, c := range colours {
		out = c.words.ReplaceAll(out, fmt.Appendf(nil, "\x1b[%dm$0\x1b[0m", c.code))
	}
	if _, err := p.w.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}
