//go:build !race

package crashtest

var raceFlags []string
