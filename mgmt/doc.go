// Package mgmt is the management HTTP API under /api: paths, methods, status
// codes and JSON as RabbitMQ's management plugin has them, so that its tools
// work unchanged.
//
// It sees the broker through Broker, an interface of its own, and New returns
// an http.Handler: whoever mounts it owns listener, timeouts and log-in. Paths
// are matched segment by segment before they are decoded, so that %2F, the
// default vhost, is one segment. One file a noun; router.go is the only place
// that knows paths, respond.go the only one that writes answers.
package mgmt
