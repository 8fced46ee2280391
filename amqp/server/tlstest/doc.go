// Package tlstest has certificates for tests: an authority that is made on the spot,
// what it signs, and files of that where a test needs files.
package tlstest
