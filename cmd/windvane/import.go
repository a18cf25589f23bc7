package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/sim/dataset"
)

// addImport adds `import trace` and `import slo`.
func addImport(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	imports := app.Command("import", "Bring in what was made elsewhere.")
	addImportSLO(imports, commands, stdout, stderr)
	trace := imports.Command("trace", "Turn a published trace (CSV) into a dataset, and report on its quality.")
	file := trace.Arg("file", "The trace, CSV with a header line.").Required().String()
	mapping := trace.Flag("mapping", "TOML file that says what the columns mean.").Required().String()
	out := trace.Flag("output", "The dataset to write.").Short('o').Required().String()
	asJSON := trace.Flag("json", "Print the quality report as JSON.").Bool()
	commands["import trace"] = func() error { return importTrace(*file, *mapping, *out, *asJSON, stdout, stderr) }
}

func importTrace(file, mapping, out string, asJSON bool, stdout, stderr io.Writer) error {
	src, err := os.ReadFile(mapping)
	if err != nil {
		return usageError{fmt.Errorf("import trace: mapping: %w", err)}
	}
	m, err := dataset.ReadMapping(mapping, src)
	if err != nil {
		return usageError{err}
	}
	trace, err := os.ReadFile(file)
	if err != nil {
		return usageError{fmt.Errorf("import trace: %w", err)}
	}
	p := progress.New("import trace", stderr)
	defer p.Stop()
	d, zeros, err := m.Import(file, &counted{bytes.NewReader(trace), p})
	if err != nil {
		return usageError{err}
	}
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		return err
	}
	if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("import trace: %w", err)
	}
	p.Stop()
	q := d.Quality(m.LoadCell)
	q.Structural = zeros
	if asJSON {
		return json.NewEncoder(stdout).Encode(q)
	}
	return q.WriteText(stdout)
}

// counted is a file that tells how far it is read.
type counted struct {
	*bytes.Reader
	progress *progress.Meter
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	size := int(c.Size())
	c.progress.Count("kB read", (size-c.Len())/1000, size/1000)
	return n, err
}
