package certs

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server/tlstest"
)

// shake shakes hands by two configurations, and returns what client and server got. A
// pipe would not do: both sides may write at the same time.
func shake(t *testing.T, server, client *tls.Config) (clientState, serverState tls.ConnectionState, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err == nil {
			defer nc.Close()
			s := tls.Server(nc, server)
			if err = s.Handshake(); err == nil {
				_, err = s.Write([]byte("x")) // so that the client hears of a refusal after its part
			}
			serverState = s.ConnectionState()
		}
		served <- err
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := tls.Client(nc, client)
	_, clientErr := c.Read(make([]byte, 1))
	err = errors.Join(<-served, clientErr)
	return c.ConnectionState(), serverState, err
}

func write(t *testing.T, file string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// authorityFile writes the certificate of an authority.
func authorityFile(t *testing.T, dir, name string, cas ...*tlstest.CA) string {
	t.Helper()
	var all []byte
	for _, ca := range cas {
		b, _ := tlstest.PEM(t, ca.Certificate())
		all = append(all, b...)
	}
	return write(t, filepath.Join(dir, name), all)
}

func TestConfigOfClients(t *testing.T) {
	dir, ca, stranger := t.TempDir(), tlstest.NewCA(t, "ca"), tlstest.NewCA(t, "stranger")
	cert, key := tlstest.Write(t, dir, "server", ca.Server("broker.example"))
	caFile := authorityFile(t, dir, "ca.pem", ca)
	good, bad := ca.Client("client"), stranger.Client("client")
	expired := ca.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: "old"}, NotBefore: tlstest.NotBefore, NotAfter: time.Now().Add(-time.Hour)})
	for _, c := range []struct {
		name            string
		verify, require bool
		use             Use
		client          *tls.Certificate
		want            string // of the error; empty: it goes well
		verified        bool
	}{
		{name: "none is asked for", client: &good},
		{name: "verify, good", verify: true, client: &good, verified: true},
		{name: "verify, none", verify: true},
		{name: "verify, of a stranger", verify: true, client: &bad, want: "certificate signed by unknown authority"},
		{name: "verify, expired", verify: true, client: &expired, want: "certificate has expired"},
		{name: "require, good", verify: true, require: true, client: &good, verified: true},
		{name: "require, none", verify: true, require: true, want: "client didn't provide a certificate"},
		{name: "without clients", verify: true, require: true, use: Use{NoClients: true}, client: &good},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Load(Options{Pairs: []Pair{{cert, key}}, CA: caFile, Verify: c.verify, Require: c.require})
			if err != nil {
				t.Fatal(err)
			}
			client := &tls.Config{ServerName: "broker.example", RootCAs: ca.Pool}
			if c.client != nil {
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.client, nil }
			}
			_, state, err := shake(t, s.Config(c.use), client)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if got := len(state.VerifiedChains) > 0; got != c.verified {
				t.Errorf("verified: %t", got)
			}
		})
	}
}

func TestConfigVersionsAndProtocols(t *testing.T) {
	dir, ca := t.TempDir(), tlstest.NewCA(t, "ca")
	cert, key := tlstest.Write(t, dir, "server", ca.Server("broker.example"))
	for _, c := range []struct {
		least, most uint16 // of the broker, of the client
		want        uint16 // 0: they do not agree
	}{
		{0, tls.VersionTLS13, tls.VersionTLS13},
		{0, tls.VersionTLS12, tls.VersionTLS12},
		{0, tls.VersionTLS11, 0},
		{tls.VersionTLS13, tls.VersionTLS13, tls.VersionTLS13},
		{tls.VersionTLS13, tls.VersionTLS12, 0},
	} {
		s, err := Load(Options{Pairs: []Pair{{cert, key}}, MinVersion: c.least})
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{ServerName: "broker.example", RootCAs: ca.Pool, MinVersion: tls.VersionTLS10, MaxVersion: c.most, NextProtos: []string{"h2"}}
		_, state, err := shake(t, s.Config(Use{Protocols: []string{"h2", "http/1.1"}}), client)
		switch {
		case c.want == 0 && err == nil, c.want != 0 && err != nil:
			t.Errorf("at least %x, at most %x: %v", c.least, c.most, err)
		case c.want != 0 && (state.Version != c.want || state.NegotiatedProtocol != "h2"):
			t.Errorf("at least %x, at most %x: got %x with %q", c.least, c.most, state.Version, state.NegotiatedProtocol)
		}
	}
}

func TestConfigChoosesByName(t *testing.T) {
	dir, ca := t.TempDir(), tlstest.NewCA(t, "ca")
	one, oneKey := tlstest.Write(t, dir, "one", ca.Server("one.example"))
	two, twoKey := tlstest.Write(t, dir, "two", ca.Server("two.example", "*.two.example"))
	both := append(slurp(t, two), slurp(t, twoKey)...)
	s, err := Load(Options{Pairs: []Pair{{one, oneKey}, {write(t, filepath.Join(dir, "both.pem"), both), ""}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"one.example": "one.example", "two.example": "two.example", "a.two.example": "two.example",
		"three.example": "one.example", "": "one.example"} {
		state, _, err := shake(t, s.Config(Use{}), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%q gets %s, want %s", name, got, want)
		}
	}
}

func slurp(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RabbitMQ finishes a chain from cacertfile, and configurations rely on it.
func TestChainIsFinishedFromTheCAFile(t *testing.T) {
	dir, root := t.TempDir(), tlstest.NewCA(t, "root")
	middle := root.Intermediate("middle")
	last := middle.Intermediate("last")
	cert, key := tlstest.Write(t, dir, "server", last.Server("broker.example"))
	client := &tls.Config{ServerName: "broker.example", RootCAs: root.Pool}
	for _, c := range []struct {
		name string
		ca   string
		want int // certificates sent; 0: the client has no way to the root
	}{
		{"without", "", 0},
		{"the root only", authorityFile(t, dir, "root.pem", root), 0},
		{"with one of two", authorityFile(t, dir, "one.pem", root, last), 0},
		{"with both", authorityFile(t, dir, "both.pem", root, middle, last), 3},
	} {
		s, err := Load(Options{Pairs: []Pair{{cert, key}}, CA: c.ca})
		if err != nil {
			t.Fatal(err)
		}
		state, _, err := shake(t, s.Config(Use{}), client)
		if (err == nil) != (c.want > 0) || c.want > 0 && len(state.PeerCertificates) != c.want {
			t.Errorf("%s: %v, %d certificates", c.name, err, len(state.PeerCertificates))
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	dir, ca := t.TempDir(), tlstest.NewCA(t, "ca")
	cert, key := tlstest.Write(t, dir, "server", ca.Server("broker.example"))
	_, otherKey := tlstest.Write(t, dir, "other", ca.Server("other.example"))
	in := func(name string) string { return filepath.Join(dir, name) }
	empty, text := write(t, in("empty"), nil), write(t, in("text"), []byte("certificate"))
	damaged := write(t, in("damaged"), []byte(strings.Replace(string(slurp(t, cert)), "MII", "???", 1)))
	half := write(t, in("half"), append(slurp(t, cert), slurp(t, cert)[:200]...))
	nonsense := write(t, in("nonsense"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2, 3}}))
	locked := write(t, in("locked"), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}))
	large := in("large")
	if err := os.Truncate(write(t, large, nil), maxFile+1); err != nil {
		t.Fatal(err)
	}
	pair := []Pair{{cert, key}}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "there is no TLS certificate"},
		{Options{Pairs: pair, Verify: true}, "client certificates are to be verified, but there is no CA file to do it by"},
		{Options{Pairs: pair, CA: cert, Require: true}, "clients without a certificate are to be refused, but certificates are not to be verified"},
		{Options{Pairs: pair, MinVersion: tls.VersionTLS11}, "TLS minimum version TLS 1.1 is neither 1.2 nor 1.3"},
		{Options{Pairs: []Pair{{in("absent"), key}}}, "cannot read the TLS file " + in("absent") + ": no such file or directory"},
		{Options{Pairs: []Pair{{dir, key}}}, "cannot read the TLS file " + dir + ": is a directory"},
		{Options{Pairs: []Pair{{large, key}}}, "cannot read the TLS file " + large + ": it has 16777217 bytes, and the limit is 16777216"},
		{Options{Pairs: []Pair{{cert, in("absent")}}}, "cannot read the TLS file " + in("absent") + ": no such file or directory"},
		{Options{Pairs: []Pair{{empty, key}}}, "TLS certificate " + empty + ": there is no certificate in PEM in it"},
		{Options{Pairs: []Pair{{key, key}}}, "TLS certificate " + key + ": there is no certificate in PEM in it"},
		{Options{Pairs: []Pair{{damaged, key}}}, "TLS certificate " + damaged + ": of 1 certificates in it 1 are damaged"},
		{Options{Pairs: []Pair{{half, key}}}, "TLS certificate " + half + ": of 2 certificates in it 1 are damaged"},
		{Options{Pairs: []Pair{{nonsense, key}}}, "TLS certificate " + nonsense + ": certificate 1 in it cannot be used: x509: malformed certificate"},
		{Options{Pairs: []Pair{{cert, text}}}, "TLS key " + text + ": there is no key in PEM in it"},
		{Options{Pairs: []Pair{{cert, ""}}}, "TLS key " + cert + ": there is no key in PEM in it"},
		{Options{Pairs: []Pair{{cert, locked}}}, "TLS key " + locked + ": it is encrypted, and there is nobody to ask for the password"},
		{Options{Pairs: []Pair{{cert, otherKey}}}, "TLS key " + otherKey + " for certificate " + cert + ": private key does not match public key"},
		{Options{Pairs: pair, CA: text}, "TLS CA file " + text + ": there is no certificate in PEM in it"},
	} {
		if _, err := Load(c.o); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestReload(t *testing.T) {
	dir, ca, next := t.TempDir(), tlstest.NewCA(t, "ca"), tlstest.NewCA(t, "next")
	cert, key := tlstest.Write(t, dir, "server", ca.Server("broker.example"))
	caFile := authorityFile(t, dir, "ca.pem", ca)
	s, err := Load(Options{Pairs: []Pair{{cert, key}}, CA: caFile, Verify: true, Require: true})
	if err != nil {
		t.Fatal(err)
	}
	config := s.Config(Use{}) // made once, as a listener has it
	works := func(ca *tlstest.CA) error {
		mine := ca.Client("client")
		_, _, err := shake(t, config, &tls.Config{ServerName: "broker.example", RootCAs: ca.Pool, Certificates: []tls.Certificate{mine}})
		return err
	}
	names := func() (out []string) {
		for _, c := range s.Certificates() {
			out = append(out, filepath.Base(c.File)+" "+c.Subject.CommonName+" by "+c.Issuer.CommonName)
		}
		return out
	}
	const before, after = "server.pem broker.example by ca, ca.pem ca by ca", "server.pem broker.example by next, ca.pem next by next"
	if err := works(ca); err != nil || strings.Join(names(), ", ") != before {
		t.Fatalf("%v, with %q", err, names())
	}

	nextCert, nextKey := tlstest.Write(t, dir, "next", next.Server("broker.example"))
	write(t, cert, slurp(t, nextCert)) // the key is missing yet
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("a certificate without its key: %v", err)
	}
	write(t, key, slurp(t, nextKey))
	write(t, caFile, nil)
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), caFile) {
		t.Errorf("no authority: %v", err)
	}
	if err := works(ca); err != nil || strings.Join(names(), ", ") != before {
		t.Errorf("after a reload that failed: %v, with %q", err, names())
	}

	authorityFile(t, dir, "ca.pem", next)
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := works(next); err != nil || strings.Join(names(), ", ") != after {
		t.Errorf("after the reload: %v, with %q", err, names())
	}
	if works(ca) == nil {
		t.Error("the authority of before is still good")
	}
}

// A session that was begun under another authority must not be resumed.
func TestNoSessionIsResumed(t *testing.T) {
	dir, ca := t.TempDir(), tlstest.NewCA(t, "ca")
	cert, key := tlstest.Write(t, dir, "server", ca.Server("broker.example"))
	s, err := Load(Options{Pairs: []Pair{{cert, key}}})
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{ServerName: "broker.example", RootCAs: ca.Pool, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for range 2 {
		state, _, err := shake(t, s.Config(Use{}), client)
		if err != nil || state.DidResume {
			t.Errorf("%v, resumed: %t", err, state.DidResume)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13, "tlsv1.2": tls.VersionTLS12,
		"tlsv1.3": tls.VersionTLS13, "1.1": 0, "tlsv1": 0, "": 0} {
		if got, err := ParseVersion(s); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %x, %v", s, got, err)
		}
	}
}
