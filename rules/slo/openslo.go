package slo

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// openSLO reads the objects of kind SLO, with the indicators that they refer to.
func (m *mesh) openSLO(documents []node) {
	indicators := map[string]node{}
	for _, d := range documents {
		if d.get("kind").text() == "SLI" {
			indicators[d.get("metadata", "name").text()] = d
		}
	}
	for _, d := range documents {
		d.get("apiVersion")
		switch kind := d.get("kind").text(); kind {
		case "SLI":
		case "SLO":
			if err := m.openSLOObject(d, indicators); err != nil {
				m.drop(d.get("spec"), d.get("metadata", "name").text(), err)
			}
		default:
			m.lose(d.get("kind").path, fmt.Sprintf("a %q is no objective", kind))
			d.drop()
		}
	}
}

func (m *mesh) openSLOObject(d node, indicators map[string]node) error {
	name, spec := d.get("metadata", "name").text(), d.get("spec")
	length, err := m.openSLOWindow(spec)
	if err != nil {
		return err
	}
	indicator := spec.get("indicator", "spec")
	if ref := spec.get("indicatorRef").text(); ref != "" {
		referred, ok := indicators[ref]
		if !ok {
			return fmt.Errorf("there is no SLI %q in the file", ref)
		}
		indicator = referred.get("spec")
	}
	objectives := spec.get("objectives").items()
	if len(objectives) == 0 {
		return errNoTarget
	}
	carried := 0
	for _, x := range objectives {
		o := objective{title: title(name, strings.TrimSpace(x.get("displayName").text()+" "+spec.get("description").text())), window: length}
		if err := m.openSLOObjective(spec, indicator, x, name, o); err != nil {
			m.drop(x, x.get("displayName").text(), err)
			continue
		}
		carried++
	}
	if carried == 0 {
		return errors.New("none of its objectives is")
	}
	return nil
}

var openSLODuration = regexp.MustCompile(`^([0-9]{1,4})([mhdwMQY])$`)

// units are those of OpenSLO's durations.
var units = map[string]time.Duration{
	"m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day, "M": 30 * day, "Q": 90 * day, "Y": 365 * day,
	"minute": time.Minute, "hour": time.Hour, "day": day, "week": 7 * day, "month": 30 * day, "quarter": 90 * day, "year": 365 * day,
}

// calendar are the units without a fixed length.
var calendar = map[string]bool{"M": true, "Q": true, "Y": true, "month": true, "quarter": true, "year": true}

// openSLOWindow reads the time window: timeWindow with a duration (v1), or timeWindows
// with a count and a unit (v1alpha).
func (m *mesh) openSLOWindow(spec node) (time.Duration, error) {
	windows := spec.either("timeWindow", "timeWindows")
	items := windows.items()
	if len(items) != 1 {
		return 0, fmt.Errorf("it has %d time windows, want 1", len(items))
	}
	w := items[0]
	count, unit := w.get("count").text(), strings.ToLower(w.get("unit").text())
	if text := w.get("duration").text(); text != "" {
		match := openSLODuration.FindStringSubmatch(text)
		if match == nil {
			return 0, fmt.Errorf("its time window %q is not a duration", text)
		}
		count, unit = match[1], match[2]
	}
	n, err := strconv.Atoi(count)
	length, ok := units[unit]
	if err != nil || !ok || n < 1 || n > 9999 {
		return 0, errors.New("its time window is none that is known")
	}
	length *= time.Duration(n)
	if rolling := w.get("isRolling"); rolling.there() && rolling.text() != "true" || w.get("calendar").there() {
		m.lose(w.get("isRolling").path, "a window of the calendar is kept as a rolling one of "+model.Duration(length).String())
	} else if calendar[unit] {
		m.lose(w.path, "a month, quarter or year is kept as "+model.Duration(length).String())
	}
	return length, nil
}

func (m *mesh) openSLOObjective(spec, indicator, x node, label string, o objective) error {
	var ok bool
	if o.target, ok = x.get("target").number(); !ok {
		percent, given := x.get("targetPercent").number()
		if !given {
			return errNoTarget
		}
		o.target = share(percent)
	}
	if err := m.check(o); err != nil {
		return err
	}
	service := spec.get("service").text()
	if !indicator.there() {
		indicator = x // v1alpha has the queries beside the target
	}
	ratio, threshold := indicator.either("ratioMetric", "ratioMetrics"), indicator.get("thresholdMetric")
	switch {
	case ratio.there() && !ratio.get("raw").there():
		return m.openSLORatio(spec, ratio, x, service, label, o)
	case ratio.there():
		m.oneByOne(spec)
		return m.openSLORaw(ratio, service, label, o)
	case threshold.there():
		m.oneByOne(spec)
		query, err := m.openSLOQuery(threshold, false)
		if err != nil {
			return err
		}
		return m.threshold(x, query, service, label, o)
	}
	return errors.New("it has no indicator with ratioMetric or thresholdMetric")
}

// openSLOQuery reads the query of a metric source; counters become rates.
func (m *mesh) openSLOQuery(metric node, counter bool) (string, error) {
	source := metric
	if metric.get("metricSource").there() {
		source = metric.get("metricSource", "spec")
		if kind := metric.get("metricSource", "type").text(); kind != "" && !strings.EqualFold(kind, "prometheus") {
			return "", fmt.Errorf("its metric source is of type %q, want Prometheus", kind)
		}
	}
	metric.get("source")
	metric.get("queryType")
	query, err := m.expr(source.get("query").text())
	if err != nil || !counter {
		return query, err
	}
	return m.rate(query)
}

// oneByOne notes that a measured value is an interval, whatever the budgeting method.
func (m *mesh) oneByOne(spec node) {
	if method := spec.get("budgetingMethod"); method.there() && method.text() != "RatioTimeslices" {
		m.lose(method.path, "each interval counts as one")
	}
}

// openSLORaw adds an objective on a query that is the share of good or bad requests.
func (m *mesh) openSLORaw(ratio node, service, label string, o objective) error {
	query, err := m.openSLOQuery(ratio.get("raw"), false)
	if err != nil {
		return err
	}
	if ratio.get("rawType").text() != "failure" {
		query = "1 - (" + query + ")"
	}
	return m.addSignal(service, o, label, query)
}

func (m *mesh) openSLORatio(spec, ratio, x node, service, label string, o objective) error {
	counter := ratio.get("counter").text() == "true"
	total, err := m.openSLOQuery(ratio.get("total"), counter)
	if err != nil {
		return fmt.Errorf("total: %w", err)
	}
	part, bad := ratio.get("bad"), true
	if !part.there() {
		part, bad = ratio.get("good"), false
	}
	query, err := m.openSLOQuery(part, counter)
	if err != nil {
		return fmt.Errorf("good or bad: %w", err)
	}
	o.total = total
	if o.bad = restOf(query, total); bad {
		o.bad = badOf(query, total)
	}
	return m.budgeting(spec, x, service, label, o)
}

// budgeting keeps the arithmetic of the budget: by the share of bad requests, or by time
// slices that are good or bad as a whole.
func (m *mesh) budgeting(spec, x node, service, label string, o objective) error {
	method := spec.get("budgetingMethod")
	switch method.text() {
	case "Timeslices":
	case "RatioTimeslices":
		return m.addRatio(service, o)
	default: // Occurrences, which v1alpha may leave out
		if method.there() {
			m.lose(method.path, "requests are not counted one by one: the share of bad ones is averaged over intervals")
		}
		return m.addRatio(service, o)
	}
	slice, ok := x.get("timeSliceTarget").number()
	if !ok {
		return errors.New("its time slices have no target")
	}
	if err := m.usable(o.bad, o.total); err != nil {
		return err
	}
	m.lose(x.get("timeSliceWindow").path, "a slice is an interval of "+model.Duration(m.options.Interval).String())
	expr := fmt.Sprintf("((%s) / (%s) > bool %s) and (%[2]s) > 0", o.bad, o.total, number(share(100*(1-slice))))
	if err := m.addSignal(service, o, label, expr); err != nil {
		return err
	}
	if s := m.service(service); s.offered == "" && isRate(o.total) {
		s.offered = o.total
	}
	return nil
}

// threshold adds an objective on a query and a value: as a latency with a bound, if the
// names of the metrics tell its unit, else as good or bad.
func (m *mesh) threshold(x node, query, service, label string, o objective) error {
	value, ok := x.get("value").number()
	if !ok {
		return errors.New("its threshold has no value")
	}
	op := x.get("op")
	breaks := map[string]string{"lte": ">", "lt": ">=", "gte": "<", "gt": "<="}[op.text()]
	if breaks == "" {
		return fmt.Errorf("its op %q is none of lt, lte, gt, gte", op.text())
	}
	per := unit(query)
	if limit, whole := bound(value / max(per, 1)); per > 0 && whole && (breaks == ">" || breaks == ">=") {
		if breaks == ">=" {
			m.lose(op.path, "a value that equals the bound is good")
		}
		o.bound = limit
		if per > 1 {
			query = fmt.Sprintf("(%s) / %s", query, number(per))
		}
		return m.addSignal(service, o, label, query)
	}
	return m.addSignal(service, o, label, fmt.Sprintf("((%s) %s bool %s) and (%[1]s) == (%[1]s)", query, breaks, number(value)))
}
