package alerts

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the receiver's own. No label value comes from a message.
type metrics struct {
	posts     *prometheus.CounterVec // code
	received  *prometheus.CounterVec // outcome
	truncated prometheus.Counter
}

func newMetrics(r prometheus.Registerer, size func() (remembered, firing int)) metrics {
	m := metrics{
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "windvane_alerts_posts_total", Help: "Messages of Alertmanager by the status that they were answered with.",
		}, []string{"code"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "windvane_alerts_received_total", Help: "Alerts of accepted messages: that fire anew, fire still, are resolved, are of the past, belong to no mesh.",
		}, []string{"outcome"}),
		truncated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "windvane_alerts_truncated_total", Help: "Alerts that Alertmanager left out of its messages, by the receiver's max_alerts.",
		}),
	}
	for _, status := range []int{
		http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable,
	} {
		m.posts.WithLabelValues(strconv.Itoa(status))
	}
	m.alerts(counts{}, 0)
	r.MustRegister(m.posts, m.received, m.truncated,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "windvane_alerts_firing", Help: "Alerts that fire."}, func() float64 {
			_, firing := size()
			return float64(firing)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "windvane_alerts_remembered", Help: "Alerts that are remembered; at the capacity a message is answered with 503."}, func() float64 {
			remembered, _ := size()
			return float64(remembered)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "windvane_alerts_capacity", Help: "How many alerts can be remembered."}, func() float64 { return Capacity }))
	return m
}

func (m metrics) post(status int) { m.posts.WithLabelValues(strconv.Itoa(status)).Inc() }

func (m metrics) alerts(c counts, truncated uint64) {
	for outcome, n := range map[string]int{
		"firing": c.firing, "repeated": c.repeated, "resolved": c.resolved, "outdated": c.outdated, "unmatched": c.unmatched,
	} {
		m.received.WithLabelValues(outcome).Add(float64(n))
	}
	m.truncated.Add(float64(truncated))
}
