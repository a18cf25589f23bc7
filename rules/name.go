package rules

// IsName reports whether a rules file takes the text for a name, such as that of a mesh, a
// service or a route.
func IsName(s string) bool { return plainName.MatchString(s) }
