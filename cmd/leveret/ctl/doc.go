// Package ctl is leveret ctl, and what the program is under the names rabbitmqctl
// and rabbitmq-diagnostics: a client of the management API. It knows the broker by
// that API only, so it works with RabbitMQ too.
//
// A verb (verb.go) has a name, arguments, options and a function; the files named
// after nouns hold them. parse (args.go) makes an invocation of a command line,
// execute (run.go) carries it out as a call, whose methods (output.go, table.go,
// value.go) write what comes of it. The texts, columns and exit codes are those of
// rabbitmqctl 3.10; testdata holds what it printed.
package ctl
