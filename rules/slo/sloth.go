package slo

import (
	"errors"
	"math"
	"time"
)

const day = 24 * time.Hour

// slothWindow is the window of Sloth's objectives: a file of Sloth's does not have one.
const slothWindow = 30 * day

// sloth reads a file of version prometheus/v1, or the Kubernetes resource with the same
// in its spec.
func (m *mesh) sloth(documents []node) {
	for _, d := range documents {
		d.get("version")
		d.get("apiVersion")
		d.get("kind")
		spec := d
		if d.get("spec").there() {
			spec = d.get("spec")
		}
		for _, slo := range spec.get("slos").items() {
			if err := m.slothSLO(spec.get("service").text(), slo); err != nil {
				m.drop(slo, slo.get("name").text(), err)
			}
		}
	}
}

func (m *mesh) slothSLO(name string, slo node) error {
	percent, ok := slo.get("objective").number()
	if !ok {
		return errNoTarget
	}
	o := objective{title: title(slo.get("name").text(), slo.get("description").text()), target: share(percent), window: slothWindow}
	if err := m.check(o); err != nil {
		return err
	}
	events, raw := slo.get("sli", "events"), slo.get("sli", "raw")
	switch {
	case events.there():
		errs, err := m.expr(events.either("error_query", "errorQuery").text())
		if err != nil {
			return err
		}
		total, err := m.expr(events.either("total_query", "totalQuery").text())
		if err != nil {
			return err
		}
		o.bad, o.total = badOf(errs, total), total
		return m.addRatio(name, o)
	case raw.there():
		ratio, err := m.expr(raw.either("error_ratio_query", "errorRatioQuery").text())
		if err != nil {
			return err
		}
		return m.addSignal(name, o, slo.get("name").text(), ratio)
	}
	return errors.New("its indicator is neither events nor raw: write what the plugin would make of it")
}

// addRatio adds an objective with bad and total.
func (m *mesh) addRatio(name string, o objective) error {
	if err := m.usable(o.bad, o.total); err != nil {
		return err
	}
	s := m.service(name)
	if s.offered == "" && isRate(o.total) {
		s.offered = o.total
	}
	s.objectives = append(s.objectives, o)
	return nil
}

// addSignal adds an objective on a query of its own: an error, or what o.bound bounds.
func (m *mesh) addSignal(name string, o objective, label, expr string) error {
	if err := m.usable(expr); err != nil {
		return err
	}
	s := m.service(name)
	o.signal = s.signalName(label)
	s.signals = append(s.signals, signal{o.signal, expr})
	s.objectives = append(s.objectives, o)
	return nil
}

// share makes a share of per cent, without the noise of the division in binary.
func share(percent float64) float64 { return math.Round(percent*1e10) / 1e12 }

func title(name, description string) string {
	if description == "" {
		return name
	}
	return name + ": " + description
}
