// Package alerts receives Alertmanager's webhook and remembers which alerts fire. An
// alert wakes a mesh's loop and is told to people; no decision depends on it: what is wrong
// is measured by the cycle that it wakes. So nothing is lost with a message that never
// comes, and the state here need not survive a restart.
//
// A message is version 4 of the webhook, as Alertmanager's notify/webhook writes it
// (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config). Alertmanager
// tries again after 5xx and never after 4xx (notify/util.go, Retrier), which gives the
// answers:
//
//	200  every alert of the message is kept, or was known already
//	400  the body is no message of version 4, and never will be
//	401, 403  the sender is not known: see Config
//	413  the message is larger than any that can be kept; max_alerts of the receiver bounds it
//	503  there is no room just now; the same message is welcome again
//
// A message may come twice (peers of a cluster, repeat_interval), late, or never. An alert
// is known by its fingerprint; startsAt and endsAt tell one episode of it from the next. It
// is taken away by its resolved message, at its endsAt, or when it has not been repeated
// within Config.Expiry: that has to be longer than the receiver's repeat_interval. That an
// alert is not in a message says nothing.
package alerts
