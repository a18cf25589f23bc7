package journal

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"
)

// Read yields the records of the journal in dir, oldest first. It takes no lock and
// may run while the journal is written: a last line without its newline is not there
// yet. Damage is yielded as an error, and ends the sequence.
func Read(dir string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		all, err := segments(dir)
		if err != nil {
			yield(Record{}, err)
			return
		}
		var last uint64
		for i, n := range all {
			if !readSegment(segmentPath(dir, n), i == len(all)-1, &last, yield) {
				return
			}
		}
	}
}

// readSegment reports whether to go on with the next segment. last is the seq of the
// record before, 0 for none.
func readSegment(path string, newest bool, last *uint64, yield func(Record, error) bool) bool {
	s, err := openScanner(path)
	if err != nil {
		yield(Record{}, err)
		return false
	}
	defer s.close()
	for {
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF), newest && errors.Is(err, errTorn):
			return true
		case errors.Is(err, errTorn):
			err = &DamageError{File: path, Line: s.line + 1, Offset: s.offset, Err: errTorn}
		case err == nil && *last != 0 && r.Seq != *last+1:
			err = gap(s, *last, r.Seq)
		}
		if err != nil {
			yield(Record{}, err)
			return false
		}
		*last = r.Seq
		if !yield(r, nil) {
			return false
		}
	}
}

// Last returns the newest n records that keep admits (all, if it is nil), oldest
// first. It reads backwards from the end, and no further than it has to.
func Last(dir string, n int, keep func(Record) bool) ([]Record, error) {
	all, err := segments(dir)
	if err != nil {
		return nil, err
	}
	var out []Record
	for i := len(all) - 1; i >= 0 && len(out) < n; i-- {
		if out, err = lastOf(segmentPath(dir, all[i]), n, keep, out); err != nil {
			return nil, err
		}
	}
	slices.Reverse(out)
	return out, nil
}

// lastOf appends a segment's records to out, newest first, until it has n.
func lastOf(path string, n int, keep func(Record) bool, out []Record) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading
	var damage error
	err = backwards(f, func(line []byte, offset int64) bool {
		r, err := decode(line)
		if err != nil {
			damage = &DamageError{File: path, Offset: offset, Err: err}
			return false
		}
		if keep == nil || keep(r) {
			out = append(out, r)
		}
		return len(out) < n
	})
	return out, errors.Join(err, damage)
}

// Summary is what Verify found.
type Summary struct {
	Segments int       `json:"segments"`
	Records  uint64    `json:"records"`
	First    uint64    `json:"first"` // seq of the oldest record; 0: none
	Last     uint64    `json:"last"`
	FirstAt  time.Time `json:"first_at"`
	LastAt   time.Time `json:"last_at"`
	Bytes    int64     `json:"bytes"` // of whole records
	Torn     int64     `json:"torn"`  // bytes behind the last whole record, which the next Open cuts off
}

// Verify reads the whole journal in dir: every checksum, every seq. A torn tail of the
// newest segment is counted in Torn; anything else that does not read back is an
// error.
func Verify(dir string) (Summary, error) {
	all, err := segments(dir)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{Segments: len(all)}
	for i, n := range all {
		path := segmentPath(dir, n)
		end, err := findEnd(path)
		if err != nil {
			return Summary{}, err
		}
		sum.Torn = end.file - end.size
		if sum.Torn > 0 && i < len(all)-1 {
			return Summary{}, end.damage(path)
		}
		if end.lines == 0 {
			continue
		}
		if sum.Records == 0 {
			sum.First, sum.FirstAt = end.first.Seq, end.first.At
		} else if end.first.Seq != sum.Last+1 {
			return Summary{}, &DamageError{File: path, Line: 1, Err: fmt.Errorf("record %d follows record %d", end.first.Seq, sum.Last)}
		}
		sum.Records += uint64(end.lines)
		sum.Last, sum.LastAt = end.last.Seq, end.last.At
		sum.Bytes += end.size
	}
	return sum, nil
}
