//go:build !race

package badger

// raceDetector says that the program is built with the race detector; see
// Store.transact.
const raceDetector = false
