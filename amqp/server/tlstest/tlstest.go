package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The validity of all that is made here: what runs on a virtual clock, which begins
// in 2000, must be content with it too.
var (
	NotBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	NotAfter  = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
)

// CA is an authority.
type CA struct {
	t      testing.TB
	name   string
	signer tls.Certificate // its certificate and key
	Pool   *x509.CertPool  // it alone
}

// NewCA makes an authority of that name.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	ca := &CA{t: t, name: name, Pool: x509.NewCertPool()}
	ca.signer = ca.sign(authority(name), nil)
	ca.Pool.AddCert(ca.signer.Leaf)
	return ca
}

// Intermediate makes an authority that this one has signed.
func (ca *CA) Intermediate(name string) *CA {
	ca.t.Helper()
	sub := &CA{t: ca.t, name: name, Pool: ca.Pool}
	sub.signer = ca.sign(authority(name), &ca.signer)
	return sub
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
}

// Certificate is that of the authority itself.
func (ca *CA) Certificate() tls.Certificate { return ca.signer }

// Server issues a certificate for a server of these names, and of this machine's
// addresses.
func (ca *CA) Server(names ...string) tls.Certificate {
	ca.t.Helper()
	return ca.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}})
}

// Client issues a certificate with this common name, which is all of the subject.
func (ca *CA) Client(name string) tls.Certificate {
	ca.t.Helper()
	return ca.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}})
}

// Issue issues a certificate with what the template says, for servers and clients
// alike, valid for long if it does not say otherwise.
func (ca *CA) Issue(template *x509.Certificate) tls.Certificate {
	ca.t.Helper()
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return ca.sign(template, &ca.signer)
}

func (ca *CA) sign(template *x509.Certificate, by *tls.Certificate) tls.Certificate {
	ca.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		ca.t.Fatal(err)
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = NotBefore, NotAfter
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		ca.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		ca.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// PEM returns certificate and key in PEM.
func PEM(t testing.TB, c tls.Certificate) (certificate, key []byte) {
	t.Helper()
	for _, der := range c.Certificate {
		certificate = append(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Write writes NAME.pem and NAME.key to a directory and returns their paths.
func Write(t testing.TB, dir, name string, c tls.Certificate) (certificate, key string) {
	t.Helper()
	certificate, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	certificatePEM, keyPEM := PEM(t, c)
	for file, b := range map[string][]byte{certificate: certificatePEM, key: keyPEM} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
