package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/version"

	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/eval/report"
)

// htmlFile is the file of --html: created before the work begins, so that a path that
// cannot be written is known at once, and put in its place when it is complete. A nil
// htmlFile is not asked for.
type htmlFile struct {
	subcommand string
	path       string
	f          *os.File
}

func openHTML(subcommand, path string) (*htmlFile, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, usageError{fmt.Errorf("%s: --html %s is a directory; name a file", subcommand, path)}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".windvane-html-")
	if err != nil {
		if at, ok := errors.AsType[*os.PathError](err); ok {
			err = at.Err
		}
		return nil, usageError{fmt.Errorf("%s: --html %s: %w; name a file in a directory that is there and can be written to", subcommand, path, err)}
	}
	return &htmlFile{subcommand, path, f}, nil
}

// write writes the page.
func (h *htmlFile) write(p page.Page) error {
	var b bytes.Buffer
	if err := page.Write(&b, p); err != nil {
		return fmt.Errorf("%s: --html: %w", h.subcommand, err)
	}
	_, err := h.f.Write(b.Bytes())
	if err = errors.Join(err, h.f.Chmod(0o644), h.f.Sync(), h.f.Close()); err == nil {
		err = os.Rename(h.f.Name(), h.path)
	}
	if err != nil {
		return fmt.Errorf("%s: --html %s: %w", h.subcommand, h.path, err)
	}
	h.f = nil
	return nil
}

// discard removes what was not written.
func (h *htmlFile) discard() {
	if h == nil || h.f == nil {
		return
	}
	_ = h.f.Close()
	_ = os.Remove(h.f.Name())
}

// about says where a report comes from, for somebody who wants the same one.
func about(args []string, mesh, rulesFile, data, digest string, rows int) report.About {
	of := cmp.Or(version.Version, "not a release")
	if revision := version.GetRevision(); revision != "unknown" {
		of += ", revision " + revision
	}
	return report.About{
		Command: command(args), Version: of,
		Mesh: mesh, Rules: rulesFile, Dataset: data, SHA256: digest, Rows: rows,
	}
}

// command is a command line less where its output goes, so that the same report has
// the same bytes in any file.
func command(args []string) string {
	out := []string{"windvane"}
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--json" || strings.HasPrefix(a, "--html="):
		case a == "--html":
			i++
		case a == "" || strings.ContainsAny(a, " \t\n\"'\\$*?;&|<>()`!#~"):
			out = append(out, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
		default:
			out = append(out, a)
		}
	}
	return strings.Join(out, " ")
}
