//go:build race

package crashtest

// raceFlags build the broker as the tests were built.
var raceFlags = []string{"-race"}
