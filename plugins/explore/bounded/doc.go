// Package bounded explores a mesh within an allowance: it tries settings of which a
// regression is least sure, near what is worth most within the bounds, as long as they
// cost no more violations than were allowed beyond those that the mesh would have had
// anyway.
//
// What a mesh would have had is the counterfactual: the error at the baseline, the settings
// in force when the exploration began, at the load of the interval. The regression's word
// for it is updated by the intervals that were measured at the baseline at comparable loads,
// and comes with a standard deviation, which counts against the allowance.
//
// What lives here is the choice and the account: a Session is a value that is kept between
// two cycles, and what it chooses is a function of it, its seed and the observation. Who may
// explore when, and where the session is kept, is the daemon's; limits are rules/guard's.
package bounded
