package observe

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
)

// judge turns the answer to one query into signals.
type judge struct {
	query     Query
	by        model.LabelName
	at        time.Time
	freshness time.Duration
	answer    answer
	ages      []age // of the query's selectors
}

// judge gives each service its signal, and says what is wrong with those that are not
// valid. A failure of the query as a whole is one problem.
func (j judge) judge(services []string) ([]policy.Signal, []Problem) {
	signals := make([]policy.Signal, 0, len(services))
	var problems []Problem
	for _, service := range services {
		for _, part := range j.parts(service) {
			s := policy.Signal{Name: j.query.Name, Service: service, Role: j.query.Role}
			if part != "" {
				s.Name += "/" + part
			}
			kind, err := j.fill(&s, part)
			signals = append(signals, s)
			if kind != "" {
				problems = append(problems, Problem{Query: s.Name, Service: service, Kind: kind, Err: err})
			}
		}
	}
	if len(problems) > 0 && j.answer.kind != "" {
		problems = []Problem{{Query: j.query.Name, Service: j.query.Service, Kind: j.answer.kind, Err: j.answer.err}}
	}
	return signals, problems
}

// parts are those of a service; an empty one is the service as a whole.
func (j judge) parts(service string) []string {
	if j.query.Parts == nil {
		return []string{""}
	}
	return j.query.Parts[service]
}

// fill sets the signal's value, time and status; for one that is not valid it returns
// why. The value of such a signal stays 0, which means nothing.
func (j judge) fill(s *policy.Signal, part string) (Kind, error) {
	if kind := j.answer.kind; kind != "" {
		switch kind {
		case KindError, KindTimeout:
			s.Status = policy.Absent
		case KindStale:
			s.Status = policy.Stale
		default:
			s.Status = policy.Invalid
		}
		return kind, j.answer.err
	}
	sample, n, unlabelled := j.find(s.Service, part)
	switch {
	case n == 0:
		s.Status = policy.Absent
		if unlabelled > 0 {
			return KindAbsent, fmt.Errorf("no series with %s=%q; %d have no label %s: keep it with `by (%s)`", j.by, s.Service, unlabelled, j.by, j.by)
		}
		if part != "" {
			return KindAbsent, fmt.Errorf("no series with %s=%q and %s=%q", j.by, s.Service, j.query.PartLabel, part)
		}
		return KindAbsent, fmt.Errorf("no series with %s=%q", j.by, s.Service)
	case n > 1:
		s.Status = policy.Invalid
		return KindDuplicate, fmt.Errorf("%d series for service %q: aggregate them to one", n, s.Service)
	}
	v := float64(sample.Value)
	switch {
	case math.IsNaN(v):
		s.Status = policy.Invalid
		return KindNaN, errors.New("the value is NaN, as of 0/0 or of a quantile without samples")
	case math.IsInf(v, 0):
		s.Status = policy.Invalid
		return KindInf, errors.New("the value is infinite, as of x/0")
	}
	return j.date(s, v)
}

// find returns the last series of a service's part, how many there are, and how many series
// name no service. A query of one service owns every series that it is answered with.
func (j judge) find(service, part string) (sample *model.Sample, n, unlabelled int) {
	for _, s := range j.answer.samples {
		name, ok := s.Metric[j.by]
		if part != "" && string(s.Metric[model.LabelName(j.query.PartLabel)]) != part {
			continue
		}
		switch {
		case j.query.Service != "" || string(name) == service && ok:
			sample = s
			n++
		case !ok || name == "":
			unlabelled++
		}
	}
	return sample, n, unlabelled
}

// date sets the signal's time to the oldest of its selectors' newest samples, and its
// status by it. A selector without any series for the service is passed over as long as
// another has some: `errors or 0 * requests` has no errors to show on a good day.
func (j judge) date(s *policy.Signal, v float64) (Kind, error) {
	for _, a := range j.ages {
		if a.kind == KindPartial {
			s.At, s.Status = time.Time{}, policy.Invalid
			return a.kind, fmt.Errorf("the age of %s: %w", a.selector, a.err)
		}
		if a.kind != "" {
			s.At, s.Status = time.Time{}, policy.Stale
			return a.kind, fmt.Errorf("the age of %s is unknown: %w", a.selector, a.err)
		}
		if t, ok := a.newest(j.query, s.Service); ok && (s.At.IsZero() || t.Before(s.At)) {
			s.At = t
		}
	}
	switch age := j.at.Sub(s.At); {
	case s.At.IsZero():
		s.Status = policy.Stale
		return KindStale, errors.New("no selector of the expression has a sample that dates the value")
	case age > j.freshness:
		s.Status = policy.Stale
		return KindStale, fmt.Errorf("the newest sample is %v old, more than %v", age, j.freshness)
	}
	s.Status, s.Value = policy.Valid, v
	return "", nil
}
