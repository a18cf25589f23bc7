package eval

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// A replay directory holds truths of the mesh of examples/mo1 that were fitted by
// somebody else, on the rows of configurations that a policy may not learn from, and
// the residuals of the trace in its order:
//
//	splitN-train.txt    the configurations that may be learned from, one index a line
//	splitN-KIND.u16.gz  a truth: little-endian uint16 in units of 10 microseconds,
//	                    [load of service 1][load of service 2][configuration][service]
//	residuals.csv.gz    r1,r2: measured/predicted - 1, one interval a line
//
// Loads are 5 to 20 requests/s by 1. A configuration's index is that of its weights
// and blockings in fifths: ((weight of service 2's v1 * 6 + weight of service 1's v1) *
// 6 + blocking of service 1) * 6 + blocking of service 2.
const (
	replayFrom, replayTo = 5, 20
	replayLoads          = replayTo - replayFrom + 1
	replayFifths         = 6
	replayConfigurations = replayFifths * replayFifths * replayFifths * replayFifths
	replayUnit           = 1e-5 // seconds
)

// replayServices are services 1 and 2.
var replayServices = [2]string{"information", "compute"}

// replayAxes are the knobs of a configuration's index, the last varying fastest.
var replayAxes = [4]struct {
	kind    policy.KnobKind
	service string
}{
	{policy.Weight, replayServices[1]},
	{policy.Weight, replayServices[0]},
	{policy.Blocking, replayServices[0]},
	{policy.Blocking, replayServices[1]},
}

// replayLayout says where the knobs and services of a mesh are in a replay directory.
type replayLayout struct {
	knobs    []policy.Knob
	axes     [4]int // position of each axis' knob
	services [2]int // position of services 1 and 2
}

// newReplayLayout is for the mesh of examples/mo1.
func newReplayLayout(m *rules.Mesh) (replayLayout, error) {
	l := replayLayout{knobs: m.Knobs()}
	services := m.PolicyServices()
	unfit := fmt.Errorf("replay: the testbed is that of examples/mo1: services %s and %s, each with two weights and a blocking in fifths", replayServices[0], replayServices[1])
	if len(services) != 2 || len(l.knobs) != 6 {
		return l, unfit
	}
	for i, name := range replayServices {
		if l.services[i] = slices.IndexFunc(services, func(s policy.Service) bool { return s.Name == name }); l.services[i] < 0 {
			return l, unfit
		}
	}
	for i, axis := range replayAxes {
		// The first of a service's weights is that of v1: knobs are sorted.
		l.axes[i] = slices.IndexFunc(l.knobs, func(k policy.Knob) bool { return k.Kind == axis.kind && k.Service == axis.service })
		if k := l.axes[i]; k < 0 || l.knobs[k].Min != 0 || l.knobs[k].Max != 1 || l.knobs[k].Levels != replayFifths {
			return l, unfit
		}
	}
	return l, nil
}

// index is a configuration's, given the setting of each knob; -1 if one is no fifth.
func (l replayLayout) index(setting func(knob int) float64) int {
	index := 0
	for _, knob := range l.axes {
		fifths := setting(knob) * (replayFifths - 1)
		whole := math.Round(fifths)
		if math.Abs(fifths-whole) > 1e-6 || whole < 0 || whole >= replayFifths {
			return -1
		}
		index = index*replayFifths + int(whole)
	}
	return index
}

// split reads which configurations may be learned from, and selects their rows.
func (l replayLayout) split(dir string, n int, d *dataset.Dataset) (*dataset.Dataset, error) {
	path := filepath.Join(dir, fmt.Sprintf("split%d-train.txt", n))
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var may [replayConfigurations]bool
	lines := bufio.NewScanner(f)
	for line := 1; lines.Scan(); line++ {
		i, err := strconv.Atoi(lines.Text())
		if err != nil || i < 0 || i >= replayConfigurations {
			return nil, fmt.Errorf("%s:%d: %q is no configuration; want 0 to %d", path, line, lines.Text(), replayConfigurations-1)
		}
		may[i] = true
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	out := d.Select(func(row int) bool {
		i := l.index(func(knob int) float64 { return d.Settings[knob][row] })
		return i >= 0 && may[i]
	})
	if out.Rows() == 0 {
		return nil, fmt.Errorf("replay: %s: the dataset has no row of any of its configurations; import the full trace of examples/mo1", path)
	}
	return out, nil
}

// truth reads a truth as a table over the grid of the mesh's knobs.
func (l replayLayout) truth(dir string, n int, kind string, signals, services []string) (*model.Table, error) {
	path := filepath.Join(dir, fmt.Sprintf("split%d-%s.u16.gz", n, kind))
	raw, err := readGzip(path)
	if err != nil {
		return nil, err
	}
	if want := replayLoads * replayLoads * replayConfigurations * 2 * 2; len(raw) != want {
		return nil, fmt.Errorf("replay: %s: %d bytes, want %d", path, len(raw), want)
	}
	grid, err := policy.Grid(l.knobs)
	if err != nil {
		return nil, err
	}
	t := &model.Table{Knobs: l.knobs, Services: services, Signals: signals, Loads: replayGrid(), Values: make([]float32, len(raw)/2)}
	for action, a := range grid {
		configuration := l.index(func(knob int) float64 { return a[knob].Value })
		for at := range replayLoads * replayLoads {
			load := [2]int{at / replayLoads, at % replayLoads} // of services 1 and 2
			ours := load[0]*replayLoads + load[1]
			if l.services[0] == 1 {
				ours = load[1]*replayLoads + load[0]
			}
			for s := range 2 {
				v := binary.LittleEndian.Uint16(raw[2*((at*replayConfigurations+configuration)*2+s):])
				t.Values[(ours*len(grid)+action)*2+l.services[s]] = float32(float64(v) * replayUnit)
			}
		}
	}
	return t, nil
}

func replayGrid() [][]float64 {
	loads := make([]float64, replayLoads)
	for i := range loads {
		loads[i] = float64(replayFrom + i)
	}
	return [][]float64{loads, loads}
}

// residuals reads the noise, [interval][service].
func (l replayLayout) residuals(dir string) ([][]float64, error) {
	path := filepath.Join(dir, "residuals.csv.gz")
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	r := csv.NewReader(z)
	r.FieldsPerRecord, r.ReuseRecord = 2, true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	if head[0] != "r1" || head[1] != "r2" {
		return nil, fmt.Errorf("replay: %s: columns %v; want r1,r2", path, head)
	}
	var out [][]float64
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("replay: %s: %w", path, err)
		}
		row := make([]float64, 2)
		for i, field := range record {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil || !(v > -1) || math.IsInf(v, 0) {
				line, _ := r.FieldPos(i)
				return nil, fmt.Errorf("%s:%d: %q is no residual; want a number above -1", path, line, field)
			}
			row[l.services[i]] = v
		}
		out = append(out, row)
	}
	if len(out) < minNoise {
		return nil, fmt.Errorf("replay: %s: %d residuals, want at least %d", path, len(out), minNoise)
	}
	return out, nil
}

func readGzip(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	return raw, nil
}
