package server

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
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

// FirstUser is the administrator that a broker without users makes.
type FirstUser struct {
	// Name is guest if empty.
	Name string
	// Password is guest if empty.
	Password string
	// VHost is where the user has all rights, "/" if empty. It is made if there is
	// none.
	VHost string
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
	// Product is what the server properties call the broker; empty for Leveret.
	// Some clients look for "RabbitMQ" there before they use what it does beyond
	// the specification.
	Product string
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
	// HandshakeTimeout is how long a client may take to open its connection; 0
	// for 10 s.
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
	if o.ClusterName == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		o.ClusterName = "leveret@" + host
	}
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
	return o, nil
}
