package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// sockets are the addresses that this process has bound; nil = off.
type sockets struct {
	amqp, amqps                 []net.Listener
	http, https, metrics, pprof net.Listener
}

// listen binds all addresses or none.
func listen(c config) (s sockets, err error) {
	defer func() {
		if err != nil {
			s.close()
			s = sockets{}
		}
	}()
	l := &c.listen
	if s.amqp, err = listenAll("AMQP", l.amqp); err != nil {
		return s, err
	}
	if s.amqps, err = listenAll("AMQPS", l.amqps); err != nil {
		return s, err
	}
	for _, of := range []struct {
		what, address string
		to            *net.Listener
	}{
		{"HTTP", l.http, &s.http}, {"HTTPS", l.https, &s.https}, {"metrics", l.metrics, &s.metrics}, {"pprof", l.pprof, &s.pprof},
	} {
		if of.address == "" {
			continue
		}
		if *of.to, err = listenTCP(of.what, of.address); err != nil {
			return s, err
		}
	}
	return s, nil
}

func listenAll(what string, addresses []string) (all []net.Listener, err error) {
	for _, address := range addresses {
		l, err := listenTCP(what, address)
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
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

// all are the listeners that there are.
func (s sockets) all() (all []net.Listener) {
	all = append(append(all, s.amqp...), s.amqps...)
	for _, l := range []net.Listener{s.http, s.https, s.metrics, s.pprof} {
		if l != nil {
			all = append(all, l)
		}
	}
	return all
}

// close closes what nobody serves yet.
func (s sockets) close() {
	for _, l := range s.all() {
		l.Close()
	}
}

// newHTTPServer serves a handler. Its limits keep idle, slow and oversized requests
// from holding on to a connection; a handler that streams moves its own deadlines.
func newHTTPServer(h http.Handler, log zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          warnings(log),
	}
}

// profiles are Go's profiles, which take as long as they are asked to.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
