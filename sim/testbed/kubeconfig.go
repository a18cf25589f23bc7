package testbed

import "fmt"

// Kubeconfig is the file by which clients reach an API server without authentication: a
// testbed's, or what stands before it.
func Kubeconfig(url string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: testbed, cluster: {server: %q}}]
contexts: [{name: testbed, context: {cluster: testbed, user: nobody}}]
current-context: testbed
users: [{name: nobody, user: {}}]
`, url)
}
