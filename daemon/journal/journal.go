package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	segmentSize = 64 << 20 // a segment that would grow beyond it is followed by a new one
	pendingSize = 1 << 20  // of unsynced records; more are synced unasked
)

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the journal is closed")

// Journal is open for writing. It may be used by several goroutines.
type Journal struct {
	dir  string
	disk Disk
	max  int64 // size of a segment

	tidying sync.Mutex // held by Tidy

	mu      sync.Mutex
	lock    *os.File // the directory; holds the flock
	file    *os.File // the newest segment
	segment int
	synced  int64            // size of the segment that is known to be on disk
	pending []byte           // acknowledged records after synced
	seq     uint64           // of the last acknowledged record
	at      time.Time        // of the same
	bases   map[string]*base // by mesh: its last intent
	broken  error            // why the segment's tail is not known to be clean; nil: it is
	closed  bool
	stats   Stats // without what is on disk
}

// Open opens the journal in dir for writing, and makes the directory if there is
// none. It is an error if another process has it open, or if the newest segment is
// damaged before its tail. Repair says what was cut off a torn tail; the caller logs
// it. Older segments are not read: Verify does.
func Open(dir string) (*Journal, Repair, error) {
	return open(dir, RealDisk(), segmentSize)
}

// OpenOn is Open over a disk of the caller's.
func OpenOn(dir string, d Disk) (*Journal, Repair, error) {
	return open(dir, d, segmentSize)
}

func open(dir string, d Disk, maxSize int64) (_ *Journal, _ Repair, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, Repair{}, fmt.Errorf("open journal: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, Repair{}, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, disk: d, max: maxSize, lock: lock, bases: map[string]*base{}}
	defer func() {
		if err != nil {
			j.release()
		}
	}()
	switch err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, Repair{}, fmt.Errorf("open journal: %s is in use by another windvane; stop it, or give this one a state directory of its own", dir)
	case err != nil:
		return nil, Repair{}, fmt.Errorf("open journal: lock %s: %w", dir, err)
	}
	repair, err := j.recover()
	if err != nil {
		return nil, Repair{}, fmt.Errorf("open journal: %w", err)
	}
	return j, repair, nil
}

// Append writes one record and returns its seq. body is marshalled as JSON. A
// durable record, and all before it, are on disk when Append returns.
//
// After an error the record is not part of the journal and its seq is not used up.
// The half of a line that a failed write left is cut off again, by this call or, if the
// disk does not allow it yet, by the next one before it writes; until then every
// Append fails.
func (j *Journal) Append(at time.Time, mesh, kind string, body any, durable bool) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, fmt.Errorf("append to journal: %w", ErrClosed)
	}
	err := j.append(at, mesh, kind, body, durable)
	j.count(kind, err)
	if err != nil {
		return 0, fmt.Errorf("append %s record to journal %s: %w", kind, j.dir, err)
	}
	return j.seq, nil
}

func (j *Journal) append(at time.Time, mesh, kind string, body any, durable bool) error {
	if kind == "" {
		return errors.New("a record needs a kind")
	}
	if j.broken != nil {
		if err := j.restore(); err != nil {
			return fmt.Errorf("%w (the tail is not clean since: %w)", err, j.broken)
		}
	}
	line, next, err := j.line(at, mesh, kind, body)
	if err != nil {
		return err
	}
	if size := j.synced + int64(len(j.pending)); size > 0 && size+int64(len(line)) > j.max {
		if err := j.rotate(); err != nil {
			return err
		}
		if line, next, err = j.line(at, mesh, kind, body); err != nil { // whole, as the first of its segment
			return err
		}
	}
	if err := j.write(line, durable); err != nil {
		j.broken = err
		_ = j.restore() // the next Append tries again, and reports it
		return err
	}
	j.seq, j.at = j.seq+1, at
	if next != nil {
		j.bases[mesh] = next
	}
	return nil
}

// line returns the next record's line, and of an intent what the one after it may refer to.
func (j *Journal) line(at time.Time, mesh, kind string, body any) ([]byte, *base, error) {
	var next *base
	if i, ok := body.(Intent); ok {
		body = &i
	}
	if i, ok := body.(*Intent); ok {
		stored, b, err := compact(*i, j.seq+1, j.segment, j.bases[mesh])
		if err != nil {
			return nil, nil, fmt.Errorf("the body cannot be written as JSON: %w", err)
		}
		body, next = stored, b
	}
	raw, err := marshal(body)
	if err != nil {
		return nil, nil, err
	}
	line, err := encode(Record{Seq: j.seq + 1, At: at.UTC(), Mesh: mesh, Kind: kind, Body: raw})
	return line, next, err
}

// write puts a line behind the pending ones.
func (j *Journal) write(line []byte, durable bool) error {
	if _, err := j.disk.WriteAt(j.file, line, j.synced+int64(len(j.pending))); err != nil {
		return err
	}
	if durable || len(j.pending)+len(line) > pendingSize {
		if err := j.disk.Sync(j.file); err != nil {
			return err
		}
		j.synced += int64(len(j.pending)) + int64(len(line))
		j.pending = j.pending[:0]
		return nil
	}
	j.pending = append(j.pending, line...)
	return nil
}

// restore makes the segment end after the last acknowledged record. The pending
// records are written again: after a failed fsync the kernel may have dropped them
// while calling their pages clean.
func (j *Journal) restore() error {
	if err := j.disk.Truncate(j.file, j.synced); err != nil {
		return err
	}
	if len(j.pending) > 0 {
		if _, err := j.disk.WriteAt(j.file, j.pending, j.synced); err != nil {
			return err
		}
	}
	if err := j.disk.Sync(j.file); err != nil {
		return err
	}
	j.synced += int64(len(j.pending))
	j.pending = j.pending[:0]
	j.broken = nil
	return nil
}

// rotate starts a new segment. The old one is synced first: only the newest segment
// can have a torn tail.
func (j *Journal) rotate() error {
	if len(j.pending) > 0 {
		if err := j.disk.Sync(j.file); err != nil {
			j.broken = err
			return err
		}
		j.synced += int64(len(j.pending))
		j.pending = j.pending[:0]
	}
	return j.startSegment(j.segment + 1)
}

func (j *Journal) startSegment(n int) error {
	f, err := j.disk.Create(segmentPath(j.dir, n))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		err = fmt.Errorf("segment %s exists already", f.Name())
	}
	if err == nil {
		err = j.disk.Sync(j.lock)
	}
	if err != nil {
		return errors.Join(err, f.Close()) // empty: the next try opens it again
	}
	if j.file != nil {
		_ = j.file.Close() // synced before
	}
	j.file, j.segment, j.synced = f, n, 0
	return nil
}

// Dir returns the journal's directory.
func (j *Journal) Dir() string { return j.dir }

// Close syncs what is pending and gives the directory up. A second Close does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	var err error
	if j.broken != nil {
		err = j.restore()
	} else if len(j.pending) > 0 {
		err = j.disk.Sync(j.file)
	}
	j.release()
	if err != nil {
		return fmt.Errorf("close journal %s: %w", filepath.Clean(j.dir), err)
	}
	return nil
}

// release closes the files; closing the directory drops the lock.
func (j *Journal) release() {
	if j.file != nil {
		_ = j.file.Close()
	}
	_ = j.lock.Close()
}
