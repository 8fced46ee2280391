package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/memguard"
	"github.com/rs/zerolog"
)

// shutdownGrace is how long clients have to answer the close. It is below the
// ten seconds after which container runtimes kill.
const shutdownGrace = 8 * time.Second

// broker is what serve needs of a *server.Server.
type broker interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
	InService() error
	SetAlarm(server.Alarm, bool)
}

// serve runs a broker until a signal or a failure ends it.
func serve(p process, c config) error {
	memguard.Apply(c.memoryLimit)
	n := &node{log: newLogger(p.stderr, c)}
	if err := n.open(p, c); err != nil {
		n.bound.close()
		return errors.Join(err, n.data.close())
	}
	n.start(c)
	n.logReady()
	return n.wait(p.signals)
}

// node is a broker with the sockets it serves and the data it keeps.
type node struct {
	// immutable once open
	log    zerolog.Logger
	data   data
	broker broker
	bound  sockets
	http   *http.Server // nil = off
	memory *memguard.Guard

	failed  chan error     // one of each socket that failed by itself; never blocks
	serving sync.WaitGroup // one goroutine a socket
}

// open opens everything, what fails soonest first. What is open when it fails is
// left to the caller.
func (n *node) open(p process, c config) (err error) {
	if err := n.data.openDir(c); err != nil {
		return err
	}
	if n.bound, err = listen(c); err != nil {
		return err
	}
	if err := n.data.openStore(p, c, &n.log); err != nil {
		return err
	}
	o := server.Options{Log: &n.log, MaxMessageSize: c.maxMessageSize, Product: c.productName, MaxConsumersPerChannel: c.maxConsumers,
		FirstUser: c.firstUser, LoopbackUsers: c.loopbackUsers}
	if n.data.store != nil {
		o.Store, o.MessageMemory = n.data.store, memguard.Messages(c.memoryLimit)
	}
	n.broker, err = p.open(o)
	return err
}

// start lets the guards watch and the sockets serve.
func (n *node) start(c config) {
	n.memory = memguard.New(memguard.Options{Limit: c.memoryLimit, Log: &n.log})
	n.memory.Watch(func(on bool) { n.broker.SetAlarm(server.AlarmMemory, on) })
	if n.data.disk != nil {
		n.data.disk.Watch(func(on bool) { n.broker.SetAlarm(server.AlarmDisk, on) })
	}
	n.failed = make(chan error, len(n.bound.amqp)+1)
	for _, l := range n.bound.amqp {
		n.serving.Go(func() {
			if err := n.broker.Serve(l); err != nil && !errors.Is(err, server.ErrServerClosed) {
				n.failed <- fmt.Errorf("AMQP listener: %w", err)
			}
		})
	}
	if n.bound.http == nil {
		return
	}
	n.http = newHTTPServer(n.broker, n.log)
	n.serving.Go(func() {
		if err := n.http.Serve(n.bound.http); !errors.Is(err, http.ErrServerClosed) {
			n.failed <- fmt.Errorf("HTTP listener: %w", err)
		}
	})
}

// logReady says where the broker can be reached, with the ports that a port 0
// became.
func (n *node) logReady() {
	addresses := make([]string, len(n.bound.amqp))
	for i, l := range n.bound.amqp {
		addresses[i] = l.Addr().String()
	}
	e := n.log.Info().Str("version", server.Version).Int("pid", os.Getpid()).Strs("amqp", addresses)
	if n.bound.http != nil {
		e = e.Str("http", n.bound.http.Addr().String())
	}
	if dir := n.data.dir; dir != nil {
		e = e.Str("data_dir", dir.Path()).Str("node_id", dir.NodeID())
	} else {
		e = e.Bool("in_memory", true)
	}
	e.Msg("ready")
}

// wait returns when the node is down: nil after a signal and a graceful end.
func (n *node) wait(signals <-chan os.Signal) error {
	var failure error
	select {
	case sig := <-signals:
		n.log.Info().Stringer("signal", sig).Msg("shutting down; a second signal ends at once")
	case failure = <-n.failed:
		n.log.Error().Err(failure).Msg("a listener failed; shutting down")
	}

	down := make(chan error, 1)
	go func() { down <- n.shutdown() }()
	select {
	case sig := <-signals:
		// Nobody waits for the shutdown: the process ends under it.
		n.log.Warn().Stringer("signal", sig).Msg("ended at once")
		return exit(exitKilled)
	case err := <-down:
		if err != nil {
			n.log.Warn().Err(err).Dur("grace", shutdownGrace).Msg("clients that did not close in time were cut off")
		}
	}
	if err := n.data.close(); err != nil {
		n.log.Error().Err(err).Msg("the store has failed")
		failure = err
	}
	n.log.Info().Msg("stopped")
	if failure != nil {
		return exit(exitFailed)
	}
	return nil
}

// shutdown ends the broker first, so that meanwhile health checks answer that
// it is out of service. The error is that of the broker.
func (n *node) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	err := n.broker.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, n.broker.Close())
	}
	if n.http != nil && n.http.Shutdown(ctx) != nil {
		n.http.Close()
	}
	n.serving.Wait()
	n.memory.Close()
	if n.data.disk != nil {
		n.data.disk.Close()
	}
	return err
}
