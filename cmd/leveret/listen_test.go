package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

func TestListenBindsAllOrNone(t *testing.T) {
	s, err := listen(config{listen: listenConfig{amqp: []string{"127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	address := s.amqp[0].Addr().String()
	s.close()
	// The second of these is taken by the first, so both are let go.
	_, err = listen(config{listen: listenConfig{amqp: []string{address, address}}})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("error %v, want address in use", err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the first address is still bound: %v", err)
	}
	l.Close()
}

func TestHTTPRefusesHugeHeaders(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := newHTTPServer(http.NotFoundHandler(), zerolog.New(io.Discard))
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	defer func() {
		h.Close()
		<-served
	}()
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 {
		t.Error("a timeout is missing")
	}
	req, err := http.NewRequest("GET", "http://"+l.Addr().String()+"/api/health/checks/is-in-service", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 1<<17))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("128 KiB of headers get %d, want 431", res.StatusCode)
	}
}
