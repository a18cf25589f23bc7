// Package ui is the dashboard: files built from web/ui, which the daemon serves at its root.
//
// What lives here is how they are served. What the pages show comes from the JSON API, which
// the command line uses, too: there is nothing that only the dashboard is told.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed all:dist
var dist embed.FS

// Policy is the Content-Security-Policy of the dashboard: files of this server and nothing else,
// no script and no style inside a page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// file is one of dist.
type file struct {
	content []byte
	zipped  []byte // nil: not worth it
	kind    string
	tag     string
}

// Handler serves the dashboard: its page at /, what that loads below /assets/, and its icon.
func Handler() http.Handler {
	files := sync.OnceValue(read)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := files()[name]
		if !ok {
			http.Error(w, "the dashboard has no such file", http.StatusNotFound)
			return
		}
		f.serve(w, r, strings.HasPrefix(name, "assets/"))
	})
}

// serve answers with the file; one that is named after its content may be kept for good.
func (f *file) serve(w http.ResponseWriter, r *http.Request, named bool) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	if h.Set("Cache-Control", "no-cache"); named {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("ETag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.content
	if f.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the client may have gone
}

// read reads dist, which is part of the program and so is always there.
func read() map[string]*file {
	out := map[string]*file{}
	_ = fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		f := &file{content: b, kind: mime.TypeByExtension(path.Ext(name)), tag: `W/"` + hex.EncodeToString(sum[:8]) + `"`}
		if z := zip(b); len(z) < len(b) {
			f.zipped = z
		}
		out[strings.TrimPrefix(name, "dist/")] = f
		return nil
	})
	return out
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is one
	_, _ = w.Write(b)                                       // a bytes.Buffer does not fail
	_ = w.Close()
	return out.Bytes()
}
