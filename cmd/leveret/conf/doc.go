// Package conf reads a configuration file in the form of rabbitmq.conf: lines like
// listeners.tcp.default = 5672. What a key means here is a flag of the program, with
// which and with whose rules it is read on; keys.go is the list. A key that RabbitMQ
// does not know either is refused by name; one that has no meaning here (ignored.go) is
// warned about, so that a file that has served RabbitMQ serves Leveret.
package conf
