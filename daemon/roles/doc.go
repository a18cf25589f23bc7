// Package roles says what each policy of a mesh is used for. The rules file declares the
// policies, and the role that each begins with; at run time a person promotes one to be the
// active one, or demotes that again, and nobody else does. What was said is in a file of the
// state directory, roles.json, and holds until the rules file says something new:
//
//   - A promotion is of the very policy that was looked at, with its settings and artefact.
//     When that is not declared any more, or is another one, all roles of the mesh are those
//     of the file again.
//   - So they are when the file declares another policy as active than it did then.
//
// A State is a value, and its methods return the next one: that a cycle keeps to it, and that
// it is on disk before, is the daemon's business.
package roles
