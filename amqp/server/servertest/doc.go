// Package servertest runs a broker for a test, in the manner of httptest: Start
// gives one that listens on a free port of the loopback interface, and a
// connected amqp091-go client, in milliseconds. When the test ends, the broker
// ends, and a goroutine of it that does not end fails the test. Restart and Kill
// end it before that, cleanly or not, and start it again with what is durable.
package servertest
