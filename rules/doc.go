// Package rules reads what a user declares about one mesh: its signals as
// PromQL, its services with their objectives and knobs, its workloads, the
// guard's limits and the policies that may decide.
//
// The file is strict TOML. Top-level keys are mesh, prometheus, interval, settle and
// scrape_interval; the tables are [signals], [[service]] with [[service.objective]],
// [[service.route]], [service.blocking] and [service.signals], [[budget]], which several
// objectives share, [[workload]], [guard], [[policy]] with [policy.settings], and [reward]. Keys are lower case,
// durations are written as Prometheus writes them ("5s", "30d"), rates as "2/s".
// Everything that is wrong is reported at once, as Problems with file, line, key
// and a hint; PromQL is parsed here, without a network.
//
// What lives here is declaration and its validation. What a margin is belongs
// to rules/margin, what a limit forbids to rules/guard, and asking Prometheus to
// daemon/observe. The package reads no clock and no random number.
package rules
