package journal

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
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
			s, err := openScanner(dir, n)
			if errors.Is(err, os.ErrNotExist) && last == 0 && i < len(all)-1 {
				continue // it has expired meanwhile
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !readSegment(s, i == len(all)-1, &last, yield) {
				return
			}
		}
	}
}

// readSegment reports whether to go on with the next segment. last is the seq of the
// record before, 0 for none.
func readSegment(s *scanner, newest bool, last *uint64, yield func(Record, error) bool) bool {
	defer s.close()
	chains := chains{}
	for {
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF), newest && errors.Is(err, errTorn):
			return true
		case errors.Is(err, errTorn):
			err = &DamageError{File: s.f.path, Line: s.line + 1, Offset: s.offset, Err: errTorn}
		case err == nil && *last != 0 && r.Seq != *last+1:
			err = gap(s, *last, r.Seq)
		case err == nil:
			if err = chains.complete(&r); err != nil {
				err = &DamageError{File: s.f.path, Line: s.line, Offset: s.start, Err: err}
			}
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

// chains are the last intents of a segment's meshes.
type chains map[string]Record

// complete gives an intent its parts. It has to be called with each record of a segment.
func (c chains) complete(r *Record) error {
	if r.Kind != KindIntent {
		return nil
	}
	before := c[r.Mesh]
	base, err := baseOf(r.Body)
	if err == nil && base != 0 && base != before.Seq {
		err = fmt.Errorf("it refers to record %d, and the intent before it is record %d", base, before.Seq)
	}
	if err == nil {
		r.parts, err = whole(r.Body, before.parts)
	}
	if err != nil {
		return fmt.Errorf("record %d: %w", r.Seq, err)
	}
	c[r.Mesh] = *r
	return nil
}

// Last returns the newest n records that keep admits (all, if it is nil), oldest
// first. It reads backwards from the end, and no further than it has to. keep is
// given intents as they are stored, which may be without their parts.
func Last(dir string, n int, keep func(Record) bool) ([]Record, error) {
	return last(dir, n, math.MaxInt, keep)
}

// recentSegments bound what Recent reads, and with it how long a start takes.
const recentSegments = 4

// Recent is Last, but reads the newest segments only: what a mesh that runs has left is
// there, as each of its cycles leaves an intent.
func Recent(dir string, n int, keep func(Record) bool) ([]Record, error) {
	return last(dir, n, recentSegments, keep)
}

func last(dir string, n, most int, keep func(Record) bool) ([]Record, error) {
	all, err := segments(dir)
	if err != nil {
		return nil, err
	}
	all = all[max(0, len(all)-most):]
	var out []Record
	for i := len(all) - 1; i >= 0 && len(out) < n; i-- {
		found, err := lastOf(dir, all[i], n-len(out), 0, keep)
		if errors.Is(err, os.ErrNotExist) && i < len(all)-1 {
			break // it has expired meanwhile, and so have the older ones
		}
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Reverse(out)
	return out, nil
}

// lastOf returns the newest n records of a segment, before the one of a seq (0: all), that
// keep admits, newest first.
func lastOf(dir string, segment, n int, before uint64, keep func(Record) bool) ([]Record, error) {
	s, err := openSegment(dir, segment)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var out, older []Record     // older than some of out, which are based on them
	wanted := map[uint64]bool{} // seqs of them
	err = s.recordsBackwards(before, func(r Record) bool {
		kept := len(out) < n && (keep == nil || keep(r))
		if kept || wanted[r.Seq] {
			if base, err := baseOf(r.Body); r.Kind == KindIntent && err == nil && base != 0 {
				wanted[base] = true
			}
			delete(wanted, r.Seq)
			older = append(older, r)
		}
		if kept {
			out = append(out, r)
		}
		return len(out) < n || len(wanted) > 0
	})
	if err != nil {
		return nil, err
	}
	chains := chains{}
	for _, r := range slices.Backward(older) {
		if err := chains.complete(&r); err != nil {
			return nil, &DamageError{File: s.path, Err: err}
		}
		for i := range out {
			if out[i].Seq == r.Seq {
				out[i] = r
			}
		}
	}
	return out, nil
}

// Summary is what Verify found.
type Summary struct {
	Segments int       `json:"segments"`
	Packed   int       `json:"packed"` // of them, compressed
	Records  uint64    `json:"records"`
	First    uint64    `json:"first"` // seq of the oldest record; 0: none
	Last     uint64    `json:"last"`
	FirstAt  time.Time `json:"first_at"`
	LastAt   time.Time `json:"last_at"`
	Bytes    int64     `json:"bytes"`  // of whole records, not compressed
	Stored   int64     `json:"stored"` // bytes of the segments' files
	Torn     int64     `json:"torn"`   // bytes behind the last whole record, which the next Open cuts off
}

// Verify reads the whole journal in dir: every checksum, every seq, and
// that every intent is complete. A torn tail of the
// newest segment is counted in Torn; anything else that does not read back is an
// error.
func Verify(dir string) (Summary, error) { return verify(dir, math.MaxInt, func(int, int) {}) }

// VerifyCounting is Verify, and says before each segment how many are read, of how many.
func VerifyCounting(dir string, said func(done, of int)) (Summary, error) {
	return verify(dir, math.MaxInt, said)
}

// VerifyNewest is Verify for as many of the newest segments, which takes a bounded time.
func VerifyNewest(dir string, most int) (Summary, error) {
	return verify(dir, most, func(int, int) {})
}

func verify(dir string, most int, said func(done, of int)) (Summary, error) {
	all, err := segments(dir)
	if err != nil {
		return Summary{}, err
	}
	all = all[max(0, len(all)-most):]
	sum := Summary{}
	for i, n := range all {
		said(i, len(all))
		end, err := findEnd(dir, n, chains{}.complete)
		if errors.Is(err, os.ErrNotExist) && sum.Segments == 0 && i < len(all)-1 {
			continue // it has expired meanwhile
		}
		if err != nil {
			return Summary{}, err
		}
		sum.Segments++
		sum.Stored += end.stored
		if end.packed {
			sum.Packed++
		}
		sum.Torn = end.file - end.size
		if sum.Torn > 0 && i < len(all)-1 {
			return Summary{}, end.damage()
		}
		if end.lines == 0 {
			continue
		}
		if sum.Records == 0 {
			sum.First, sum.FirstAt = end.first.Seq, end.first.At
		} else if end.first.Seq != sum.Last+1 {
			return Summary{}, &DamageError{File: end.path, Line: 1, Err: fmt.Errorf("record %d follows record %d", end.first.Seq, sum.Last)}
		}
		sum.Records += uint64(end.lines)
		sum.Last, sum.LastAt = end.last.Seq, end.last.At
		sum.Bytes += end.size
	}
	return sum, nil
}
