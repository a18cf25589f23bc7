package rules

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of values, and the parts of a dotted key: the TOML
// library takes time and memory without measure for very deep ones.
const maxDepth = 32

// maxPath bounds the path of a key, in bytes: a file has a path for each key and each
// item of a list, so a long one at the top would be copied a hundred thousand times.
const maxPath = 256

// excess says that a document is beyond a bound, and where.
type excess struct {
	line    int
	message string
}

// scanLines maps the path of every key of a TOML document to its line. The TOML
// library keeps positions to itself, so the keys are found again here, by
// following the structure of the text; what is no TOML is left to the library.
// A document that is nested too deeply, or has too long keys, is not read further.
func scanLines(src string) (map[string]int, *excess) {
	s := newScanner(src)
	s.document()
	return s.lines, s.excess
}

type scanner struct {
	src    string
	pos    int
	line   int
	lines  map[string]int
	tables map[string]int // number of [[headers]] seen, by path
	depth  int            // of the value being read
	excess *excess
}

func newScanner(src string) *scanner {
	s := &scanner{src: src, line: 1, lines: map[string]int{"": 1}, tables: map[string]int{}}
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} { // byte order marks, which the library skips too
		if strings.HasPrefix(src, mark) {
			s.pos = len(mark)
			break
		}
	}
	return s
}

// document reads headers and keys until the end, or until something that is no
// TOML: then the remaining keys have no line of their own.
func (s *scanner) document() {
	prefix := ""
	for {
		s.space(true)
		if s.pos >= len(s.src) {
			return
		}
		start := s.pos
		if s.peek() == '[' {
			prefix = s.header()
		} else {
			s.keyValue(prefix)
		}
		if s.pos == start {
			return
		}
	}
}

// header reads [a.b] or [[a.b]] and returns the path of the table it opens.
func (s *scanner) header() string {
	array := strings.HasPrefix(s.src[s.pos:], "[[")
	s.pos++
	if array {
		s.pos++
	}
	keys := s.dotted()
	for s.pos < len(s.src) && s.peek() == ']' {
		s.pos++
	}
	path := ""
	for i, k := range keys {
		if path = s.join(path, k); s.excess != nil {
			return path
		}
		if array && i == len(keys)-1 {
			s.tables[path]++
		}
		if n := s.tables[path]; n > 0 {
			s.note(path)
			path = index(path, n-1)
		}
		s.note(path)
	}
	return path
}

func (s *scanner) keyValue(prefix string) {
	path := prefix
	for _, k := range s.dotted() {
		if path = s.join(path, k); s.excess != nil {
			return
		}
		s.note(path)
	}
	s.space(false)
	if s.peek() == '=' {
		s.pos++
		s.value(path)
	}
}

func (s *scanner) value(path string) {
	s.space(false)
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[':
		s.list(']', func(i int) {
			s.note(index(path, i))
			s.value(index(path, i))
		})
	case '{':
		s.list('}', func(int) { s.keyValue(path) })
	default:
		for s.pos < len(s.src) && !strings.ContainsRune(",]}#\n", rune(s.peek())) {
			s.pos++
		}
	}
}

// list reads the items of an array or of an inline table.
func (s *scanner) list(end byte, item func(i int)) {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxDepth {
		s.giveUp(fmt.Sprintf("is nested deeper than %d levels", maxDepth))
		return
	}
	s.pos++
	for i := 0; ; i++ {
		s.space(true)
		if s.pos >= len(s.src) {
			return
		}
		if s.peek() == end {
			s.pos++
			return
		}
		start := s.pos
		item(i)
		s.space(true)
		if s.peek() == ',' {
			s.pos++
		}
		if s.pos == start {
			return
		}
	}
}

func (s *scanner) dotted() []string {
	var keys []string
	for {
		s.space(false)
		if c := s.peek(); c == '"' || c == '\'' {
			keys = append(keys, s.quoted())
		} else {
			start := s.pos
			for isBare(s.peek()) {
				s.pos++
			}
			if s.pos == start {
				return keys
			}
			keys = append(keys, s.src[start:s.pos])
		}
		s.space(false)
		if s.peek() != '.' {
			return keys
		}
		if len(keys) == maxDepth {
			s.giveUp(fmt.Sprintf("is nested deeper than %d levels", maxDepth))
			return keys
		}
		s.pos++
	}
}

// giveUp notes that the document is beyond a bound, and ends the scan.
func (s *scanner) giveUp(why string) {
	s.excess = &excess{line: s.line, message: why}
	s.pos = len(s.src)
}

// join appends a key to a path that may not get too long.
func (s *scanner) join(path, key string) string {
	if len(path)+len(key) > maxPath {
		s.giveUp(fmt.Sprintf("has a key of more than %d bytes, with those of the tables around it", maxPath))
		return path
	}
	return join(path, key)
}

// quoted reads any of the four kinds of strings and returns its content; escapes
// are resolved as Go does, which is enough to name a key.
func (s *scanner) quoted() string {
	quote := s.src[s.pos : s.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.src[s.pos:], triple) {
		quote = triple
	}
	s.pos += len(quote)
	start := s.pos
	for s.pos < len(s.src) && !strings.HasPrefix(s.src[s.pos:], quote) {
		if s.peek() == '\\' && quote[0] == '"' {
			s.pos++
		}
		if s.peek() == '\n' {
			s.line++
		}
		s.pos++
	}
	s.pos = min(s.pos, len(s.src))
	text := s.src[start:s.pos]
	s.pos = min(s.pos+len(quote), len(s.src))
	for extra := 0; len(quote) == 3 && extra < 2 && s.peek() == quote[0]; extra++ {
		s.pos++ // a multi-line string may end in up to two quotes of its own
	}
	if quote == `"` {
		if plain, err := strconv.Unquote(`"` + text + `"`); err == nil {
			return plain
		}
	}
	return text
}

// space skips blanks and, where lines do not matter, line ends and comments.
func (s *scanner) space(lines bool) {
	for s.pos < len(s.src) {
		switch c := s.peek(); {
		case c == ' ' || c == '\t' || c == '\r':
		case lines && c == '\n':
			s.line++
		case lines && c == '#':
			for s.pos+1 < len(s.src) && s.src[s.pos+1] != '\n' {
				s.pos++
			}
		default:
			return
		}
		s.pos++
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos >= len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

func (s *scanner) note(path string) {
	if _, seen := s.lines[path]; !seen {
		s.lines[path] = s.line
	}
}

func isBare(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// join appends a key to a path, quoted where TOML would want it quoted.
func join(path, key string) string {
	bare := key != ""
	for i := range len(key) {
		bare = bare && isBare(key[i])
	}
	if !bare {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
