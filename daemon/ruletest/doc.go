// Package ruletest runs unit tests of rules files, in the spirit of `promtool test
// rules`: series go in, and what windvane makes of them is held against what was
// expected, at given times, for each objective: the signal's status and value, the
// interval's error, what is left of the error budget, burn rates and the margin.
//
// A file of tests is strict TOML:
//
//	rules = "shop.toml"                  # relative to the file
//
//	[[test]]
//	name = "a slow minute"
//	interval = "5s"                      # between the samples of series; default: the mesh's
//	margin = 0.05                        # of every objective at the start, as a model's card has it; default: 0
//	spread = 0.1                         # likewise, of the model's residuals: the margin's step is .3 of it
//	tolerance = 0.01                     # of numbers, relative to those above 1; default: 1e-6
//
//	  [[test.series]]
//	  series = 'windvane:latency_seconds:p95{service="a"}'
//	  values = '0.05x9 _ stale 0.2'      # promtool's notation
//
//	  [[test.expect]]
//	  at = "55s"                         # since the first sample: a whole number of the mesh's intervals
//	  service = "a"
//	  signal = "latency"
//	  status = "valid"                   # or absent, stale, invalid
//	  value = 0.2
//	  error = 1                          # or measured = false, where there was no interval
//	  left = 0.1                         # of the error budget; of a shared one with budget = "…" in place of service and signal
//	  burn = { 5m = 1.2 }
//	  margin = 0.03
//
// Queries are evaluated by Prometheus' own engine and judged by daemon/observe, intervals
// are counted by rules/margin and rules/budget: the code that runs in the daemon. Each
// interval counts as one of the active policy's own choice. What lives here is the file
// format and the comparison. No network, no clock.
package ruletest
