// Package packaging is how the broker is put to work elsewhere: a Dockerfile, a unit
// for systemd, and examples for Kubernetes and docker compose. No engine is needed for
// its tests: they read the files and hold what they say of the broker, such as flags,
// variables, ports and paths, against the program.
package packaging
