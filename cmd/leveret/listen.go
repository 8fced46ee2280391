package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/leveretmq/leveret/mgmt"
	"github.com/rs/zerolog"
)

// sockets are the addresses that this process has bound.
type sockets struct {
	amqp []net.Listener
	http net.Listener // nil = off
}

// listen binds all addresses or none.
func listen(c config) (sockets, error) {
	var s sockets
	for _, address := range c.amqpListen {
		l, err := listenTCP("AMQP", address)
		if err != nil {
			s.close()
			return sockets{}, err
		}
		s.amqp = append(s.amqp, l)
	}
	if c.httpListen != "" {
		l, err := listenTCP("HTTP", c.httpListen)
		if err != nil {
			s.close()
			return sockets{}, err
		}
		s.http = l
	}
	return s, nil
}

func listenTCP(what, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for %s on %s: %w", what, address, cause(err))
	}
	return l, nil
}

// cause strips what package net puts before an error, because our sentence
// names the address already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// close closes what nobody serves yet.
func (s sockets) close() {
	for _, l := range s.amqp {
		l.Close()
	}
	if s.http != nil {
		s.http.Close()
	}
}

// newHTTPServer mounts the management API. Its limits keep idle, slow and
// oversized requests from holding on to a connection.
func newHTTPServer(b mgmt.Broker, log zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:           mgmt.New(b, mgmt.Options{Log: &log}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          warnings(log),
	}
}
