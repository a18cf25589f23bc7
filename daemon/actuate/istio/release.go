package istio

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

var _ actuate.Releaser = (*Actuator)(nil)

// Release restores the weights and the aborts of every route in a baseline to what they
// were, as they were written, and takes the annotation away, and windvane's name as a manager
// of fields, so that whoever applies the object next meets no conflict; nothing else. It does
// so for the actuator's VirtualServices and for those in o.Known, and refuses one whose fields
// are neither as commanded nor as in the baseline, unless it is forced. One that is owned is
// patched as others are: what has become of it since, as hosts, is not in the way.
func (a *Actuator) Release(ctx context.Context, o actuate.ReleaseOptions) []actuate.Released {
	names := a.known(o.Known)
	out := make([]actuate.Released, len(names))
	_ = kubeapi.Each(len(names), func(i int) error {
		out[i] = a.release(ctx, names[i], o)
		return nil
	})
	return out
}

// known are the actuator's VirtualServices and those that have a baseline, sorted.
func (a *Actuator) known(baselines map[string]json.RawMessage) []kubeapi.Name {
	var out []kubeapi.Name
	for _, x := range a.objects {
		out = append(out, x.name)
	}
	for object := range baselines {
		if rest, ok := strings.CutPrefix(object, kind+" "); ok {
			if name, err := kubeapi.ParseName(rest); err == nil {
				out = append(out, name)
			}
		}
	}
	slices.SortFunc(out, func(x, y kubeapi.Name) int { return strings.Compare(x.String(), y.String()) })
	return slices.Compact(out)
}

func (a *Actuator) release(ctx context.Context, name kubeapi.Name, o actuate.ReleaseOptions) actuate.Released {
	out := actuate.Released{Object: Object(name)}
	known := o.Known[out.Object]
	ops, err := a.send(ctx, name, false, o.DryRun, func(v view) ([]operation, error) {
		base, ok, err := kept(v, known)
		out.Baseline, out.Drift = "", nil
		if err != nil || !ok {
			return nil, err
		}
		out.Baseline = actuate.FromAnnotation
		if known != nil {
			out.Baseline = actuate.FromJournal
		}
		r := restorer{o: o, services: a.services(), name: name.String()}
		ops, err := r.restore(v, base)
		if out.Drift = r.drift; err == nil && len(r.drift) > 0 && !o.Force {
			err = actuate.ErrDrift
		}
		return ops, err
	})
	if err == nil && out.Baseline != "" && !o.DryRun {
		if _, err = a.send(ctx, name, false, false, disown); err != nil {
			err = fmt.Errorf("its settings are as they were, but windvane is still named as a manager of its fields: %w", err)
		}
	}
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	if len(ops) > 0 {
		out.Changed = true
		out.Kubectl = []string{kubectl(name, ops)}
	}
	return out
}

// disown takes windvane's entries out of the field managers. Together with the settings that
// cannot be done: whoever writes these is their manager.
func disown(v view) ([]operation, error) {
	var b builder
	for _, path := range v.Metadata.OwnEntries() {
		b.remove(path)
	}
	if len(b.ops) == 0 {
		return nil, nil
	}
	test, err := op("test", "/metadata/resourceVersion", v.Metadata.ResourceVersion)
	return append([]operation{test}, b.ops...), err
}

// services maps the routes to the services whose blocking they have.
func (a *Actuator) services() map[string]string {
	out := map[string]string{}
	for _, o := range a.objects {
		for _, r := range o.routes {
			out[r.target()] = r.Service
		}
	}
	return out
}

// kubectl is the command that sends the patch. The version is left out: a person who
// types it means the object as it then is.
func kubectl(name kubeapi.Name, ops []operation) string {
	ops = slices.DeleteFunc(slices.Clone(ops), func(o operation) bool { return o.Path == "/metadata/resourceVersion" })
	raw, err := json.Marshal(ops)
	if err != nil {
		return "" // it was sent as JSON before
	}
	return fmt.Sprintf("kubectl -n %s patch virtualservices.networking.istio.io %s --type=json -p '%s'",
		name.Namespace, name.Name, strings.ReplaceAll(string(raw), "'", `'\''`))
}

// restorer collects the operations that restore one VirtualService.
type restorer struct {
	name     string // namespace/name
	o        actuate.ReleaseOptions
	services map[string]string // by target
	drift    []string
	b        builder
}

func (r *restorer) restore(v view, base Baseline) ([]operation, error) {
	for _, route := range base.Routes {
		f, err := v.named(route.Name)
		if err != nil {
			return nil, err
		}
		before := len(r.b.ops)
		r.weights(f, route)
		r.abort(f, route)
		if len(r.b.ops) > before {
			var tests builder
			f.tests(&tests)
			r.b.ops = slices.Insert(r.b.ops, before, tests.ops...)
		}
	}
	if _, ok := v.Metadata.Annotations[BaselineAnnotation]; ok {
		r.b.remove(annotationPath)
	}
	if len(r.b.ops) == 0 || r.b.err != nil {
		return nil, r.b.err
	}
	var all builder
	all.do("test", "/metadata/resourceVersion", v.Metadata.ResourceVersion)
	return append(all.ops, r.b.ops...), all.err
}

// weights restores those of the destinations that the baseline has.
func (r *restorer) weights(f found, base BaselineRoute) {
	target := r.name + "/" + f.Name
	for i, d := range f.Route {
		name, _ := d.name()
		k := slices.IndexFunc(base.Weights, func(w BaselineWeight) bool { return w.Destination == name })
		if k < 0 {
			r.drift = append(r.drift, fmt.Sprintf("route %s: destination %s is new", f.Name, name))
			continue
		}
		was := base.Weights[k].Weight
		if reflect.DeepEqual(was, d.Weight) {
			continue
		}
		is := float64(d.weight()) / float64(max(f.total, 1))
		if v, drift := r.o.Drift(policy.KnobID{Kind: policy.Weight, Target: target, Part: name}, is, policy.Rounding); drift {
			r.drift = append(r.drift, fmt.Sprintf("route %s: the weight of %s is %d, windvane had set %.0f", f.Name, name, d.weight(), 100*v))
		}
		path := fmt.Sprintf("%s/route/%d/weight", f.path(), i)
		if was == nil {
			r.b.remove(path)
		} else {
			r.b.do("add", path, *was)
		}
	}
	for _, w := range base.Weights {
		if !slices.ContainsFunc(f.Route, func(d destinationView) bool { name, _ := d.name(); return name == w.Destination }) {
			r.drift = append(r.drift, fmt.Sprintf("route %s: destination %s is gone", f.Name, w.Destination))
		}
	}
}

// abort restores fault.abort, and the fault around it where there was none.
func (r *restorer) abort(f found, base BaselineRoute) {
	raw := f.Fault["abort"]
	is, had := raw != nil && string(raw) != "null", base.hadAbort()
	same := is == had && (!is || sameJSON(raw, base.Abort))
	id := policy.KnobID{Kind: policy.Blocking, Target: r.services[r.name+"/"+f.Name]}
	const rounded = .5/policy.BlockingSteps + blockingTolerance // what is set is written in steps
	if v, drift := r.o.Drift(id, f.abort.percent()/100, rounded); drift && !same {
		r.drift = append(r.drift, fmt.Sprintf("route %s: %v %% of the requests are aborted, windvane had set %v", f.Name, f.abort.percent(), 100*v))
	}
	switch path := f.path() + "/fault"; {
	case same && !is && f.Fault == nil && base.EmptyFault:
		r.b.do("add", path, struct{}{})
	case same:
	case had && f.Fault == nil:
		r.b.do("add", path, map[string]json.RawMessage{"abort": base.Abort})
	case had:
		r.b.do("add", path+"/abort", base.Abort)
	case len(f.Fault) == 1 && !base.EmptyFault:
		r.b.remove(path)
	default: // a delay of somebody's stays
		r.b.remove(path + "/abort")
	}
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// named finds a route by its name alone: what it is now may be what has to be restored.
func (v view) named(name string) (found, error) {
	f := found{index: -1}
	for i, h := range v.Spec.HTTP {
		if h.Name != name {
			continue
		}
		if f.index >= 0 {
			return found{}, fmt.Errorf("route %q: spec.http has two of this name; give them different names", name)
		}
		f.httpView, f.index = h, i
	}
	if f.index < 0 {
		return found{}, fmt.Errorf("route %q: spec.http has none of this name any more; there is nothing to restore, and what is in its place is for you to look at", name)
	}
	for _, d := range f.Route {
		f.total += d.weight()
	}
	var err error
	f.abort, err = f.httpView.abort()
	return f, err
}
