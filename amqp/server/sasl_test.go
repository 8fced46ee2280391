package server

import (
	"net"
	"slices"
	"strings"
	"testing"

	"crypto/tls"

	"github.com/leveretmq/leveret/vhost/auth"
)

// addUser makes a user without a password, with all rights.
func (b *broker) addUser(name string) {
	b.t.Helper()
	for _, err := range []error{
		b.srv.VHosts().PutUser(auth.Account{User: auth.User{Name: name}}),
		b.srv.VHosts().SetPermissions(name, "/", auth.All),
	} {
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestConnectionStart_RabbitMQ_Mechanisms(t *testing.T) {
	bed := newTLSBed(t)
	for _, c := range []struct {
		name       string
		mechanisms []string
		anonymous  string
		auth       Authenticator
		// offered on a plain connection, by TLS, and with a certificate
		plain, secure, certified string
	}{
		{"default", nil, "", nil, "PLAIN AMQPLAIN", "PLAIN AMQPLAIN", "PLAIN AMQPLAIN EXTERNAL"},
		{"anonymous", nil, "guest", nil, "PLAIN AMQPLAIN ANONYMOUS", "PLAIN AMQPLAIN ANONYMOUS", "PLAIN AMQPLAIN EXTERNAL ANONYMOUS"},
		{"one", []string{"PLAIN"}, "", nil, "PLAIN", "PLAIN", "PLAIN"},
		{"EXTERNAL only", []string{"EXTERNAL"}, "", nil, "", "", "EXTERNAL"},
		{"order", []string{"EXTERNAL", "PLAIN"}, "", nil, "PLAIN", "PLAIN", "EXTERNAL PLAIN"},
		{"users of another kind", nil, "", fromOutside{}, "PLAIN AMQPLAIN", "PLAIN AMQPLAIN", "PLAIN AMQPLAIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{Mechanisms: c.mechanisms, AnonymousUser: c.anonymous, Auth: c.auth}, func(b *broker) {
				plain, secure := b.listen(ListenOptions{}), b.listen(ListenOptions{TLS: bed.server})
				for _, at := range []struct {
					nc   net.Conn
					want string
				}{
					{plain.from("192.0.2.1:4000"), c.plain},
					{tls.Client(secure.from("192.0.2.1:4001"), bed.client("")), c.secure},
					{tls.Client(secure.from("192.0.2.1:4002"), bed.client("client")), c.certified},
				} {
					if got := b.over(at.nc).start().Mechanisms; got != at.want {
						t.Errorf("offered %q, want %q", got, at.want)
					}
				}
			})
		})
	}
}

func TestOptionsOfMechanisms(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Mechanisms: []string{}}, "there is no mechanism by which to log in"},
		{Options{Mechanisms: []string{"plain"}}, `mechanism "plain" is not one of PLAIN, AMQPLAIN, EXTERNAL, ANONYMOUS`},
		{Options{Mechanisms: []string{"PLAIN", "PLAIN"}}, "mechanism PLAIN is there twice"},
		{Options{Mechanisms: []string{"ANONYMOUS"}}, "mechanism ANONYMOUS needs a user for those who come by it"},
		{Options{Mechanisms: []string{"PLAIN"}, AnonymousUser: "guest"}, "anonymous user 'guest' is of no use without the mechanism ANONYMOUS"},
		{Options{Mechanisms: []string{"EXTERNAL"}, Auth: fromOutside{}}, "mechanism EXTERNAL needs an Auth that recognizes users without their password"},
		{Options{AnonymousUser: "guest", Auth: fromOutside{}}, "mechanism ANONYMOUS needs an Auth that recognizes users without their password"},
		{Options{CertLogin: auth.CertLogin{SANIndex: -1}}, "certificate login SAN index -1 is negative"},
		{Options{MaxConnections: -1}, "max connections -1 is negative"},
		{Options{MaxUnauthenticated: -1}, "max unauthenticated connections -1 is not between 1 and 1048576"},
		{Options{MaxTLSHandshakes: -1}, "max TLS handshakes -1 is not between 1 and 1048576"},
	} {
		s, err := Open(c.o)
		if err == nil {
			s.Close()
		}
		if want := "open broker: " + c.want; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestConnectionStartOk_RabbitMQ_EXTERNAL(t *testing.T) {
	bed := newTLSBed(t)
	const refused = "ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. For details see the broker logfile."
	for _, c := range []struct {
		name, cert, response string
		login                auth.CertLogin
		user                 string // who it becomes
		log                  string // why not
	}{
		{"distinguished name", "ann", "", auth.CertLogin{}, "CN=ann", ""},
		{"response is ignored", "ann", "\x00*\x00*", auth.CertLogin{}, "CN=ann", ""},
		{"common name", "ann", "", auth.CertLogin{From: auth.FromCommonName}, "ann", ""},
		{"unknown user", "bob", "", auth.CertLogin{}, "", "user 'CN=bob' does not exist"},
		{"no name", "ann", "", auth.CertLogin{From: auth.FromSAN}, "", "no name found"},
		{"guest from elsewhere", "guest", "", auth.CertLogin{From: auth.FromCommonName}, "", "user 'guest' can only connect via localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{CertLogin: c.login}, func(b *broker) {
				b.addUser("CN=ann")
				b.addUser("ann")
				p := b.over(tls.Client(b.listen(ListenOptions{TLS: bed.server}).from("192.0.2.1:4000"), bed.client(c.cert)))
				if c.user != "" {
					p.enter(client{mechanism: "EXTERNAL", response: c.response})
					p.open(1)
					p.probe(1)
					if conn := b.conn(p); conn.user.Name != c.user || conn.mechanism != "EXTERNAL" {
						t.Errorf("it is %s by %s", conn.user.Name, conn.mechanism)
					}
					return
				}
				p.start()
				p.send(0, client{mechanism: "EXTERNAL", response: c.response}.startOk())
				p.wantClose(0, 403, refused, 0)
				if log := b.settledLog(); !strings.Contains(log, c.log) {
					t.Errorf("the log does not say why:\n%s", log)
				}
			})
		})
	}
}

// conn returns the only session. It is settled first, so that what its reader owns
// may be looked at.
func (b *broker) conn(*peer) *conn {
	b.t.Helper()
	b.settle()
	b.srv.mu.Lock()
	defer b.srv.mu.Unlock()
	if len(b.srv.conns) != 1 {
		b.t.Fatalf("there are %d sessions", len(b.srv.conns))
	}
	for _, c := range b.srv.conns {
		return c
	}
	return nil
}

func TestConnectionStartOk_RabbitMQ_MechanismsThatAreOff(t *testing.T) {
	bed := newTLSBed(t)
	for _, c := range []struct {
		mechanism, cert string
		allowed         []string
		text            string
	}{
		{"EXTERNAL", "", nil, "COMMAND_INVALID - invalid authentication mechanism 'EXTERNAL'"},
		{"EXTERNAL", "ann", []string{"PLAIN"}, "COMMAND_INVALID - invalid authentication mechanism 'EXTERNAL'"},
		{"PLAIN", "ann", []string{"EXTERNAL"}, "COMMAND_INVALID - invalid authentication mechanism 'PLAIN'"},
		{"ANONYMOUS", "", nil, "COMMAND_INVALID - invalid authentication mechanism 'ANONYMOUS'"},
		{"external", "ann", nil, "COMMAND_INVALID - unknown authentication mechanism 'external'"},
		{"", "ann", nil, "COMMAND_INVALID - unknown authentication mechanism ''"},
	} {
		t.Run(c.mechanism+" "+c.cert, func(t *testing.T) {
			inBubble(t, Options{Mechanisms: c.allowed}, func(b *broker) {
				b.addUser("CN=ann")
				p := b.over(tls.Client(b.listen(ListenOptions{TLS: bed.server}).from("192.0.2.1:4000"), bed.client(c.cert)))
				p.start()
				ok := client{}.startOk()
				ok.Mechanism = c.mechanism
				p.send(0, ok)
				p.wantClose(0, 503, c.text, 0)
			})
		})
	}
}

func TestConnectionStartOk_ANONYMOUS(t *testing.T) {
	inBubble(t, Options{AnonymousUser: "visitor"}, func(b *broker) {
		l := b.listen(ListenOptions{})
		p := b.over(l.from("192.0.2.1:4000"))
		p.start()
		p.send(0, client{mechanism: "ANONYMOUS", response: "somebody"}.startOk())
		p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism ANONYMOUS. For details see the broker logfile.", 0)
		b.settle()
		b.addUser("visitor")
		p = b.over(l.from("192.0.2.1:4000"))
		p.enter(client{mechanism: "ANONYMOUS", response: "somebody"})
		if got := b.conn(p).user.Name; got != "visitor" {
			t.Errorf("it is %s", got)
		}
	})
	inBubble(t, Options{AnonymousUser: auth.Guest}, func(b *broker) {
		p := b.over(b.listen(ListenOptions{}).from("192.0.2.1:4000"))
		if got := p.start().Mechanisms; !slices.Contains(strings.Fields(got), "ANONYMOUS") {
			t.Errorf("offered %s", got)
		}
		p.send(0, client{mechanism: "ANONYMOUS"}.startOk())
		p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism ANONYMOUS. For details see the broker logfile.", 0)
	})
}
