// Package authority says what windvane may do with a mesh at this moment: the least of
// what each source allows. The sources are the rules file, whose ceiling can only be
// lowered at run time; the command `windvane mode`; the annotation windvane.io/authority of
// the mesh's VirtualServices; a stop file; windvane itself, which demotes a mesh that it
// does harm to; and a lease that another daemon holds.
//
// What is said at run time is in files of the state directory, and is read anew each time:
//
//	authority.json   commands and demotions
//	stop             its existence stops every mesh
//	stop.MESH        its existence stops one mesh
//
// So whoever writes them, also beside a daemon that does not answer or is dead, is obeyed
// from the next cycle on. What cannot be read counts as observe. Nothing is raised without
// a person's act.
//
// What lives here is who says what. That a cycle keeps to it is the loop's business.
package authority
