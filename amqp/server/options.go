package server

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/rs/zerolog"
)

// Authenticator decides who may log in.
type Authenticator interface {
	// Authenticate returns the user of that name if the password is theirs. The
	// error says why not, for the log; the client learns only that it failed.
	Authenticate(name, password string, remote net.Addr) (auth.User, error)
}

// Authorizer is what an Authenticator may be too: it says what users may do. With one
// that is not, who is let in may do everything. The zero value of Options has both.
type Authorizer interface {
	// Rights returns what a user may do in a vhost; nil if they may not enter it.
	// What it returns does not change.
	Rights(user, vhost string) *auth.Rights
	// RightsVersion returns another number after each change of anybody's rights. It
	// is called for each message, so it must be quick.
	RightsVersion() uint64
}

// Recognizer is what an Authenticator may be too: it knows users without a password,
// as the mechanisms EXTERNAL and ANONYMOUS need. The zero value of Options has it.
type Recognizer interface {
	// Recognize returns the user of that name, if they may come from the address. The
	// error says why not, for the log.
	Recognize(name string, remote net.Addr) (auth.User, error)
}

// FirstUser is the user that a broker without users makes.
type FirstUser struct {
	// Name is guest if empty.
	Name string
	// Password is guest if empty.
	Password string
	// VHost is where the user has rights, "/" if empty. It is made if there is none.
	VHost string
	// Tags are the user's, nil for administrator.
	Tags []string
	// Permissions are the user's in VHost, the zero value for auth.All.
	Permissions auth.Permissions
	// None: there is no such user, because users come by another way.
	None bool
}

// Options are what a broker is made with. The zero value is a broker in memory
// that lets guest/guest in from this machine, without logs.
type Options struct {
	// Log receives what happens; nil for nothing.
	Log *zerolog.Logger
	// Store keeps what is durable; nil keeps everything in memory only. Nobody
	// may have written to it since it was opened. Who opened it closes it, after
	// Shutdown or Close.
	Store persistence.Store
	// MessageMemory is how many bytes of messages are kept in memory, about,
	// before those of long queues are left to Store alone; 0 for no limit. It
	// needs a Store.
	MessageMemory int64
	// Auth decides who may log in, and if it is an Authorizer also who may do what;
	// nil for the users of Server.VHosts, who are in the Store.
	Auth Authenticator
	// FirstUser is made if there are no users there yet.
	FirstUser FirstUser
	// LoopbackUsers are those of them who may come from this machine only; nil for
	// guest, empty for nobody.
	LoopbackUsers []string
	// Mechanisms are the SASL mechanisms by which clients may log in: MechanismPlain
	// and the others. Nil is for PLAIN and AMQPLAIN, ANONYMOUS if AnonymousUser is
	// set, and EXTERNAL if Auth is a Recognizer. EXTERNAL is only ever offered to a
	// client whose certificate was verified.
	Mechanisms []string
	// AnonymousUser is who comes by ANONYMOUS, without any proof; empty for nobody.
	AnonymousUser string
	// CertLogin says which name in a client's certificate is that of the user who
	// comes by EXTERNAL.
	CertLogin auth.CertLogin
	// MaxConnections is how many connections may be open; 0 for no limit. One more is
	// refused with 530.
	MaxConnections int
	// MaxUnauthenticated is how many connections may be under way, not open yet; 0
	// for 1024. While there are as many, Serve accepts no others.
	MaxUnauthenticated int
	// MaxTLSHandshakes is how many TLS handshakes may compute at the same time; 0 for
	// half of GOMAXPROCS, at least 1. Those that wait for their client do not count.
	MaxTLSHandshakes int
	// Product is what the server properties call the broker; empty for Leveret.
	// Some clients look for "RabbitMQ" there before they use what it does beyond
	// the specification.
	Product string
	// NodeName is what the broker is called in traced messages and in events; empty for
	// leveret@HOSTNAME.
	NodeName string
	// ClusterName is shown to clients, unless the global parameter cluster_name says
	// otherwise; empty for leveret@HOSTNAME.
	ClusterName string
	// FrameMax is the largest frame offered, in bytes: 4096 to 16 MiB; 0 for
	// 131072.
	FrameMax uint32
	// ChannelMax is the number of channels offered to a connection; 0 for 2047.
	ChannelMax uint16
	// Heartbeat is what is proposed to clients, in whole seconds: 0 for 60 s,
	// negative for none.
	Heartbeat time.Duration
	// HandshakeTimeout is how long a client may take to open its connection, with
	// PROXY header and TLS; 0 for 10 s.
	HandshakeTimeout time.Duration
	// MaxMessageSize is the largest body accepted, in bytes: up to 512 MiB; 0
	// for 128 MiB.
	MaxMessageSize int64
	// MaxConsumersPerChannel is how many consumers a channel may have, up to
	// 1,048,576; 0 for no limit.
	MaxConsumersPerChannel int
}

// maxConsumers is the largest limit of consumers that makes sense.
const maxConsumers = 1 << 20

// maxBody is the largest body that can be declared at all.
const maxBody = 512 << 20

// DefaultNodeName is what a broker is called that has no other name: leveret@HOSTNAME.
func DefaultNodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return "leveret@" + host
}

func (o Options) withDefaults() (Options, error) {
	if o.Log == nil {
		nop := zerolog.Nop()
		o.Log = &nop
	}
	o.FirstUser.Name = cmp.Or(o.FirstUser.Name, auth.Guest)
	o.FirstUser.Password = cmp.Or(o.FirstUser.Password, auth.Guest)
	o.FirstUser.VHost = cmp.Or(o.FirstUser.VHost, vhost.DefaultName)
	o.LoopbackUsers = slices.Clone(o.LoopbackUsers)
	if o.Product == "" {
		o.Product = "Leveret"
	}
	o.ClusterName = cmp.Or(o.ClusterName, DefaultNodeName())
	o.NodeName = cmp.Or(o.NodeName, DefaultNodeName())
	if o.FrameMax == 0 {
		o.FrameMax = amqp.DefaultFrameMax
	}
	if o.ChannelMax == 0 {
		o.ChannelMax = 2047
	}
	switch {
	case o.Heartbeat == 0:
		o.Heartbeat = 60 * time.Second
	case o.Heartbeat < 0:
		o.Heartbeat = 0
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = 128 << 20
	}
	switch {
	case o.FrameMax < amqp.MinFrameMax || o.FrameMax > 16<<20:
		return o, fmt.Errorf("frame max %d is not between %d and %d", o.FrameMax, amqp.MinFrameMax, 16<<20)
	case o.MaxMessageSize < 0 || o.MaxMessageSize > maxBody:
		return o, fmt.Errorf("max message size %d is not between 1 and %d", o.MaxMessageSize, maxBody)
	case o.Heartbeat%time.Second != 0 || o.Heartbeat > 65535*time.Second:
		return o, fmt.Errorf("heartbeat %s is not a whole number of seconds up to 65535", o.Heartbeat)
	case o.MessageMemory < 0:
		return o, fmt.Errorf("message memory %d is negative", o.MessageMemory)
	case o.MessageMemory > 0 && o.Store == nil:
		return o, errors.New("message memory is limited, but there is no store to take what does not fit")
	case o.MaxConsumersPerChannel < 0 || o.MaxConsumersPerChannel > maxConsumers:
		return o, fmt.Errorf("max consumers per channel %d is not between 0 and %d", o.MaxConsumersPerChannel, maxConsumers)
	case o.HandshakeTimeout < 0:
		return o, fmt.Errorf("handshake timeout %s is negative", o.HandshakeTimeout)
	}
	if err := o.checkMechanisms(); err != nil {
		return o, err
	}
	return o, o.checkCrowd()
}

// checkCrowd fills in how many connections there may be.
func (o *Options) checkCrowd() error {
	if o.MaxUnauthenticated == 0 {
		o.MaxUnauthenticated = 1024
	}
	if o.MaxTLSHandshakes == 0 {
		o.MaxTLSHandshakes = max(1, runtime.GOMAXPROCS(0)/2)
	}
	switch {
	case o.MaxConnections < 0:
		return fmt.Errorf("max connections %d is negative", o.MaxConnections)
	case o.MaxUnauthenticated < 0 || o.MaxUnauthenticated > maxUnauthenticated:
		return fmt.Errorf("max unauthenticated connections %d is not between 1 and %d", o.MaxUnauthenticated, maxUnauthenticated)
	case o.MaxTLSHandshakes < 0 || o.MaxTLSHandshakes > maxUnauthenticated:
		return fmt.Errorf("max TLS handshakes %d is not between 1 and %d", o.MaxTLSHandshakes, maxUnauthenticated)
	}
	return nil
}

// maxUnauthenticated is more than a process has sockets, as a rule.
const maxUnauthenticated = 1 << 20
