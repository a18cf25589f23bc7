package slo

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// pyrra reads resources of pyrra.dev/v1alpha1.
func (m *mesh) pyrra(documents []node) {
	for _, d := range documents {
		d.get("apiVersion")
		if kind := d.get("kind").text(); kind != "ServiceLevelObjective" {
			m.lose(d.get("kind").path, fmt.Sprintf("a %q is no objective", kind))
			d.drop()
			continue
		}
		if err := m.pyrraSLO(d); err != nil {
			m.drop(d.get("spec"), d.get("metadata", "name").text(), err)
		}
	}
}

func (m *mesh) pyrraSLO(d node) error {
	name, spec := d.get("metadata", "name").text(), d.get("spec")
	percent, ok := spec.get("target").number()
	if !ok {
		return errNoTarget
	}
	length, err := model.ParseDuration(spec.get("window").text())
	if err != nil {
		return fmt.Errorf("its window: %w", err)
	}
	o := objective{title: title(name, spec.get("description").text()), target: share(percent), window: time.Duration(length)}
	if err := m.check(o); err != nil {
		return err
	}
	indicator := spec.get("indicator")
	if o.bad, o.total, err = m.pyrraIndicator(indicator); err != nil {
		return err
	}
	for _, kind := range []string{"ratio", "latency", "latencyNative", "bool_gauge", "boolGauge"} {
		if g := indicator.get(kind, "grouping"); g.there() {
			m.lose(g.path, "groups have no budgets of their own: all of them together have one")
			g.drop()
		}
	}
	return m.addRatio(name, o)
}

// pyrraIndicator returns bad and total of an indicator.
func (m *mesh) pyrraIndicator(i node) (bad, total string, err error) {
	sum := func(function string, n node) string {
		if err != nil {
			return ""
		}
		var text string
		text, err = m.over(function, n.get("metric").text())
		return "sum(" + text + ")"
	}
	switch ratio, latency, native, gauge := i.get("ratio"), i.get("latency"), i.get("latencyNative"), i.either("bool_gauge", "boolGauge"); {
	case ratio.there():
		errs := sum("rate", ratio.get("errors"))
		total = sum("rate", ratio.get("total"))
		bad = badOf(errs, total)
	case latency.there():
		success := sum("rate", latency.get("success"))
		total = sum("rate", latency.get("total"))
		bad = restOf(success, total)
	case native.there():
		limit, parseErr := model.ParseDuration(native.get("latency").text())
		if parseErr != nil {
			return "", "", fmt.Errorf("its latency: %w", parseErr)
		}
		histogram := sum("rate", native.get("total"))
		total = "histogram_count(" + histogram + ")"
		bad = fmt.Sprintf("%s * (1 - histogram_fraction(0, %s, %s))", total, number(time.Duration(limit).Seconds()), histogram)
	case gauge.there():
		total = sum("count_over_time", gauge)
		bad = total + " - " + sum("sum_over_time", gauge)
	default:
		return "", "", errors.New("its indicator is none of ratio, latency, latencyNative, bool_gauge")
	}
	return bad, total, err
}
