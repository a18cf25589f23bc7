package train

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/windvane/windvane/sim/nn"
)

// checkpoint is a training between two steps.
type checkpoint struct {
	Problem       string // what is learned from, for the caller to recognise
	Params        PPOParams
	Seed          uint64
	Done          int
	Random        []byte
	Policy, Value []byte
	Adam          [2]adamState // of policy and value
	Scale         rewardScale
}

type adamState struct {
	First, Second []float32
	Steps         int
}

// Checkpoint writes the training as it is. Problem names what it learns from, and is
// compared by Restore.
func (p *PPO) Checkpoint(problem string) ([]byte, error) {
	c := checkpoint{Problem: problem, Params: p.params, Seed: p.seed, Done: p.done, Scale: p.scale}
	var errs [3]error
	c.Random, errs[0] = p.rng.MarshalBinary()
	c.Policy, errs[1] = p.policy.MarshalBinary()
	c.Value, errs[2] = p.value.MarshalBinary()
	for i, a := range []*nn.Adam{p.policyAdam, p.valueAdam} {
		s := &c.Adam[i]
		s.First, s.Second, s.Steps = a.State()
	}
	var b bytes.Buffer
	if err := errors.Join(append(errs[:], gob.NewEncoder(&b).Encode(c))...); err != nil {
		return nil, fmt.Errorf("ppo: checkpoint: %w", err)
	}
	return b.Bytes(), nil
}

var errCheckpoint = errors.New("ppo: the checkpoint is of another training, or damaged; remove it to start anew")

// Restore continues a training that was just made by NewPPO from a checkpoint of the
// same problem, constants and seed. Where Gamma is 0 it goes on to the same bits as if it
// had not been interrupted; else its episodes start anew.
func (p *PPO) Restore(src []byte, problem string) error {
	var c checkpoint
	if err := gob.NewDecoder(bytes.NewReader(src)).Decode(&c); err != nil {
		return errCheckpoint
	}
	if c.Problem != problem || c.Seed != p.seed || !reflect.DeepEqual(c.Params, p.params) || len(c.Scale.Ahead) != len(p.scale.Ahead) {
		return errCheckpoint
	}
	var policy, value nn.Net
	if policy.UnmarshalBinary(c.Policy) != nil || value.UnmarshalBinary(c.Value) != nil ||
		!slices.Equal(policy.Sizes(), p.policy.Sizes()) || !slices.Equal(value.Sizes(), p.value.Sizes()) ||
		p.rng.UnmarshalBinary(c.Random) != nil {
		return errCheckpoint
	}
	for i, a := range []*nn.Adam{p.policyAdam, p.valueAdam} {
		if !a.Restore(c.Adam[i].First, c.Adam[i].Second, c.Adam[i].Steps) {
			return errCheckpoint
		}
	}
	copy(p.policy.Params(), policy.Params())
	copy(p.value.Params(), value.Params())
	p.done, p.scale = c.Done, c.Scale
	return p.begin()
}
