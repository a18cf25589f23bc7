package journal

import (
	"fmt"
	"maps"
	"os"
)

// Stats is what a journal has done since it was opened, and what it takes on disk.
type Stats struct {
	Appended map[string]uint64 // records, by kind
	Failed   uint64            // calls of Append that returned an error
	Segments int
	Bytes    int64 // of the segments, compressed or not
}

// count notes what became of an Append.
func (j *Journal) count(kind string, err error) {
	if err != nil {
		j.stats.Failed++
		return
	}
	if j.stats.Appended == nil {
		j.stats.Appended = map[string]uint64{}
	}
	j.stats.Appended[kind]++
}

// Stats returns them. An error is of the directory, which could not be read; what was done
// is known all the same.
func (j *Journal) Stats() (Stats, error) {
	j.mu.Lock()
	out := j.stats
	out.Appended = maps.Clone(out.Appended)
	j.mu.Unlock()
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return out, fmt.Errorf("read journal: %w", err)
	}
	for _, e := range entries {
		if !segmentName.MatchString(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil { // else it has just been compressed or removed
			out.Segments++
			out.Bytes += info.Size()
		}
	}
	return out, nil
}
