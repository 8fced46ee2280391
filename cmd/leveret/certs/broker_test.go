package certs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/amqp/server/tlstest"
	"github.com/leveretmq/leveret/vhost/auth"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// patience is how long anything that should happen at once may take.
const patience = 10 * time.Second

// secureBroker is a broker with TLS that asks its clients for certificates.
type secureBroker struct {
	t      *testing.T
	dir    string
	source *Source
	ca     *tlstest.CA
	url    string
}

// startSecure runs a broker until the test ends. client has an account there.
func startSecure(t *testing.T, require bool) *secureBroker {
	t.Helper()
	b := &secureBroker{t: t, dir: t.TempDir(), ca: tlstest.NewCA(t, "ca")}
	b.write(b.ca)
	var err error
	if b.source, err = Load(Options{Pairs: []Pair{{filepath.Join(b.dir, "server.pem"), filepath.Join(b.dir, "server.key")}},
		CA: filepath.Join(b.dir, "ca.pem"), Verify: true, Require: require}); err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(server.Options{CertLogin: auth.CertLogin{From: auth.FromCommonName}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeWith(l, server.ListenOptions{TLS: b.source.Config(Use{})}) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, server.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	for _, err := range []error{
		s.VHosts().PutUser(auth.Account{User: auth.User{Name: "client"}}),
		s.VHosts().SetPermissions("client", "/", auth.All),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.url = "amqps://" + l.Addr().String() + "/"
	return b
}

// write writes all files, of certificates by this authority.
func (b *secureBroker) write(ca *tlstest.CA) {
	b.t.Helper()
	tlstest.Write(b.t, b.dir, "server", ca.Server("broker.example"))
	authorityFile(b.t, b.dir, "ca.pem", ca)
}

// dial connects with the certificate of that name, none if it is empty.
func (b *secureBroker) dial(ca *tlstest.CA, name string, how amqp091.Authentication) (*amqp091.Connection, error) {
	c := &tls.Config{ServerName: "broker.example", RootCAs: ca.Pool}
	if name != "" {
		c.Certificates = []tls.Certificate{ca.Client(name)}
	}
	conn, err := amqp091.DialConfig(b.url, amqp091.Config{SASL: []amqp091.Authentication{how}, TLSClientConfig: c, Vhost: "/"})
	if err == nil {
		b.t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// roundTrip sends a message of that size through a queue of its own.
func (b *secureBroker) roundTrip(conn *amqp091.Connection, size int) {
	b.t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		b.t.Fatal(err)
	}
	defer ch.Close()
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	body := bytes.Repeat([]byte("hare"), size/4)
	if err := ch.Publish("", q.Name, false, false, amqp091.Publishing{Body: body}); err != nil {
		b.t.Fatal(err)
	}
	select {
	case d := <-got:
		if !bytes.Equal(d.Body, body) {
			b.t.Errorf("of %d bytes %d came, or others", len(body), len(d.Body))
		}
	case <-time.After(patience):
		b.t.Fatal("nothing came")
	}
}

func TestLoginByCertificate(t *testing.T) {
	b := startSecure(t, false)
	conn, err := b.dial(b.ca, "client", &amqp091.ExternalAuth{})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 100, 5 << 10, 1 << 20} {
		b.roundTrip(conn, size)
	}
	byPassword, err := b.dial(b.ca, "", &amqp091.PlainAuth{Username: "guest", Password: "guest"})
	if err != nil {
		t.Fatal(err)
	}
	b.roundTrip(byPassword, 100)
	if _, err := b.dial(b.ca, "", &amqp091.ExternalAuth{}); !errors.Is(err, amqp091.ErrSASL) {
		t.Errorf("EXTERNAL without a certificate: %v", err)
	}
	if _, err := b.dial(b.ca, "nobody", &amqp091.ExternalAuth{}); !errors.Is(err, amqp091.ErrCredentials) {
		t.Errorf("EXTERNAL as nobody: %v", err)
	}
}

func TestClientWithoutCertificateIsRefused(t *testing.T) {
	b := startSecure(t, true)
	if _, err := b.dial(b.ca, "", &amqp091.PlainAuth{Username: "guest", Password: "guest"}); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without: %v", err)
	}
	stranger := tlstest.NewCA(t, "stranger")
	stranger.Pool = b.ca.Pool // it trusts the broker all the same
	if _, err := b.dial(stranger, "client", &amqp091.ExternalAuth{}); err == nil {
		t.Error("the certificate of a stranger is good")
	}
	conn, err := b.dial(b.ca, "client", &amqp091.ExternalAuth{})
	if err != nil {
		t.Fatal(err)
	}
	b.roundTrip(conn, 100)
}

func TestReloadKeepsConnections(t *testing.T) {
	b := startSecure(t, true)
	old, err := b.dial(b.ca, "client", &amqp091.ExternalAuth{})
	if err != nil {
		t.Fatal(err)
	}
	b.roundTrip(old, 100)
	next := tlstest.NewCA(t, "next")
	b.write(next)
	if err := b.source.Reload(); err != nil {
		t.Fatal(err)
	}
	b.roundTrip(old, 1<<20)
	if _, err := b.dial(b.ca, "client", &amqp091.ExternalAuth{}); err == nil {
		t.Error("the authority of before is still good")
	}
	fresh, err := b.dial(next, "client", &amqp091.ExternalAuth{})
	if err != nil {
		t.Fatal(err)
	}
	b.roundTrip(fresh, 100)
	b.roundTrip(old, 100)
}
