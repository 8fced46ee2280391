// Command leveret is the broker as a program: flags and environment become
// Options, sockets are opened, and signals end it. Everything a broker does is
// in amqp/server and mgmt; nothing here knows AMQP.
//
//	leveret [serve] [flags]   run the broker; leveret --help lists the flags
//	leveret store check       verify the data of a broker that is not running
//	leveret store stats       tell how much it is
//	leveret version           print the versions of Leveret and of Go
//
// The first SIGINT or SIGTERM ends it gracefully, a second one at once. Exit
// codes: 0 after a graceful end, 1 when it could not start or failed, or data is
// damaged, 130 after a second signal. What keeps it from starting is one
// sentence on the standard error, where the logs go too.
package main
