package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Record is one line of the journal.
type Record struct {
	Seq  uint64          `json:"seq"`  // 1 for the first record ever, then without gaps
	At   time.Time       `json:"at"`   // as given to Append, in UTC
	Mesh string          `json:"mesh"` // empty for what concerns the daemon as a whole
	Kind string          `json:"kind"` // one of the Kind constants
	Body json.RawMessage `json:"body"` // Start, Intent, Outcome or Note, by Kind; of an intent maybe without its parts

	parts parts // of an intent
}

// Decode reads the body into v, a pointer to the type that belongs to the record's
// kind. Members that v does not know are ignored: a journal outlives versions.
func (r Record) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("journal record %d (%s): %w", r.Seq, r.Kind, err)
	}
	i, ok := v.(*Intent)
	if !ok {
		return nil
	}
	for name, member := range i.parts() {
		if raw, ok := r.parts[name]; ok && string(raw) != "null" {
			if err := json.Unmarshal(raw, member); err != nil {
				return fmt.Errorf("journal record %d (%s): %s: %w", r.Seq, r.Kind, name, err)
			}
		}
	}
	return nil
}

// maxLine bounds a line, its newline included, so that a damaged file cannot make a
// reader allocate without limit.
const maxLine = 16 << 20

const (
	crcKey    = `,"crc":"`
	crcSuffix = len(crcKey) + 8 + len(`"}`)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// marshal turns a body into JSON.
func marshal(body any) (json.RawMessage, error) {
	raw, err := plain(body)
	if err != nil {
		return nil, fmt.Errorf("the body cannot be written as JSON: %w", err)
	}
	return raw, nil
}

// plain writes v as JSON without the escapes for web pages, which json.Marshal puts
// in place of <, > and &: the journal is read with grep, too.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encode returns the record's line with its newline.
func encode(r Record) ([]byte, error) {
	b, err := plain(r)
	if err != nil {
		return nil, err
	}
	line := bytes.TrimSuffix(b, []byte("}"))
	line = fmt.Appendf(line, "%s%08x\"}\n", crcKey, crc32.Checksum(line, castagnoli))
	if len(line) > maxLine {
		return nil, fmt.Errorf("a record of %d bytes is longer than the limit of %d", len(line), maxLine)
	}
	return line, nil
}

// decode reads a line without its newline.
func decode(line []byte) (Record, error) {
	if len(line) < crcSuffix {
		return Record{}, errors.New("the line is too short for a record")
	}
	head, tail := line[:len(line)-crcSuffix], line[len(line)-crcSuffix:]
	if want := fmt.Sprintf("%s%08x\"}", crcKey, crc32.Checksum(head, castagnoli)); string(tail) != want {
		return Record{}, errors.New("the checksum does not match")
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, err
	}
	if r.Seq == 0 || r.Kind == "" {
		return Record{}, errors.New("the record has no seq or no kind")
	}
	return r, nil
}

// DamageError says that a line of a segment does not read back.
type DamageError struct {
	File   string // path of the segment
	Line   int    // from 1; 0 where a whole segment is missing or not readable as one
	Offset int64  // of the line's first byte
	Err    error  // what is wrong
}

// Error names the file and the line, and says what to do.
func (e *DamageError) Error() string {
	return fmt.Sprintf("journal damaged: %s:%d (byte %d): %v; move the journal directory aside to start a new one, "+
		"or restore the file from a copy; `windvane journal verify` checks the result", e.File, e.Line, e.Offset, e.Err)
}

// Unwrap returns what is wrong with the line.
func (e *DamageError) Unwrap() error { return e.Err }
