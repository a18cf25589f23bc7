package training_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/plugins/simclient"
)

// pupil learns one setting in the simulator, and holds it ever after; or it is as its mode says.
type pupil struct {
	mode  string
	held  policy.Action
	asked int
}

func (p *pupil) Describe(context.Context) (policy.Description, error) {
	d := policy.Description{Name: "pupil", Version: "3", Artefact: true}
	switch p.mode {
	case "path":
		d.Name = "../pupil"
	case "tabular":
		d.Name = "tabular"
	}
	return d, nil
}

func (p *pupil) Configure(_ context.Context, c policy.Config) error {
	if len(c.Settings) > 0 && string(c.Settings) != `{"k":1}` {
		return errors.New("settings that are not mine")
	}
	var card struct {
		Policy string `json:"policy"`
	}
	if err := json.Unmarshal(c.Card, &card); err != nil || card.Policy != "pupil" {
		return fmt.Errorf("the card is of %q: %w", card.Policy, err)
	}
	return json.Unmarshal(c.Artefact, &p.held)
}

func (p *pupil) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	p.asked++
	if p.mode == "counts" && p.asked%2 == 0 {
		return policy.Decision{Abstain: true}, nil
	}
	load, valid := o.State.Role("a", policy.RoleOffered).Get()
	if !valid {
		return policy.Decision{Abstain: true, Reason: "no load"}, nil
	}
	// A failure that depends on the observation alone, which no check of purity finds.
	if far := math.Mod(load, 1) != 0; p.mode == "fails" && far || p.mode == "misses" && far && math.Mod(load*100, 20) < 1 {
		return policy.Decision{}, errors.New("no idea of this load")
	}
	return policy.Decision{Action: p.held.Clone(), Reason: "held"}, p.held.Validate(o.Knobs)
}

// trainer is a pupil with Train.
type trainer struct{ pupil }

func (p *trainer) Train(ctx context.Context, t policy.Training) (policy.Trained, error) {
	switch p.mode {
	case "crashes":
		t.Progress(1, 2, "half of it")
		_, _ = os.NewFile(2, "stderr").WriteString("out of ideas\n") // as a runtime does that crashes
		os.Exit(7)
	case "endless":
		t.Progress(1, math.MaxUint64, "no\x1b[2Jtotal")
		time.Sleep(time.Minute)
	case "nonsense":
		return policy.Trained{Artefact: []byte("\x00 is no JSON")}, nil
	case "open":
		return policy.Trained{}, breakIn(ctx, t.Simulator)
	}
	conn, err := simclient.Dial(t.Simulator)
	if err != nil {
		return policy.Trained{}, err
	}
	defer func() { _ = conn.Close() }()
	e, err := simclient.Open(ctx, conn, &policyv1.OpenRequest{Lanes: 4})
	if err != nil {
		return policy.Trained{}, err
	}
	obs, rewards := make([]float32, 4*e.ObservationSize()), make([]float32, 4)
	if err := e.Reset(t.Seed, obs); err != nil {
		return policy.Trained{}, err
	}
	axes := e.Opened().GetAxes()
	actions := make([]int32, 4*len(axes))
	for lane := range 4 { // blocking of a in quarters
		actions[lane*len(axes)] = int32(lane)
	}
	if err := e.Step(actions, obs, rewards, make([]bool, 4), make([]bool, 4)); err != nil {
		return policy.Trained{}, err
	}
	best := 0
	for lane, r := range rewards {
		if r > rewards[best] {
			best = lane
		}
	}
	var held policy.Action
	for i, a := range axes {
		for j, k := range a.GetKnobs() {
			id := policy.KnobID{Kind: policy.KnobKind(k.GetKind()), Target: k.GetTarget(), Part: k.GetPart()}
			held = append(held, policy.Setting{KnobID: id, Value: a.GetValues()[int(actions[best*len(axes)+i])*len(a.GetKnobs())+j]})
		}
	}
	t.Progress(4, 4, "done")
	artefact, err := json.Marshal(held)
	return policy.Trained{Artefact: artefact, Summary: fmt.Sprintf("lane %d is worth %.3f, seed %d", best, rewards[best], t.Seed)}, err
}

// breakIn says what is to be seen of the simulator's socket.
func breakIn(ctx context.Context, address string) error {
	info, err := os.Stat(strings.TrimPrefix(address, "unix:"))
	if err != nil {
		return err
	}
	return fmt.Errorf("the socket has the mode %s, and HOME is %q: %w", info.Mode(), os.Getenv("HOME"), ctx.Err())
}
