// Package definitions is the file by which brokers are carried over: users,
// vhosts, rights, parameters, policies, exchanges, queues and bindings as JSON,
// in the form of RabbitMQ 3.10 and 4.x, both ways.
//
// An import is understood as a whole (Parse), held as a whole against the broker
// (Check), and only then applied in RabbitMQ's order (Apply). Check does it all
// once in a broker in memory that has what the file is about: so what it refuses,
// and in which words, is what the broker itself would refuse. What RabbitMQ has
// and this broker has not, streams, shovels and federation, is refused by name,
// or left out if ParseOptions say so.
package definitions
