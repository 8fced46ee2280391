package mgmt

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/rs/zerolog"
)

// Broker is what the API needs of a broker; a *server.Server is one. Its methods are
// called by many goroutines at once.
type Broker interface {
	// InService returns nil while the broker accepts and serves connections,
	// else an error that says why it does not.
	InService() error
	// VHosts are the vhosts with all that is in them, and the users.
	VHosts() *vhost.Registry
	// Login checks a name and a password.
	Login(ctx context.Context, name, password string, remote net.Addr) (auth.User, error)
	// ConnectionInfos are the connections by id, ChannelInfos the channels by
	// connection and number.
	ConnectionInfos() []server.ConnectionInfo
	ChannelInfos() []server.ChannelInfo
	// ConnectionRef says whose connection has an id.
	ConnectionRef(id uint64) (server.ConnectionRef, bool)
	// CloseConnection closes a connection with 320 and a reason; false if it is gone.
	CloseConnection(id uint64, reason string) bool
	// As lets a user who has logged in do in a vhost what they may do there; the error
	// says that they may not enter it.
	As(user auth.User, v *vhost.VHost) (*server.Actor, error)
	// Totals are the broker's numbers since its start.
	Totals() server.Totals
	// Alarms are those that are raised.
	Alarms() server.Alarm
	// Backup writes a backup of what is stored; server.ErrNoBackup if nothing is.
	Backup(w io.Writer) error
}

// Options are the choices of New. The zero value is usable.
type Options struct {
	// Log gets one line a panic, with its stack, and one a failure of ours; nil =
	// no logs.
	Log *zerolog.Logger
	// NodeName is what the API calls this broker; empty for leveret@HOSTNAME.
	NodeName string
	// ClusterName is used unless the global parameter cluster_name says otherwise;
	// empty for NodeName.
	ClusterName string
	// Product and Version are what the overview names; empty for Leveret and
	// server.Version.
	Product, Version string
	// Listeners are the sockets that clients reach the broker by.
	Listeners []Listener
	// Mechanisms are the SASL mechanisms by which clients log in; nil for PLAIN and
	// AMQPLAIN.
	Mechanisms []string
	// Started is when the broker was started; zero for the call of New.
	Started time.Time
	// Resources tells about machine and process; nil: what the process can find
	// out by itself, without limits.
	Resources func() Resources
	// Effective is the configuration in force, for /api/config/effective, without
	// secrets; nil for none.
	Effective any
	// DataDir is where the data is; empty if it is in memory only.
	DataDir string
	// MaxBody is the largest request body, in bytes; 0 for RabbitMQ's 20,000,000.
	MaxBody int64
}

// Listener is a socket that clients reach the broker by.
type Listener struct {
	// Protocol is RabbitMQ's name: amqp, amqp/ssl, http, https, http/prometheus.
	Protocol string
	Address  net.Addr
	TLS      bool
	// Expires says when the certificate ends, if it is TLS.
	Expires func() time.Time
}

// Resources are what the broker has and uses, in bytes and in numbers; 0 = not
// known.
type Resources struct {
	Memory, MemoryLimit     int64
	DiskFree, DiskFreeLimit int64
	// ConnectionLimit is how many connections the broker takes.
	ConnectionLimit int
	// MessagesWritten and MessagesRead count what went into the store, and what was
	// read back. Syncs are its fsyncs, SyncTime is what they took together.
	MessagesWritten, MessagesRead uint64
	Syncs                         uint64
	SyncTime                      time.Duration
}

// New returns the API of a broker. The handler is safe for concurrent use. A panic
// while a request is answered becomes a 500 and a line in the log. Whoever made it
// ends it with Close, which ends what it does by the clock.
func New(b Broker, o Options) *API {
	log := zerolog.Nop()
	if o.Log != nil {
		log = *o.Log
	}
	o.NodeName = cmp.Or(o.NodeName, server.DefaultNodeName())
	o.ClusterName = cmp.Or(o.ClusterName, o.NodeName)
	o.Product = cmp.Or(o.Product, "Leveret")
	o.Version = cmp.Or(o.Version, server.Version)
	o.MaxBody = cmp.Or(o.MaxBody, 20_000_000)
	if o.Mechanisms == nil {
		o.Mechanisms = []string{server.MechanismPlain, server.MechanismAMQPlain}
	}
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	a := &API{
		broker: b, vhosts: b.VHosts(), opts: o, log: log,
		tokens: newTokens(), process: newProcess(), sampler: newSampler(),
	}
	a.endpoints = endpoints()
	for _, e := range a.endpoints {
		a.router.handle(e.pattern, e.method, a.serve(e))
	}
	a.sample(time.Now())
	go a.sampleAll()
	return a
}

// API is the management API of a broker.
type API struct {
	// immutable
	broker    Broker
	vhosts    *vhost.Registry
	opts      Options
	log       zerolog.Logger
	router    router
	endpoints []endpoint
	tokens    *tokens
	process   *process
	sampler   *sampler

	redrives redrives
	backups  sync.Mutex // held while a backup is written

	limiting sync.Mutex // held while limits of one thing are read and set
	ended    sync.Once
	// forgotten are the log-ins that are not counted any more.
	forgotten forgotten
}

// Close ends what the API does by the clock, and redrives that are under way. It may be
// called again.
func (a *API) Close() {
	a.ended.Do(func() { close(a.sampler.stop) })
	<-a.sampler.stopped
	a.redrives.close()
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v) // net/http's own way to drop a connection
		}
		a.log.Error().Str("method", r.Method).Str("path", r.URL.Path).
			Str("panic", fmt.Sprint(v)).Bytes("stack", debug.Stack()).
			Msg("request failed")
		respondError(w, http.StatusInternalServerError, "internal_server_error", "Internal Server Error")
	}()
	a.router.ServeHTTP(w, r)
}
