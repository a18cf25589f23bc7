package rules

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// MaxFileSize bounds a file that is read, in bytes.
const MaxFileSize = 1 << 20

// Document is a TOML file that is read strictly: a key that nobody asked for is
// a problem, and each problem knows its line.
type Document struct {
	file    string
	lines   map[string]int
	tables  []*Table
	invalid Problems
	wrong   map[string]bool // keys of invalid
	asked   []*Asked
	own     map[string]bool // paths of keys that are the user's own
}

// ReadFile reads a file of configuration: regular, and of at most MaxFileSize.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read configuration: %s is no regular file; name a file", path)
	case info.Size() > MaxFileSize:
		return nil, Problems{tooLarge(path)}
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return src, nil
}

// ParseDocument reads the syntax of a file and returns its top-level table; file
// is the name that problems carry. The error is of type Problems. The caller
// asks the table for all it knows, then Document.Problems for what was wrong.
func ParseDocument(file string, src []byte) (*Document, *Table, error) {
	d := &Document{file: file, wrong: map[string]bool{}, own: map[string]bool{}}
	if len(src) > MaxFileSize {
		return nil, nil, Problems{tooLarge(file)}
	}
	lines, excess := scanLines(string(src))
	if excess != nil {
		return nil, nil, Problems{{File: file, Line: excess.line, Message: excess.message}}
	}
	d.lines = lines
	var values map[string]any
	if _, err := toml.Decode(string(src), &values); err != nil {
		return nil, nil, Problems{syntaxProblem(file, err)}
	}
	return d, d.open("", values), nil
}

func tooLarge(file string) Problem {
	return Problem{File: file, Message: "the file is larger than 1 MiB", Hint: "is it the right file?"}
}

// maxExcerpt bounds what a message quotes of a file, in bytes.
const maxExcerpt = 1 << 10

// secret finds what may precede a secret in a file. A message ends up in logs.
var secret = regexp.MustCompile(`(?i)password|passphrase|secret|token|credential|authorization|cookie|private|api.?key`)

// syntaxProblem quotes the lines where the syntax breaks, unless they are long or may
// hold a secret.
func syntaxProblem(file string, err error) Problem {
	p := Problem{File: file, Line: 1, Message: err.Error()}
	pe, ok := errors.AsType[toml.ParseError](err)
	if !ok {
		return p
	}
	p.Line = max(pe.Position.Line, 1)
	p.Message = strings.TrimSpace(strings.TrimPrefix(pe.ErrorWithPosition(), "toml: error: "))
	if len(p.Message) > maxExcerpt || secret.MatchString(p.Message) {
		p.Message = fmt.Sprintf("%s at column %d", pe.Message, pe.Position.Col)
	}
	if len(p.Message) > maxExcerpt || secret.MatchString(pe.LastKey) {
		p.Message = fmt.Sprintf("is no TOML at column %d", pe.Position.Col)
	}
	return p
}

// Problem makes a problem of this file at the line of key, or of the nearest
// table around it.
func (d *Document) Problem(key, message, hint string) Problem {
	return Problem{File: d.file, Line: d.line(key), Key: key, Message: message, Hint: hint}
}

// Problems returns what is wrong with the keys and values asked for so far:
// first the keys that are unknown, then the values, each by line.
func (d *Document) Problems() Problems {
	var unknown Problems
	for _, t := range d.tables {
		known := t.asked()
		for _, key := range sortedKeys(t.values) {
			if !t.known[key] {
				unknown = append(unknown, d.Problem(join(t.path, key), "unknown key", Suggest(key, known)))
			}
		}
	}
	return slices.Concat(unknown.byLine(), d.invalid.byLine())
}

func (d *Document) open(path string, values map[string]any) *Table {
	t := &Table{doc: d, path: path, values: values, known: map[string]bool{}, asks: map[string]*Asked{}}
	d.tables = append(d.tables, t)
	return t
}

func (d *Document) line(key string) int {
	for {
		if n, ok := d.lines[key]; ok {
			return n
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return 1
		}
		key = key[:i]
	}
}

// reported reports whether a problem with the value of a key is known.
func (d *Document) reported(key string) bool { return d.wrong[key] }

func (d *Document) refuse(key, message, hint string) {
	d.invalid = append(d.invalid, d.Problem(key, message, hint))
	d.wrong[key] = true
}
