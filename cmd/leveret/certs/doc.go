// Package certs is what TLS needs of the disk: certificates, their keys, and the
// authorities that client certificates are verified by. They are read as a whole or
// not at all, at the start and whenever they are to be read again; connections that
// are open notice nothing.
//
// Of the rest it takes Go's defaults: cipher suites, curves and their order.
package certs
