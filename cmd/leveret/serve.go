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

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/certs"
	"github.com/leveretmq/leveret/cmd/leveret/memguard"
	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/rs/zerolog"
)

// shutdownGrace is how long clients have to answer the close. It is below the
// ten seconds after which container runtimes kill.
const shutdownGrace = 8 * time.Second

// broker is what serve needs of a *server.Server.
type broker interface {
	mgmt.Broker
	ServeWith(net.Listener, server.ListenOptions) error
	Shutdown(context.Context) error
	Close() error
	SetAlarm(server.Alarm, bool)
}

// serve runs a broker until a signal or a failure ends it.
func serve(p process, c config) error {
	memguard.Apply(c.memoryLimit)
	n := &node{log: newLogger(p.stderr, c), started: time.Now()}
	for _, w := range c.warnings {
		n.log.Warn().Str("reason", w).Msg("configuration")
	}
	if err := n.open(p, c); err != nil {
		n.bound.close()
		return errors.Join(err, n.data.close())
	}
	n.start(c)
	n.logReady()
	notify(daemon.SdNotifyReady)
	return n.wait(p.signals, p.hangups)
}

// node is a broker with the sockets it serves and the data it keeps.
type node struct {
	// immutable once open
	log         zerolog.Logger
	started     time.Time
	data        data
	certs       *certs.Source     // nil without TLS
	definitions *definitions.File // to be loaded; nil = none
	broker      broker
	bound       sockets
	api         *mgmt.API // nil = off
	http        []*http.Server
	memory      *memguard.Guard

	failed  chan error     // one of each socket that failed by itself; never blocks
	serving sync.WaitGroup // one goroutine a socket
}

// open opens everything, what fails soonest first. What is open when it fails is
// left to the caller.
func (n *node) open(p process, c config) (err error) {
	if err := n.openTLS(c); err != nil {
		return err
	}
	if err := n.readDefinitionsFile(c); err != nil {
		return err
	}
	if err := n.data.openDir(c); err != nil {
		return err
	}
	if n.bound, err = listen(c); err != nil {
		return err
	}
	if err := n.data.openStore(p, c, &n.log); err != nil {
		return err
	}
	o := server.Options{Log: &n.log, Product: c.names.product, ClusterName: c.names.cluster, NodeName: c.names.node, FirstUser: c.firstUser, LoopbackUsers: c.loopbackUsers}
	o.FirstUser.None = n.definitions != nil
	c.limits.apply(&o)
	c.login.apply(&o)
	if n.data.store != nil {
		o.Store, o.MessageMemory = n.data.store, memguard.Messages(c.memoryLimit)
	}
	if n.broker, err = p.open(o); err != nil {
		return err
	}
	if err := n.loadDefinitions(c); err != nil {
		return errors.Join(err, n.broker.Close())
	}
	return nil
}

// start lets the guards watch and the sockets serve.
func (n *node) start(c config) {
	n.memory = memguard.New(memguard.Options{Limit: c.memoryLimit, Log: &n.log})
	n.memory.Watch(func(on bool) { n.broker.SetAlarm(server.AlarmMemory, on) })
	if n.data.disk != nil {
		n.data.disk.Watch(func(on bool) { n.broker.SetAlarm(server.AlarmDisk, on) })
	}
	n.failed = make(chan error, len(n.bound.all()))
	for _, l := range n.bound.amqp {
		n.serveAMQP("AMQP", l, n.listenOptions(c, false))
	}
	for _, l := range n.bound.amqps {
		n.serveAMQP("AMQPS", l, n.listenOptions(c, true))
	}
	n.serveHTTP(c)
}

func (n *node) serveAMQP(what string, l net.Listener, o server.ListenOptions) {
	n.serving.Go(func() {
		if err := n.broker.ServeWith(l, o); err != nil && !errors.Is(err, server.ErrServerClosed) {
			n.failed <- fmt.Errorf("%s listener: %w", what, err)
		}
	})
}

// logReady says where the broker can be reached, with the ports that a port 0
// became.
func (n *node) logReady() {
	e := n.log.Info().Str("version", server.Version).Int("pid", os.Getpid()).Strs("amqp", addressesOf(n.bound.amqp))
	if len(n.bound.amqps) > 0 {
		e = e.Strs("amqps", addressesOf(n.bound.amqps))
	}
	for _, of := range []struct {
		name string
		l    net.Listener
	}{{"http", n.bound.http}, {"https", n.bound.https}, {"metrics", n.bound.metrics}, {"pprof", n.bound.pprof}} {
		if of.l != nil {
			e = e.Str(of.name, of.l.Addr().String())
		}
	}
	if dir := n.data.dir; dir != nil {
		e = e.Str("data_dir", dir.Path()).Str("node_id", dir.NodeID())
	} else {
		e = e.Bool("in_memory", true)
	}
	e.Msg("ready")
}

func addressesOf(all []net.Listener) []string {
	addresses := make([]string, len(all))
	for i, l := range all {
		addresses[i] = l.Addr().String()
	}
	return addresses
}

// run waits for a reason to end; nil if it is a signal.
func (n *node) run(signals, hangups <-chan os.Signal) error {
	alive, stop := watchdog()
	defer stop()
	for {
		select {
		case sig := <-signals:
			n.log.Info().Stringer("signal", sig).Msg("shutting down; a second signal ends at once")
			return nil
		case failure := <-n.failed:
			n.log.Error().Err(failure).Msg("a listener failed; shutting down")
			return failure
		case <-hangups:
			n.reload()
		case <-alive:
			if n.broker.InService() == nil {
				notify(daemon.SdNotifyWatchdog)
			}
		}
	}
}

// wait returns when the node is down: nil after a signal and a graceful end.
func (n *node) wait(signals, hangups <-chan os.Signal) error {
	failure := n.run(signals, hangups)
	notify(daemon.SdNotifyStopping)
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

// closeAPI ends what the management API has under way, such as redrives, while there are
// queues; on a disk that hangs not even that is waited for.
func (n *node) closeAPI(ctx context.Context) {
	if n.api == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		n.api.Close()
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
}

// shutdown ends the broker first, so that meanwhile health checks answer that
// it is out of service. The error is that of the broker.
func (n *node) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	n.closeAPI(ctx)
	err := n.broker.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, n.broker.Close())
	}
	for _, s := range n.http {
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
	}
	n.serving.Wait()
	n.memory.Close()
	if n.data.disk != nil {
		n.data.disk.Close()
	}
	return err
}
