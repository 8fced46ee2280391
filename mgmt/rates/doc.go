// Package rates remembers what counters and gauges were a while ago, so that there
// are rates and curves of them. It knows only columns of numbers and the objects
// they are of; what they mean, and when a sample is taken, is the caller's business.
//
// A sample of all objects costs the same each time. What an object costs follows its
// activity: one whose numbers change has a minute of samples, ten minutes while
// somebody looks at it; one at rest has its last numbers, packed into some bytes; one
// that has only zeros has nothing.
package rates
