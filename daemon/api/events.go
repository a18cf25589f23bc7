package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const eventsPath = "/api/v1/events"

const (
	maxWatchers = 64                     // streams at the same time
	aliveEvery  = 5 * time.Second        // a stream says at least so often that it is there
	eventsApart = 250 * time.Millisecond // what changes faster is said together
)

// Event is the data of one event of GET /api/v1/events, whose name is "mesh".
type Event struct {
	Mesh string `json:"mesh"` // that has another state now; what it is /api/v1/meshes/{mesh} answers
}

// feed tells those who watch which meshes have changed. The zero value is ready.
type feed struct {
	mu       sync.Mutex
	closed   bool
	watchers map[*watcher]bool
}

// watcher is one stream.
type watcher struct {
	news chan struct{}   // holds one while there is something in changed
	end  chan struct{}   // closed when the server stops
	of   map[string]bool // meshes that have changed since the last event; guarded by the feed's mutex
}

// Changed says that a mesh has another state. It does not wait for those who watch.
func (s *Server) Changed(mesh string) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	for w := range s.feed.watchers {
		w.of[mesh] = true
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

// watch adds a watcher; nil: there are too many, or the server stops.
func (f *feed) watch() *watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.watchers) >= maxWatchers {
		return nil
	}
	if f.watchers == nil {
		f.watchers = map[*watcher]bool{}
	}
	w := &watcher{news: make(chan struct{}, 1), end: make(chan struct{}), of: map[string]bool{}}
	f.watchers[w] = true
	return w
}

func (f *feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}

// take returns what has changed since the last time, sorted.
func (f *feed) take(w *watcher) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := slices.Sorted(maps.Keys(w.of))
	clear(w.of)
	return out
}

// close ends every stream.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	for w := range f.watchers {
		close(w.end)
	}
}

// events answers with server-sent events until the client goes or the server stops.
func (s *Server) events(rw http.ResponseWriter, r *http.Request) {
	w := s.feed.watch()
	if w == nil {
		fail(rw, &Error{http.StatusServiceUnavailable, fmt.Errorf("%d streams of events are open, which is all there may be; close one, or ask /api/v1/status now and then", maxWatchers)})
		return
	}
	defer s.feed.leave(w)
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	stream := http.NewResponseController(rw)
	_ = stream.SetReadDeadline(time.Time{}) // the request is read, and no more of it comes
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	say := func(text string) bool {
		_, err := fmt.Fprint(rw, text)
		return err == nil && stream.Flush() == nil
	}
	for ok := say("retry: 1000\n" + aliveText); ok; {
		select {
		case <-r.Context().Done():
			return
		case <-w.end:
			return
		case <-alive.C:
			ok = say(aliveText)
		case <-w.news:
			ok = say(eventsText(s.feed.take(w))) && pause(r, w)
		}
	}
}

const aliveText = "event: alive\ndata: {}\n\n"

// pause lets what changes next be said together; false: the stream has ended.
func pause(r *http.Request, w *watcher) bool {
	timer := time.NewTimer(eventsApart)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-w.end:
		return false
	case <-timer.C:
		return true
	}
}

func eventsText(meshes []string) string {
	var out strings.Builder
	for _, m := range meshes {
		b, err := json.Marshal(Event{Mesh: m})
		if err != nil {
			continue // a string is always written
		}
		_, _ = fmt.Fprintf(&out, "event: mesh\ndata: %s\n\n", b) // a strings.Builder does not fail
	}
	return out.String()
}
