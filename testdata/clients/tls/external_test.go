package suite

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// dial connects with the certificate of that name, none if it is empty.
func dial(t *testing.T, name string, version uint16, how amqp.Authentication) (*amqp.Connection, error) {
	t.Helper()
	in := func(file string) string { return filepath.Join(os.Getenv("TLS_DIR"), file) }
	authority, err := os.ReadFile(in("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), MaxVersion: version}
	c.RootCAs.AppendCertsFromPEM(authority)
	if name != "" {
		cert, err := tls.LoadX509KeyPair(in(name+".pem"), in(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	conn, err := amqp.DialConfig("amqps://localhost:"+os.Getenv("TLS_PORT")+"/", amqp.Config{SASL: []amqp.Authentication{how}, TLSClientConfig: c, Vhost: "/"})
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func TestExternal(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conn, err := dial(t, "guest", version, &amqp.ExternalAuth{})
		if err != nil {
			t.Fatal(tls.VersionName(version), err)
		}
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		q, err := ch.QueueDeclare("", false, true, true, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ch.Consume(q.Name, "", true, true, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 1, 5000, 1 << 20} {
			body := bytes.Repeat([]byte("x"), size)
			if err := ch.Publish("", q.Name, false, false, amqp.Publishing{Body: body}); err != nil {
				t.Fatal(err)
			}
			select {
			case d := <-got:
				if !bytes.Equal(d.Body, body) {
					t.Errorf("of %d bytes %d came, or others", size, len(d.Body))
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%d bytes did not come", size)
			}
		}
	}
}

func TestExternalAsNobody(t *testing.T) {
	if _, err := dial(t, "nobody", 0, &amqp.ExternalAuth{}); !errors.Is(err, amqp.ErrCredentials) {
		t.Errorf("got %v", err)
	}
}

func TestPasswordBesideTheCertificate(t *testing.T) {
	if _, err := dial(t, "nobody", 0, &amqp.PlainAuth{Username: "guest", Password: "guest"}); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestNoCertificate(t *testing.T) {
	for _, name := range []string{"", "strange"} {
		if _, err := dial(t, name, 0, &amqp.PlainAuth{Username: "guest", Password: "guest"}); err == nil {
			t.Errorf("%q comes in", name)
		}
	}
}

func TestOldTLS(t *testing.T) {
	if _, err := dial(t, "guest", tls.VersionTLS11, &amqp.ExternalAuth{}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}
