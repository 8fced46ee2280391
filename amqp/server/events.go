package server

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

// What happens to connections, channels and consumers is told in the headers of
// RabbitMQ's plugin, as far as they have a meaning here. What is a process there has a
// name made of node, connection and channel.

// internalUser is who does what the broker does by itself.
const internalUser = "rmq-internal"

func field(name string, value any) amqp.Field { return amqp.Field{Name: name, Value: value} }

// doneBy says who did what an event tells.
func doneBy(user string) amqp.Field { return field("user_who_performed_action", user) }

// pid names the connection in events.
func (c *conn) pid() string { return vhost.ProcessName(c.srv.opts.NodeName, c.id, 0) }

// pid names the channel in events.
func (ch *channel) pid() string {
	return vhost.ProcessName(ch.conn.srv.opts.NodeName, ch.conn.id, ch.number)
}

func (c *conn) tellCreated() {
	if !c.srv.vhosts.Listened() {
		return
	}
	about := append(amqp.Table{
		field("pid", c.pid()),
		field("name", c.name()),
		field("user", c.user.Name),
		field("vhost", c.vhost.Name()),
		field("node", c.srv.opts.NodeName),
		field("type", "network"),
		field("protocol", "{0,9,1}"),
		field("auth_mechanism", c.mechanism),
		field("timeout", int64(c.tuned.heartbeat/time.Second)),
		field("frame_max", int64(c.tuned.frameMax)),
		field("channel_max", int64(c.tuned.channelMax)),
		field("connected_at", c.since.UnixMilli()),
		field("client_properties", vhost.Terms(c.face.Load().properties)),
	}, c.ends()...)
	about = append(about, secrecy(c.tls())...)
	c.srv.vhosts.Tell("connection.created", append(about, doneBy(c.user.Name)))
}

func (c *conn) tellClosed() {
	if c.srv.vhosts.Listened() {
		c.srv.vhosts.Tell("connection.closed", amqp.Table{
			field("pid", c.pid()), field("name", c.name()), field("node", c.srv.opts.NodeName),
			field("client_properties", vhost.Terms(c.face.Load().properties)),
		})
	}
}

// tellLogin tells of a login, or that it was refused.
func (c *conn) tellLogin(user, mechanism string, refused error) {
	if !c.srv.vhosts.Listened() {
		return
	}
	about := append(amqp.Table{
		field("name", user), field("auth_mechanism", mechanism), field("connection_type", "network"),
		field("connection_name", c.name()), field("protocol", "{0,9,1}"), field("ssl", c.tls() != nil),
	}, c.ends()...)
	what := "user.authentication.success"
	if refused != nil {
		what = "user.authentication.failure"
		about = append(about, field("error", refused.Error()))
	}
	c.srv.vhosts.Tell(what, about)
}

func (ch *channel) tellCreated() {
	c := ch.conn
	if c.srv.vhosts.Listened() {
		c.srv.vhosts.Tell("channel.created", amqp.Table{
			field("pid", ch.pid()), field("name", c.name()+" ("+strconv.Itoa(int(ch.number))+")"), field("connection", c.pid()),
			field("number", int64(ch.number)), field("user", c.user.Name), field("vhost", c.vhost.Name()), doneBy(c.user.Name),
		})
	}
}

func (ch *channel) tellClosed() {
	if c := ch.conn; c.srv.vhosts.Listened() {
		c.srv.vhosts.Tell("channel.closed", amqp.Table{field("pid", ch.pid()), doneBy(c.user.Name)})
	}
}

// told reports whether somebody is to be told of the consumer: that of direct reply-to
// is none to others.
func (c *consumer) told() bool {
	return c.ch.conn.srv.vhosts.Listened() && !strings.HasPrefix(c.queue.Name(), replyTo)
}

func (c *consumer) tellCreated(s *queue.Spec) {
	if conn := c.ch.conn; c.told() {
		conn.srv.vhosts.Tell("consumer.created", amqp.Table{
			field("consumer_tag", c.tag), field("exclusive", s.Exclusive), field("ack_required", !c.noAck), field("channel", c.ch.pid()),
			field("queue", c.queue.Name()), field("vhost", conn.vhost.Name()), field("prefetch_count", int64(c.prefetch)),
			field("arguments", vhost.Terms(s.Arguments)), doneBy(conn.user.Name),
		})
	}
}

// tellDeleted tells that the consumer is gone, by whom. Who took it out of its channel
// calls it.
func (c *consumer) tellDeleted(by string) {
	if conn := c.ch.conn; c.told() {
		conn.srv.vhosts.Tell("consumer.deleted", amqp.Table{
			field("consumer_tag", c.tag), field("channel", c.ch.pid()),
			field("queue", c.queue.Name()), field("vhost", conn.vhost.Name()), doneBy(by),
		})
	}
}

// tellAlarm tells that an alarm was raised or has ended.
func (s *Server) tellAlarm(a Alarm, on bool) {
	if !s.vhosts.Listened() {
		return
	}
	what := "alarm.cleared"
	if on {
		what = "alarm.set"
	}
	source := "memory"
	if a == AlarmDisk {
		source = "disk"
	}
	s.vhosts.Tell(what, amqp.Table{field("source", source), field("node", s.opts.NodeName)})
}

// ends are the addresses of a connection.
func (c *conn) ends() amqp.Table {
	peer := c.peer.Load()
	host, port := erlangAddr(peer.server)
	peerHost, peerPort := erlangAddr(peer.client)
	return amqp.Table{field("host", host), field("port", port), field("peer_host", peerHost), field("peer_port", peerPort)}
}

// erlangAddr returns host and port, which are unknown where there is no address.
func erlangAddr(a net.Addr) (host string, port any) {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return erlangIP(tcp.IP), int64(tcp.Port)
	}
	return "unknown", "unknown"
}

// erlangIP is an address as RabbitMQ's events have it: {127,0,0,1}.
func erlangIP(ip net.IP) string {
	var parts []string
	if four := ip.To4(); four != nil {
		for _, b := range four {
			parts = append(parts, strconv.Itoa(int(b)))
		}
	} else {
		for i := 0; i+1 < len(ip); i += 2 {
			parts = append(parts, strconv.Itoa(int(ip[i])<<8|int(ip[i+1])))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// secrecy is what TLS has agreed on, empty without.
func secrecy(state *tls.ConnectionState) amqp.Table {
	var protocol, cipher, subject, issuer, validity string
	if state != nil {
		protocol = strings.ReplaceAll(strings.ToLower(tls.VersionName(state.Version)), "tls ", "tlsv")
		cipher = tls.CipherSuiteName(state.CipherSuite)
		if len(state.PeerCertificates) > 0 {
			cert := state.PeerCertificates[0]
			subject, issuer = cert.Subject.String(), cert.Issuer.String()
			validity = cert.NotBefore.UTC().Format(time.RFC3339) + " - " + cert.NotAfter.UTC().Format(time.RFC3339)
		}
	}
	return amqp.Table{
		field("ssl", state != nil), field("ssl_protocol", protocol), field("ssl_cipher", cipher),
		field("ssl_key_exchange", ""), field("ssl_hash", ""),
		field("peer_cert_subject", subject), field("peer_cert_issuer", issuer), field("peer_cert_validity", validity),
	}
}
