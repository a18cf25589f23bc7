package rules

import (
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// readAlerts reads which alerts belong to the mesh; nil: no table says so.
func readAlerts(t *Table) []*labels.Matcher {
	if t == nil || !t.Require("match") || !t.IsText("match") {
		return nil
	}
	text := t.Text("match", "")
	if len(text) > maxExpr {
		t.Invalid("match", "is longer than 16 KiB", "")
		return nil
	}
	out, err := promql.ParseMetricSelector(text)
	if err != nil {
		t.Invalid("match", promqlMessage(err), `as in '{namespace="shop", severity=~"page|ticket"}'`)
		return nil
	}
	for _, m := range out {
		if m.Name == model.MetricNameLabel {
			t.Invalid("match", fmt.Sprintf("asks for a metric's name, %q", m.Value), "an alert has labels only; its name is in alertname")
			return nil
		}
	}
	return out
}
