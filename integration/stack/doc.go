// Package stack runs a real mesh on loopback, without containers: etcd, kube-apiserver,
// istiod, Envoy and the services behind it, Prometheus and Alertmanager, as child processes of a test.
//
// integration/tools/build.sh builds or fetches the programs. What may live here: starting,
// awaiting, breaking and ending the parts, and the little that a cluster has and that is
// missing without one. What is tested with it is in the tests of integration/suite.
package stack
