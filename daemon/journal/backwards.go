package journal

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"sort"
	"strconv"
)

// Backwards yields the records before the one of a seq (0: all), newest first, as they
// are stored: intents may be without their parts. It takes no lock and may run while the
// journal is written, and reads no further than the caller asks for: of the segment that the
// first record is in what is newer, of older ones nothing. Damage is yielded as an error, and
// ends the sequence; so does the end of what has not expired.
func Backwards(dir string, before uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		all, err := segments(dir)
		if err == nil && before > 0 {
			all, err = until(dir, all, before)
		}
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i, n := range slices.Backward(all) {
			more, err := segmentBackwards(dir, n, before, yield)
			if errors.Is(err, os.ErrNotExist) && i < len(all)-1 {
				return // it has expired meanwhile, and so have the older ones
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// until returns the segments that have records before a seq.
func until(dir string, all []int, before uint64) ([]int, error) {
	var failed error
	n := sort.Search(len(all), func(i int) bool {
		first, err := firstSeq(dir, all[i])
		if err != nil && failed == nil {
			failed = err
		}
		return first >= before
	})
	return all[:n], failed
}

// firstSeq is that of the first record of a segment. One without a record is newer than any;
// one that has expired meanwhile is older.
func firstSeq(dir string, n int) (uint64, error) {
	s, err := openScanner(dir, n)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer s.close()
	r, err := s.next()
	if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
		return 1<<64 - 1, nil
	}
	return r.Seq, err
}

// segmentBackwards reports whether the caller wants more.
func segmentBackwards(dir string, n int, before uint64, yield func(Record, error) bool) (bool, error) {
	s, err := openSegment(dir, n)
	if err != nil {
		return false, err
	}
	defer s.close()
	more := true
	err = s.recordsBackwards(before, func(r Record) bool {
		more = yield(r, nil)
		return more
	})
	return more, err
}

// recordsBackwards calls yield with each record before the one of a seq (0: all), the last
// one first, until it returns false.
func (s *segmentFile) recordsBackwards(before uint64, yield func(Record) bool) error {
	var damage error
	err := s.backwards(func(line []byte, offset int64) bool {
		if before > 0 && seqOf(line) >= before {
			return true
		}
		r, err := decode(line)
		if err != nil {
			damage = &DamageError{File: s.path, Offset: offset, Err: err}
			return false
		}
		return yield(r)
	})
	return errors.Join(err, damage)
}

// seqOf reads the seq at the start of a line, which is quicker than to decode it; 0: it is
// not there.
func seqOf(line []byte) uint64 {
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	end := bytes.IndexByte(rest, ',')
	if !ok || end < 0 {
		return 0
	}
	seq, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	if err != nil {
		return 0
	}
	return seq
}

// Find returns the record of a seq, an intent with its parts, and whether there is one.
func Find(dir string, seq uint64) (Record, bool, error) {
	all, err := segments(dir)
	if err == nil {
		all, err = until(dir, all, seq+1)
	}
	if err != nil || len(all) == 0 || seq == 0 {
		return Record{}, false, err
	}
	found, err := lastOf(dir, all[len(all)-1], 1, seq+1, func(Record) bool { return true })
	if errors.Is(err, os.ErrNotExist) || err == nil && (len(found) == 0 || found[0].Seq != seq) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, err
	}
	return found[0], true, nil
}
