package mgmt

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"github.com/leveretmq/leveret/vhost/auth"
)

// peerCertificate is the client's; nil if it has shown none.
func peerCertificate(s *tls.ConnectionState) *x509.Certificate {
	if s == nil || len(s.PeerCertificates) == 0 {
		return nil
	}
	return s.PeerCertificates[0]
}

func subjectOf(s *tls.ConnectionState) any {
	if c := peerCertificate(s); c != nil {
		return auth.DistinguishedName(c.RawSubject)
	}
	return nil
}

func issuerOf(s *tls.ConnectionState) any {
	if c := peerCertificate(s); c != nil {
		return auth.DistinguishedName(c.RawIssuer)
	}
	return nil
}

func validityOf(s *tls.ConnectionState) any {
	if c := peerCertificate(s); c != nil {
		return c.NotBefore.UTC().Format(time.RFC3339) + " - " + c.NotAfter.UTC().Format(time.RFC3339)
	}
	return nil
}

// protocolOf is Erlang's name for the version.
func protocolOf(s *tls.ConnectionState) any {
	switch {
	case s == nil:
		return nil
	case s.Version == tls.VersionTLS12:
		return "tlsv1.2"
	case s.Version == tls.VersionTLS13:
		return "tlsv1.3"
	}
	return strings.ToLower(tls.VersionName(s.Version))
}

// suite is a cipher suite in Erlang's words; its parts are texts, or null without TLS.
type suite struct{ exchange, cipher, hash any }

// suiteOf takes the name of a suite apart: TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, or
// in TLS 1.3, where the key exchange is another matter, TLS_AES_256_GCM_SHA384. Ciphers
// that authenticate themselves have no hash but aead.
func suiteOf(s *tls.ConnectionState) suite {
	if s == nil {
		return suite{}
	}
	name := strings.ToLower(strings.TrimPrefix(tls.CipherSuiteName(s.CipherSuite), "TLS_"))
	exchange, cipher, ok := strings.Cut(name, "_with_")
	if !ok {
		exchange, cipher = "any", name
	}
	hash := "aead"
	if at := strings.LastIndexByte(cipher, '_'); at >= 0 {
		if strings.HasSuffix(cipher[:at], "_cbc") {
			hash = cipher[at+1:]
		}
		cipher = cipher[:at]
	}
	return suite{exchange, cipher, hash}
}
