package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/server/tlstest"
)

// otherNames are an extension of subject alternative names with two of the sort that
// package x509 does not know, and an e-mail address between them.
func otherNames(t *testing.T) pkix.Extension {
	t.Helper()
	other := func(value asn1.RawValue) asn1.RawValue {
		id, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}) // a Windows principal
		if err != nil {
			t.Fatal(err)
		}
		inner, err := asn1.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		explicit, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner})
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: append(id, explicit...)}
	}
	der, err := asn1.Marshal([]asn1.RawValue{
		other(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte("häsin@example")}),
		{Class: asn1.ClassContextSpecific, Tag: 1, Bytes: []byte("a@example")},
		other(asn1.RawValue{Tag: asn1.TagInteger, Bytes: []byte{7}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: subjectAltName, Value: der}
}

func TestCertLoginName(t *testing.T) {
	ca := tlstest.NewCA(t, "ca")
	link, err := url.Parse("spiffe://example/client%20one")
	if err != nil {
		t.Fatal(err)
	}
	rich := ca.Issue(&x509.Certificate{
		RawSubject: subject(t, []part{{typeO, asn1.TagUTF8String, "Hasen"}}, cn("a,b"), cn("c")),
		DNSNames:   []string{"one.example", "two.example"}, EmailAddresses: []string{"a@example"},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}, URIs: []*url.URL{link},
	}).Leaf
	bare := ca.Issue(&x509.Certificate{Subject: pkix.Name{Organization: []string{"Hasen"}}}).Leaf
	nobody := ca.Issue(&x509.Certificate{RawSubject: subject(t)}).Leaf
	other := ca.Issue(&x509.Certificate{ExtraExtensions: []pkix.Extension{otherNames(t)}}).Leaf
	for _, c := range []struct {
		login CertLogin
		cert  *x509.Certificate
		want  string // empty: there is none
	}{
		{CertLogin{}, rich, `CN=c,CN=a\,b,O=Hasen`},
		{CertLogin{From: FromDistinguishedName}, bare, "O=Hasen"},
		{CertLogin{}, nobody, ""},
		{CertLogin{From: FromCommonName}, rich, "a,b,c"},
		{CertLogin{From: FromCommonName}, bare, ""},
		{CertLogin{From: FromSAN}, rich, "one.example"},
		{CertLogin{From: FromSAN, SANType: SANDNS, SANIndex: 1}, rich, "two.example"},
		{CertLogin{From: FromSAN, SANType: SANDNS, SANIndex: 2}, rich, ""},
		{CertLogin{From: FromSAN, SANType: SANEmail}, rich, "a@example"},
		{CertLogin{From: FromSAN, SANType: SANURI}, rich, "spiffe://example/client%20one"},
		{CertLogin{From: FromSAN, SANType: SANIP}, rich, "192.0.2.1"},
		{CertLogin{From: FromSAN, SANType: SANIP, SANIndex: 1}, rich, "2001:db8::1"},
		{CertLogin{From: FromSAN, SANType: SANOther}, rich, ""},
		{CertLogin{From: FromSAN, SANType: SANOther}, other, "häsin@example"},
		{CertLogin{From: FromSAN, SANType: SANOther, SANIndex: 1}, other, ""}, // a number
		{CertLogin{From: FromSAN, SANType: SANEmail}, other, "a@example"},
		{CertLogin{From: FromSAN}, bare, ""},
	} {
		if err := c.login.Check(); err != nil {
			t.Errorf("%+v: %v", c.login, err)
		}
		got, err := c.login.Name(c.cert)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: got %q, %v, want %q", c.login, got, err, c.want)
		}
		if err != nil && err.Error() != "no name found" {
			t.Errorf("%+v: %v", c.login, err)
		}
	}
}

func TestCertLoginCheck(t *testing.T) {
	for _, c := range []struct {
		login CertLogin
		want  string
	}{
		{CertLogin{From: "cn"}, `certificate login from "cn" is not one of distinguished_name, common_name, subject_alternative_name`},
		{CertLogin{From: FromSAN, SANType: "DNS"}, `certificate login SAN type "DNS" is not one of dns, ip, email, uri, other_name`},
		{CertLogin{From: FromSAN, SANIndex: -1}, "certificate login SAN index -1 is negative"},
	} {
		if err := c.login.Check(); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v", c.login, err)
		}
	}
}

func TestRecognize(t *testing.T) {
	u := Default()
	if err := u.Put(Account{User: User{Name: "cert", Tags: []string{"monitoring"}}}); err != nil {
		t.Fatal(err)
	}
	local, remote := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	for _, c := range []struct {
		name string
		from net.Addr
		want string // of the error
	}{
		{"cert", remote, ""},
		{"guest", local, ""},
		{"guest", remote, "user 'guest' can only connect via localhost"},
		{"guest", Elsewhere{local}, "user 'guest' can only connect via localhost"},
		{"guest", Elsewhere{&net.UnixAddr{}}, "user 'guest' can only connect via localhost"},
		{"Cert", remote, "user 'Cert' does not exist"},
	} {
		got, err := u.Recognize(c.name, c.from)
		if c.want == "" && (err != nil || got.Name != c.name) || c.want != "" && (err == nil || err.Error() != c.want || got.Name != "") {
			t.Errorf("%s from %s: %+v, %v", c.name, c.from, got, err)
		}
	}
	if _, err := u.Authenticate("cert", "", remote); err == nil || !strings.Contains(err.Error(), "invalid credentials") {
		t.Errorf("a user without a password comes in by one: %v", err)
	}
}

// Failures of who comes by way of a proxy count for their address.
func TestLimiterElsewhere(t *testing.T) {
	var l Limiter
	for range 20 {
		l.Failed(Elsewhere{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}})
	}
	if _, err := l.Allow(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}); err == nil {
		t.Error("the address inside is not seen")
	}
	for range 20 {
		l.Failed(Elsewhere{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}})
	}
	if _, err := l.Allow(Elsewhere{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}); err == nil {
		t.Error("a loopback address elsewhere is not limited")
	}
	if _, err := l.Allow(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Errorf("ours is: %v", err)
	}
}
