// Package loop runs the cycle of one mesh: observe, decide, guard, prepare, record the
// intent, actuate, and, at the start of the next cycle, verify and record the
// outcome. It is the only place that knows this order.
//
// It is level-triggered: each cycle reads the signals and the settings in force,
// and whatever is missing leads to a hold. What was found and done is a Report, in
// the journal's own words.
//
// A plan that the actuator does not admit in prepare, a dry run, is a hold and never an
// intent that acts. What somebody else changed since windvane set it is drift: a hold, or
// adopted, as the rules file says; it is never set back. After a restart the open intent is
// closed by what is in force: completed, never applied, in part, or changed since.
//
// How often anything but raising blocking may be changed, the pace of rules/guard, is told
// the policies in their limits. Each intent has the changes that count, its own included, so
// that a restart goes on from there.
//
// Shadow policies are asked last, when the cycle has acted, within what is left of the
// interval. What they answer is recorded, and nothing follows from it.
//
// What lives here is the order and what follows from each step. How signals are
// asked for, settings are written and records are kept is in observe, actuate and
// journal; the limits are in rules/guard, the control state in rules/margin. No
// clock: the time of a cycle is an argument.
package loop
