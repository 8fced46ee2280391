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
	"github.com/leveretmq/leveret/persistence/datadir"
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
}

// serve runs a broker until a signal or a failure ends it. Until it is ready
// it logs nothing, so that an error is the only thing to read.
func serve(p process, c config) error {
	var dir *datadir.Dir // nil with --in-memory
	if !c.inMemory {
		var err error
		if dir, err = datadir.Open(c.dataDir); err != nil {
			return err
		}
		defer dir.Close()
	}
	bound, err := listen(c)
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, c)
	b, err := p.open(server.Options{Log: &log, MaxMessageSize: c.maxMessageSize, Product: c.productName})
	if err != nil {
		bound.close()
		return err
	}
	n := &node{log: log, broker: b, bound: bound, failed: make(chan error, len(bound.amqp)+1)}
	n.start()
	n.logReady(dir)
	return n.wait(p.signals)
}

// node is a broker with the sockets it serves.
type node struct {
	// immutable
	log    zerolog.Logger
	broker broker
	bound  sockets
	http   *http.Server // nil = off

	failed  chan error     // one of each socket that failed by itself; never blocks
	serving sync.WaitGroup // one goroutine a socket
}

func (n *node) start() {
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
// became, and what a user should know about this version.
func (n *node) logReady(dir *datadir.Dir) {
	if dir != nil {
		n.log.Warn().Str("data_dir", dir.Path()).
			Msg("messages and definitions are kept in memory only in this version; they end with the process")
	}
	addresses := make([]string, len(n.bound.amqp))
	for i, l := range n.bound.amqp {
		addresses[i] = l.Addr().String()
	}
	e := n.log.Info().Str("version", server.Version).Int("pid", os.Getpid()).Strs("amqp", addresses)
	if n.bound.http != nil {
		e = e.Str("http", n.bound.http.Addr().String())
	}
	if dir != nil {
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
	return err
}
