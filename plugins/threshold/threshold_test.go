package threshold

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

// mesh builds an observation of two services that share destination v1, and a
// third that shares nothing. Latency bounds are 0.1 s.
type mesh struct {
	latency map[string]float64 // seconds; a service without one has an absent signal
	offered map[string]float64 // requests/s; default 10
	carried map[string]float64
	live    map[string]float64 // by KnobID.String; default 0, weights .5, replicas 2
	change  func(*policy.Observation)
}

func (m mesh) observation() policy.Observation {
	o := policy.Observation{Mesh: "shop", At: time.Unix(1000, 0).UTC(), Limits: policy.Limits{MaxStep: .2, TotalBlocking: .5}}
	add := func(k policy.Knob, v float64) {
		if w, ok := m.live[k.String()]; ok {
			v = w
		}
		o.Knobs = append(o.Knobs, k)
		o.Live = append(o.Live, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	for name, value := range map[string]float64{"cheap": 1, "dear": 3, "other": 2} {
		o.Services = append(o.Services, policy.Service{
			Name: name, Value: value, Floor: 2,
			Objectives: []policy.Objective{{Signal: "p95", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}},
		})
		offered, ok := m.offered[name]
		if !ok {
			offered = 10
		}
		s := policy.Signal{Name: "p95", Service: name, Role: policy.RoleLatency}
		if v, ok := m.latency[name]; ok {
			s.Value, s.Status = v, policy.Valid
		}
		o.State = append(o.State, s, policy.Signal{Name: "offered", Service: name, Role: policy.RoleOffered, Value: offered, Status: policy.Valid})
		if v, ok := m.carried[name]; ok {
			o.State = append(o.State, policy.Signal{Name: "carried", Service: name, Role: policy.RoleCarried, Value: v, Status: policy.Valid})
		}
		add(policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: 1, Levels: 6}, 0)
		destinations := []string{"v1", "v2"}
		if name == "other" {
			destinations = []string{"w1", "w2"}
		}
		for _, d := range destinations {
			add(policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "default/front/" + name, Part: d}, Service: name, Max: 1, Levels: 6}, .5)
		}
	}
	add(policy.Knob{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/v1"}, Min: 1, Max: 3, Levels: 3, Cost: .1}, 2)
	add(policy.Knob{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/v2"}, Min: 1, Max: 3, Levels: 3, Cost: .2}, 2)
	o.State.Sort()
	o.Live.Sort()
	policy.SortKnobs(o.Knobs)
	sortServices(o.Services)
	if m.change != nil {
		m.change(&o)
	}
	return o
}

func sortServices(s []policy.Service) {
	for i := range s {
		for j := i; j > 0 && s[j].Name < s[j-1].Name; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func all(v float64) map[string]float64 {
	return map[string]float64{"cheap": v, "dear": v, "other": v}
}

func with(m map[string]float64, name string, v float64) map[string]float64 {
	m[name] = v
	return m
}

func without(m map[string]float64, name string) map[string]float64 {
	delete(m, name)
	return m
}

func freeze(o *policy.Observation) { o.Limits.Frozen = "freeze" }

const up = "replicas:default/v1 2->3 replicas:default/v2 2->3"

func TestDecide(t *testing.T) {
	full := map[string]float64{"replicas:default/v1": 3, "replicas:default/v2": 3}
	for _, tc := range []struct {
		name   string
		mesh   mesh
		want   string // changes
		reason string
	}{
		{"over: the cheaper of those that share a destination", mesh{latency: with(all(.05), "dear", .2)}, "blocking:cheap 0->0.2 " + up, "p95 of dear is 0.2, above 0.1"},
		{"over: alone at its destinations", mesh{latency: with(all(.05), "other", .2)}, "blocking:other 0->0.2 " + up, "p95 of other"},
		{
			"over: the next one with what is left of the step",
			mesh{latency: with(all(.05), "dear", .2), live: map[string]float64{"blocking:cheap": .75}},
			"blocking:cheap 0.75->0.8 blocking:dear 0->0.15 " + up, "above",
		},
		{
			"over: replicas at their maximum",
			mesh{latency: with(all(.05), "cheap", .2), live: full},
			"blocking:cheap 0->0.2", "blocking of cheap from 0 to 0.2",
		},
		{
			"over: the cap on all blocking",
			mesh{latency: all(.2), live: full, change: func(o *policy.Observation) { o.Limits.TotalBlocking = .05 }},
			"blocking:cheap 0->0.15", "above",
		},
		{
			"over: nothing may be raised",
			mesh{latency: all(.2), live: full, offered: all(2)},
			"", "nothing may be raised further",
		},
		{
			"over: equals, the one that is over last",
			mesh{latency: with(all(.05), "cheap", .2), live: full, change: func(o *policy.Observation) { o.Services[0].Value, o.Services[1].Value = 1, 1 }},
			"blocking:dear 0->0.2", "above",
		},
		{"over: one step for two that share", mesh{latency: with(with(all(.05), "dear", .2), "cheap", .2), live: full}, "blocking:cheap 0->0.2", "p95 of cheap is 0.2, above 0.1, p95 of dear"},
		{"over, another unknown: shed all the same", mesh{latency: without(with(all(.05), "dear", .2), "other"), live: full}, "blocking:cheap 0->0.2", "above"},
		{"between: hold", mesh{latency: with(all(.05), "dear", .09), live: map[string]float64{"blocking:cheap": .4}}, "", "not all are below 0.8"},
		{"low: restore the dearest first", mesh{latency: all(.07), live: map[string]float64{"blocking:cheap": .4, "blocking:dear": .03}}, "blocking:cheap 0.4->0.38 blocking:dear 0.03->0", "below 0.8 of its bound"},
		{"low, a step limit", mesh{latency: all(.07), live: map[string]float64{"blocking:cheap": .4}, change: func(o *policy.Observation) { o.Limits.MaxStep = .01 }}, "blocking:cheap 0.4->0.39", "below"},
		{"low, nothing blocked: hold", mesh{latency: all(.07)}, "", "nothing is left"},
		{"quiet: the dearest workload down", mesh{latency: all(.04)}, "replicas:default/v2 2->1", "below half"},
		{"quiet, no step allowed and something blocked: hold", mesh{latency: all(.04), live: map[string]float64{"blocking:cheap": .4}, change: func(o *policy.Observation) { o.Limits.MaxStep = 0 }}, "", "below half"},
		{"unknown: hold", mesh{latency: without(all(.04), "dear"), live: map[string]float64{"blocking:cheap": .4}}, "", "p95 of dear is absent: hold, and loosen nothing"},
		{"no traffic is no reason to hold", mesh{latency: without(all(.07), "dear"), offered: map[string]float64{"dear": 0}, carried: map[string]float64{"dear": 0}, live: map[string]float64{"blocking:cheap": .4}}, "blocking:cheap 0.4->0.35", "below"},
		{"blocked entirely: restored", mesh{latency: without(all(.07), "dear"), carried: map[string]float64{"dear": 0}, live: map[string]float64{"blocking:dear": 1}}, "blocking:dear 1->0.95", "below"},
		{"an outage: hold", mesh{latency: without(all(.07), "dear"), carried: map[string]float64{"dear": 0}, live: map[string]float64{"blocking:cheap": .4}}, "", "absent"},
		{"over, frozen: no replicas", mesh{latency: with(all(.05), "dear", .2), change: freeze}, "blocking:cheap 0->0.2", "above"},
		{"low, frozen: hold", mesh{latency: all(.07), live: map[string]float64{"blocking:cheap": .4}, change: freeze}, "", "below 0.8 of its bound: hold, as only blocking may be raised now"},
		{"quiet, frozen: hold", mesh{latency: all(.04), change: freeze}, "", "hold, as only"},
		{"no objectives: hold", mesh{change: func(o *policy.Observation) {
			for i := range o.Services {
				o.Services[i].Objectives = nil
			}
		}}, "", "no service has an objective"},
		{"a ratio above its budget", mesh{latency: with(all(.01), "other", .06), live: full, change: func(o *policy.Observation) {
			o.Services[2].Objectives[0] = policy.Objective{Signal: "p95", Kind: policy.RatioObjective, Budget: .05}
		}}, "blocking:other 0->0.2", "p95 of other is 0.06, above 0.05"},
		{"a bound of nothing: hold", mesh{latency: all(.01), change: func(o *policy.Observation) { o.Services[0].Objectives[0].Bound = 0 }}, "", "not comparable"},
		{"a floor that cannot be checked: not shed", mesh{latency: with(all(.05), "other", .2), live: full, change: func(o *policy.Observation) {
			for i := range o.State {
				if o.State[i].Name == "offered" {
					o.State[i].Status = policy.Stale
				}
			}
		}}, "", "nothing may be raised"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := tc.mesh.observation()
			d, err := New().Decide(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Action.Validate(o.Knobs); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tc.want, changes(o.Live, d.Action)); diff != "" {
				t.Errorf("changes: want -, got +:\n%s", diff)
			}
			if !strings.Contains(d.Reason, tc.reason) {
				t.Errorf("reason %q, want one with %q", d.Reason, tc.reason)
			}
		})
	}
}

func TestDecideRefusesLiveThatDoesNotFit(t *testing.T) {
	o := mesh{latency: all(.2), live: map[string]float64{"blocking:cheap": 1.2}}.observation()
	if _, err := New().Decide(t.Context(), o); err == nil || !strings.Contains(err.Error(), "threshold: live action: blocking:cheap = 1.2 is outside") {
		t.Errorf("error %v", err)
	}
}

func TestConfigure(t *testing.T) {
	for _, tc := range []struct {
		settings string
		want     Settings
		err      string
	}{
		{"", Defaults, ""},
		{"{}", Defaults, ""},
		{`{"raise_step":0.1,"restore_below":1}`, Settings{RaiseStep: .1, RestoreStep: .05, RestoreBelow: 1}, ""},
		{`{"raise_stop":0.1}`, Defaults, `unknown field "raise_stop"`},
		{`{"raise_step":0}`, Defaults, "raise_step = 0; want more than 0"},
		{`{"restore_step":-1,"restore_below":2}`, Defaults, "restore_below = 2"},
		{`{"raise_step":"a"}`, Defaults, "want raise_step"},
		{`{} {}`, Defaults, "more than one"},
		{`{}}`, Defaults, "more than one"},
	} {
		p := New()
		err := p.Configure(t.Context(), policy.Config{Settings: []byte(tc.settings)})
		if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%s: error %v, want %q", tc.settings, err, tc.err)
		}
		if p.settings != tc.want {
			t.Errorf("%s: settings %+v, want %+v", tc.settings, p.settings, tc.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	d, err := New().Describe(t.Context())
	if want := (policy.Description{Name: "threshold", Version: "1"}); err != nil || d != want {
		t.Errorf("%+v, %v", d, err)
	}
}
