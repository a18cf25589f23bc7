// Package budget keeps account of error budgets: how much of an objective's budget is
// spent over its window, and how fast it burns over the windows of the Site Reliability
// Workbook.
//
// The unit is the interval. Each that was measured has an error in [0,1]: 0 or 1 for a
// bound on a signal, the share of bad requests for a ratio. An interval in which nothing
// was measured is neither good nor bad, and a rate over no intervals is unknown, never
// zero.
//
// What lives here is arithmetic on plain values, with a state that goes to JSON and
// back; no clock, no file. It only reports: what steers by the same errors is in
// rules/margin.
package budget
