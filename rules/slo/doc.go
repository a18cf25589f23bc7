// Package slo turns service-level objectives written for Sloth, OpenSLO or Pyrra into a
// rules file.
//
// What an objective promises is kept: its target, its window, and what is bad of what,
// or the threshold. Fields that a rules file has no place for are listed, each by its
// path; none is dropped in silence. The result passes rules.Parse.
//
// One thing differs, and is said in each file: windvane counts intervals. The share of
// bad requests is averaged over intervals, not over requests.
//
// What lives here is the reading of three formats and the writing of one. No file, no
// network.
package slo
