// Package loop runs the cycle of one mesh: observe, decide, guard, record the
// intent, actuate, and, at the start of the next cycle, verify and record the
// outcome. It is the only place that knows this order.
//
// It is level-triggered: each cycle reads the signals and the settings in force,
// and whatever is missing leads to a hold. What was found and done is a Report, in
// the journal's own words.
//
// What lives here is the order and what follows from each step. How signals are
// asked for, settings are written and records are kept is in observe, actuate and
// journal; the limits are in rules/guard, the control state in rules/margin. No
// clock: the time of a cycle is an argument.
package loop
