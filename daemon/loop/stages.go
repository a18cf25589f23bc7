package loop

import "time"

// Stage is a part of a cycle whose duration is measured.
type Stage string

// The stages, in the order of a cycle. Each is at most once in a report.
const (
	StageObserve Stage = "observe" // the queries
	StageRead    Stage = "read"    // of the settings in force
	StageDecide  Stage = "decide"  // the active policy, and the fallback where that is asked
	StageGuard   Stage = "guard"
	StagePrepare Stage = "prepare" // the dry run
	StageRecord  Stage = "record"  // of the intent, with the sync of the disk where it acts
	StageApply   Stage = "apply"
	StageShadow  Stage = "shadow" // the shadow policies, after all that acts
)

// Stages are all of them.
func Stages() []Stage {
	return []Stage{StageObserve, StageRead, StageDecide, StageGuard, StagePrepare, StageRecord, StageApply, StageShadow}
}

// StageTime is how long a stage took.
type StageTime struct {
	Stage Stage
	Took  time.Duration
}

// stopwatch times the stages of one cycle. Without a clock it takes all to be instant, so
// that a run under a virtual clock is the same each time.
type stopwatch struct {
	clock func() time.Duration // monotonic, since any instant; nil: none
	begun time.Duration
	taken []StageTime
}

func (w *stopwatch) now() time.Duration {
	if w.clock == nil {
		return 0
	}
	return w.clock()
}

// reset begins a cycle.
func (w *stopwatch) reset() { w.begun, w.taken = w.now(), nil }

// elapsed is how long the cycle has taken so far.
func (w *stopwatch) elapsed() time.Duration { return w.now() - w.begun }

// time begins a stage, which the returned function ends.
func (w *stopwatch) time(s Stage) (end func()) {
	begun := w.now()
	return func() { w.taken = append(w.taken, StageTime{s, w.now() - begun}) }
}
