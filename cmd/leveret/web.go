package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/certs"
	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/mgmt/metrics"
)

// serveHTTP serves the management API, metrics and profiles, each where it is to be.
func (n *node) serveHTTP(c config) {
	if n.bound.http != nil || n.bound.https != nil {
		n.api = mgmt.New(n.broker, n.mgmtOptions(c))
		s := newHTTPServer(n.api, n.log)
		if n.certs != nil {
			s.TLSConfig = n.certs.Config(certs.Use{Protocols: []string{"h2", "http/1.1"}, NoClients: true})
		}
		n.serveOn("HTTP", s, n.bound.http, s.Serve)
		n.serveOn("HTTPS", s, n.bound.https, func(l net.Listener) error { return s.ServeTLS(l, "", "") })
	}
	if n.bound.metrics != nil {
		s := newHTTPServer(metrics.New(n.broker, n.metricsOptions(c)), n.log)
		n.serveOn("metrics", s, n.bound.metrics, s.Serve)
	}
	if n.bound.pprof != nil {
		s := newHTTPServer(profiles(), n.log)
		s.WriteTimeout = 0
		n.serveOn("pprof", s, n.bound.pprof, s.Serve)
	}
}

// serveOn serves a listener, if there is one.
func (n *node) serveOn(what string, s *http.Server, l net.Listener, serve func(net.Listener) error) {
	if l == nil {
		return
	}
	n.http = append(n.http, s)
	n.serving.Go(func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.failed <- fmt.Errorf("%s listener: %w", what, err)
		}
	})
}

func (n *node) mgmtOptions(c config) mgmt.Options {
	o := mgmt.Options{
		Log: &n.log, NodeName: c.names.node, ClusterName: c.names.cluster, Product: c.names.product,
		Started: n.started, Effective: c.effective, Mechanisms: c.login.mechanisms,
	}
	if n.data.dir != nil {
		o.DataDir = n.data.dir.Path()
	}
	add := func(protocol string, secure bool, all ...net.Listener) {
		for _, l := range all {
			if l == nil {
				continue
			}
			at := mgmt.Listener{Protocol: protocol, Address: l.Addr(), TLS: secure}
			if secure {
				at.Expires = n.expires
			}
			o.Listeners = append(o.Listeners, at)
		}
	}
	add("amqp", false, n.bound.amqp...)
	add("amqp/ssl", true, n.bound.amqps...)
	add("http", false, n.bound.http)
	add("https", true, n.bound.https)
	add("http/prometheus", false, n.bound.metrics)
	o.Resources = func() mgmt.Resources {
		r := mgmt.Resources{MemoryLimit: c.memoryLimit, DiskFreeLimit: c.diskFreeLimit, ConnectionLimit: c.limits.connections}
		if n.data.disk != nil {
			r.DiskFree = n.data.disk.Free()
		}
		if n.data.store != nil {
			st := n.data.store.Stats()
			r.MessagesWritten, r.Syncs = st.Records, st.Syncs
			r.SyncTime = time.Duration(st.CommitTimes.Sum * float64(time.Second))
		}
		return r
	}
	return o
}

func (n *node) metricsOptions(c config) metrics.Options {
	o := metrics.Options{
		Log: &n.log, NodeName: c.names.node, ClusterName: c.names.cluster, Product: c.names.product, Started: n.started,
		Resources: func() metrics.Resources {
			r := metrics.Resources{MemoryLimit: c.memoryLimit, DiskFreeLimit: c.diskFreeLimit}
			if n.data.disk != nil {
				r.DiskFree = n.data.disk.Free()
			}
			return r
		},
	}
	if n.data.store != nil {
		o.Store = n.data.store.Stats
	}
	return o
}

// expires is when the first of the certificates ends.
func (n *node) expires() (first time.Time) {
	for _, c := range n.certs.Certificates() {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}

// openTLS reads the certificates.
func (n *node) openTLS(c config) (err error) {
	if c.tls.certs == nil {
		return nil
	}
	n.certs, err = certs.Load(*c.tls.certs)
	return err
}

// reload reads the certificates again, for connections to come.
func (n *node) reload() {
	if n.certs == nil {
		n.log.Info().Msg("nothing to be read again: there are no certificates")
		return
	}
	if err := n.certs.Reload(); err != nil {
		n.log.Error().Err(err).Msg("the certificates could not be read again; those before stay")
		return
	}
	n.log.Info().Time("first_ends", n.expires()).Msg("certificates read again")
}

// listenOptions are those of the AMQP sockets.
func (n *node) listenOptions(c config, secure bool) server.ListenOptions {
	o := server.ListenOptions{TrustedProxies: c.listen.proxies}
	if secure {
		o.TLS = n.certs.Config(certs.Use{})
	}
	return o
}
