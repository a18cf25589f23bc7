package daemon

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/prometheus/client_golang/prometheus"
)

// parts are the metrics of what the daemon consists of, read when they are asked for.
type parts struct{ d *Daemon }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descPolicy      = describe("windvane_policy_info", "1 for each policy of the configuration in force, with the role that it has now.", "mesh", "policy", "role", "plugin")
	descRoleSince   = describe("windvane_policy_role_since_timestamp_seconds", "Since when a policy has its role.", "mesh", "policy")
	descPluginUp    = describe("windvane_plugin_up", "Whether the process of a policy answers.", "mesh", "policy")
	descQuarantined = describe("windvane_plugin_quarantined", "Whether a plugin failed so often that it stays down until a reload.", "mesh", "policy")
	descRestarts    = describe("windvane_plugin_restarts_total", "Starts of a policy's process after the first.", "mesh", "policy")
	descConfig      = describe("windvane_config_hash", "Hash of the files of the configuration in force.")
	descRecords     = describe("windvane_journal_records_total", "Records that were appended to the journal, by kind.", "kind")
	descFailures    = describe("windvane_journal_append_failures_total", "Records that could not be appended to the journal.")
	descBytes       = describe("windvane_journal_size_bytes", "Size of the journal's segments on disk.")
	descSegments    = describe("windvane_journal_segments", "Segments of the journal on disk.")
)

// Describe implements prometheus.Collector.
func (p parts) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descPolicy, descRoleSince, descPluginUp, descQuarantined, descRestarts, descConfig, descRecords, descFailures, descBytes, descSegments,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p parts) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	s, err := p.d.journal.Stats()
	for kind, n := range s.Appended {
		counter(descRecords, float64(n), kind)
	}
	counter(descFailures, float64(s.Failed))
	if err == nil {
		gauge(descBytes, float64(s.Bytes))
		gauge(descSegments, float64(s.Segments))
	}
	g := p.d.current.Load()
	if g == nil {
		return
	}
	gauge(descConfig, hashOf(g.digest))
	for _, m := range g.meshes {
		for _, ref := range m.rules.Policies {
			said := m.standing(ref)
			gauge(descPolicy, 1, m.rules.Name, ref.Name, string(said.Role), ref.Plugin)
			if !said.Since.IsZero() {
				gauge(descRoleSince, float64(said.Since.UnixMilli())/1000, m.rules.Name, ref.Name)
			}
		}
		for _, pl := range m.policies.plugins {
			s := pl.host.Status()
			gauge(descPluginUp, is(s.Up), m.rules.Name, pl.policy)
			gauge(descQuarantined, is(s.Quarantined), m.rules.Name, pl.policy)
			counter(descRestarts, float64(s.Restarts), m.rules.Name, pl.policy)
		}
	}
}

// hashOf is the part of a digest that a float64 holds exactly.
func hashOf(digest string) float64 {
	var b [8]byte
	if raw, err := hex.DecodeString(digest); err == nil {
		copy(b[2:], raw)
	}
	return float64(binary.BigEndian.Uint64(b[:]))
}
