// Package observe evaluates a mesh's signals in Prometheus, all at one instant, into
// a policy.State.
//
// Every signal gets a status beside its value. An instant query answers with the time
// of its evaluation, so that a target that died minutes ago looks fresh; what tells is
// the timestamp() of the series selectors in the expression. They are asked for too,
// once for each distinct selector, and the oldest of them dates the value. The number of
// queries depends on the signals, never on the number of services.
//
// What lives here is the asking and the judging of answers. What to ask is in rules;
// whether a state is a new interval, and what follows from it, is the loop's business.
package observe
