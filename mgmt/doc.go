// Package mgmt is the management HTTP API under /api: paths, methods, status
// codes and JSON as RabbitMQ's management plugin has them, so that its tools
// work unchanged.
//
// It sees the broker through Broker, an interface of its own, and New returns
// an http.Handler: whoever mounts it owns listener and timeouts. One file a
// noun, with a table of its endpoints, what one must be to use each, and a
// shape, the fields of its JSON. endpoints.go puts the tables together, gate.go
// is the only place that lets a user in, answer.go the only one that turns
// errors into answers. Paths are matched segment by segment before they are
// decoded, so that %2F, the default vhost, is one segment.
package mgmt
