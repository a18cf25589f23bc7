// Package exploration has a mesh explored because a person asked for it: it keeps the
// session of plugins/explore/bounded in the state directory, and says in each cycle whether
// settings are tried in the place of the policies' decision.
//
// What lives here is when: not while an alert fires that did not fire at the beginning, not
// in a freeze, nor without the authority to act. What was measured and chosen is on disk
// before a cycle acts on it, so that the next process goes on from there. Where no policy is
// active to take over, the settings of before are given back in the end. What is tried is
// the session's; whether it is let through is the guard's.
package exploration
