// Package amqp is the wire of AMQP 0-9-1 and nothing else: frames, methods,
// field tables, content properties, reply codes, and the Message that they
// carry. It knows no connection, queue or exchange.
//
// Reader cuts a byte stream into frames; a frame's payload is valid until the
// next call. Append functions build frames at the end of a buffer that the
// caller owns. Decoders take a slice and never trust a length that they have
// not seen the bytes for; they return an *Error and never panic.
//
// The methods are generated (methods_gen.go) from spec.txt, a table of one
// line a field, with RabbitMQ's extensions in it.
package amqp
