// Package storetest is the suite that every store must pass. Each test is
// named after the sentence of the contract in persistence that it holds the
// store to.
package storetest
