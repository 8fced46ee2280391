// Package metrics is what Prometheus scrapes: the families of RabbitMQ's plugin, with
// its names, labels and paths, so that its dashboards work unchanged, and beside them
// ours (leveret_*) and those of the Go runtime and the process.
//
// A scrape looks at the broker once (scrape.go) and then tells it, one file a subject;
// the names and their HELP are in names.go. What is told of each object by
// /metrics/per-object and /metrics/detailed is added up by /metrics. Nothing is kept
// between scrapes, and no lock is held while an answer is written.
package metrics
