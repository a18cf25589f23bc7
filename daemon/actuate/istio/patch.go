package istio

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/plugins/policy"
)

// operation is one line of a JSON Patch (RFC 6902).
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

func op(name, path string, value any) (operation, error) {
	raw, err := json.Marshal(value)
	return operation{Op: name, Path: path, Value: raw}, err
}

// builder collects operations, and the first error.
type builder struct {
	ops []operation
	err error
}

func (b *builder) do(name, path string, value any) {
	o, err := op(name, path, value)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("patch %s: %w", path, err)
	}
	b.ops = append(b.ops, o)
}

func (b *builder) remove(path string) { b.ops = append(b.ops, operation{Op: "remove", Path: path}) }

// patch returns the operations that make the object what want says, none if it is so
// already, and its baseline, nil if it has none and needs none. want is quantised, and
// may leave knobs out.
func (o object) patch(v view, live, want policy.Action, known json.RawMessage) ([]operation, json.RawMessage, error) {
	routes := make([]found, len(o.routes))
	for i, r := range o.routes {
		var err error
		if routes[i], err = v.find(r); err != nil {
			return nil, nil, err
		}
	}
	baseline, err := baselineOf(v, routes, known)
	if err != nil {
		return nil, nil, err
	}
	var changes builder
	for i, f := range routes {
		base, _ := baseline.find(f.Name)
		var set builder
		f.setWeights(&set, o.routes[i], want)
		f.setAbort(&set, o.routes[i], want, base.hadAbort())
		if len(set.ops) == 0 {
			continue
		}
		if err := f.unchanged(o.routes[i], live, want); err != nil {
			return nil, nil, err
		}
		f.tests(&changes)
		changes.ops = append(changes.ops, set.ops...)
		if changes.err == nil {
			changes.err = set.err
		}
	}
	if len(changes.ops) == 0 {
		return nil, known, changes.err
	}
	raw, err := json.Marshal(baseline)
	if err != nil {
		return nil, nil, fmt.Errorf("write the baseline: %w", err)
	}
	var all builder
	all.do("test", "/metadata/resourceVersion", v.Metadata.ResourceVersion)
	if v.Metadata.Annotations[BaselineAnnotation] != string(raw) {
		annotate(&all, v, string(raw))
	}
	if all.err == nil {
		all.err = changes.err
	}
	return append(all.ops, changes.ops...), raw, all.err
}

// annotationPath is where the annotation is, as a JSON pointer.
var annotationPath = "/metadata/annotations/" + strings.ReplaceAll(BaselineAnnotation, "/", "~1")

func annotate(b *builder, v view, baseline string) {
	if v.Metadata.Annotations == nil {
		b.do("add", "/metadata/annotations", map[string]string{BaselineAnnotation: baseline})
		return
	}
	b.do("add", annotationPath, baseline)
}

// unchanged is an error if the route has a setting that is neither in live nor wanted.
func (f found) unchanged(r route, live, want policy.Action) error {
	check := func(id policy.KnobID, is, tolerance float64) error {
		was, ok := live.Get(id)
		if wanted, set := want.Get(id); !ok || !set || math.Abs(is-was) <= tolerance || math.Abs(is-wanted) <= tolerance {
			return nil
		}
		return fmt.Errorf("%s was %v and is %v: %w", id, was, is, actuate.ErrChanged)
	}
	for _, d := range f.Route {
		name, _ := d.name()
		if err := check(r.weightID(name), float64(d.weight())/float64(f.total), policy.Rounding); err != nil {
			return err
		}
	}
	return check(r.blockingID(), f.abort.percent()/100, blockingTolerance)
}

func (f found) path() string { return fmt.Sprintf("/spec/http/%d", f.index) }

// tests hold the patch to the route and the destinations that were read.
func (f found) tests(b *builder) {
	b.do("test", f.path()+"/name", f.Name)
	for i, d := range f.Route {
		name, member := d.name()
		b.do("test", fmt.Sprintf("%s/route/%d/destination/%s", f.path(), i, member), name)
	}
}

// setWeights writes all weights of the route if one differs: add sets a member that is
// there and one that is not alike, which matters for a weight of 0.
func (f found) setWeights(b *builder, r route, want policy.Action) {
	percents := make([]int64, len(f.Route))
	differ := false
	for i, d := range f.Route {
		name, _ := d.name()
		v, ok := want.Get(r.weightID(name))
		if !ok {
			return // Apply checked that either all weights of a target are there or none
		}
		percents[i] = int64(math.Round(100 * v))
		differ = differ || percents[i]*f.total != 100*d.weight()
	}
	if !differ {
		return
	}
	for i, p := range percents {
		b.do("add", fmt.Sprintf("%s/route/%d/weight", f.path(), i), p)
	}
}

type abortValue struct {
	Percentage struct {
		Value float64 `json:"value"`
	} `json:"percentage"`
	HTTPStatus int `json:"httpStatus"`
}

// setAbort writes percentage and status together, or takes windvane's abort away. A
// fault that delays keeps its delay.
func (f found) setAbort(b *builder, r route, want policy.Action, hadAbort bool) {
	share, ok := want.Get(r.blockingID())
	if !ok || r.status == 0 {
		return
	}
	percent := math.Round(share*policy.BlockingSteps) / (policy.BlockingSteps / 100)
	same := math.Abs(f.abort.percent()-percent) <= 100*blockingTolerance
	switch {
	case percent == 0 && !hadAbort:
		if f.abort == nil {
			return
		}
		if len(f.Fault) == 1 {
			b.remove(f.path() + "/fault")
			return
		}
		b.remove(f.path() + "/fault/abort")
	case percent == 0 && same, same && f.abort.HTTPStatus == r.status:
	default:
		value := abortValue{HTTPStatus: r.status}
		value.Percentage.Value = percent
		if f.Fault == nil {
			b.do("add", f.path()+"/fault", map[string]abortValue{"abort": value})
			return
		}
		b.do("add", f.path()+"/fault/abort", value)
	}
}
