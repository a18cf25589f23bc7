package daemon

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/journal"
)

func TestMetricsTellWhoLowersTheAuthority(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newAuthorityMetrics(func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		registry.MustRegister(v)
		return v
	})
	m.set("shop", journal.Intent{Authority: "observe", Sources: []journal.AuthoritySource{
		{Source: "file", Level: "approve"}, {Source: "command", Level: "act"}, {Source: "annotation", Level: "approve"}, {Source: "demotion", Level: "observe"},
	}})
	m.set("blog", journal.Intent{Authority: "act"})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string // that are 1; the labels are sorted by name
	for _, f := range families {
		for _, x := range f.GetMetric() {
			if x.GetGauge().GetValue() == 1 {
				got = append(got, f.GetName()+" "+x.GetLabel()[0].GetValue()+" "+x.GetLabel()[1].GetValue())
			}
		}
	}
	want := []string{"windvane_authority act blog", "windvane_authority observe shop", "windvane_authority_lowered shop demotion"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
