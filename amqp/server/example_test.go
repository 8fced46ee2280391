package server_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/leveretmq/leveret/amqp/server"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// A broker inside a program: any client of the machine can dial its listener,
// and the program itself is connected without a socket.
func Example() {
	ctx := context.Background()
	b, err := server.Open(server.Options{}) // in memory; guest/guest from this machine; no logs
	check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go b.Serve(l) // any net.Listener, as many as wanted; returns after Shutdown
	guest := &amqp091.PlainAuth{Username: "guest", Password: "guest"}
	conn, err := amqp091.Open(b.Pipe(), amqp091.Config{SASL: []amqp091.Authentication{guest}, Vhost: "/"})
	check(err)
	greet(ctx, conn)
	check(b.Shutdown(ctx)) // closes clients with 320 and waits for them

	// Output: hello
}

// greet sends a message through a queue and prints it.
func greet(ctx context.Context, conn *amqp091.Connection) {
	ch, err := conn.Channel()
	check(err)
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	check(err)
	check(ch.PublishWithContext(ctx, "", q.Name, false, false, amqp091.Publishing{Body: []byte("hello")}))
	d, _, err := ch.Get(q.Name, true)
	check(err)
	fmt.Printf("%s\n", d.Body)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
