package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
)

// Pair is a certificate with its key.
type Pair struct {
	// Certificate is a PEM file: the certificate first, then those that lead from it
	// to an authority.
	Certificate string
	// Key is a PEM file, not encrypted; empty if it is in the file of the certificate.
	Key string
}

// Options say what is read, and what is asked of clients.
type Options struct {
	// Pairs are the certificates, at least one. A client gets the first that is for
	// the name it asks for (SNI) and that it can use, else the first of all.
	Pairs []Pair
	// CA is a PEM file with the authorities that client certificates are verified by.
	// A chain that its own file does not finish is finished from there, as by RabbitMQ.
	CA string
	// Verify: clients are asked for a certificate, and who shows one that is not good
	// is refused. It is RabbitMQ's verify_peer.
	Verify bool
	// Require: who shows none is refused too. It needs Verify, and is RabbitMQ's
	// fail_if_no_peer_cert.
	Require bool
	// MinVersion is tls.VersionTLS12 or tls.VersionTLS13; 0 for the former.
	MinVersion uint16
}

func (o *Options) check() error {
	switch {
	case len(o.Pairs) == 0:
		return errors.New("there is no TLS certificate")
	case o.Verify && o.CA == "":
		return errors.New("client certificates are to be verified, but there is no CA file to do it by")
	case o.Require && !o.Verify:
		return errors.New("clients without a certificate are to be refused, but certificates are not to be verified")
	}
	switch o.MinVersion {
	case 0:
		o.MinVersion = tls.VersionTLS12
	case tls.VersionTLS12, tls.VersionTLS13:
	default:
		return fmt.Errorf("TLS minimum version %s is neither 1.2 nor 1.3", tls.VersionName(o.MinVersion))
	}
	return nil
}

// ParseVersion reads a version of TLS: 1.2 or 1.3, also as RabbitMQ spells it, like
// tlsv1.2.
func ParseVersion(s string) (uint16, error) {
	switch s {
	case "1.2", "tlsv1.2":
		return tls.VersionTLS12, nil
	case "1.3", "tlsv1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("%q is neither 1.2 nor 1.3", s)
}

// Certificate is one of those that were read.
type Certificate struct {
	File string
	*x509.Certificate
}

// Source has what was read last. Its methods may be called from any goroutine.
type Source struct {
	options Options // immutable
	now     atomic.Pointer[contents]
}

// Load reads everything. The error names the file at fault.
func Load(o Options) (*Source, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Source{options: o}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads everything again, for the connections to come. When something is
// wrong with any of it, all stays as it was; the error names the file.
func (s *Source) Reload() error {
	c, err := read(&s.options)
	if err != nil {
		return err
	}
	s.now.Store(c)
	return nil
}

// Certificates returns those that are in use and the authorities for clients, as they
// are in the files.
func (s *Source) Certificates() []Certificate { return s.now.Load().all }

// Use says what a listener needs besides.
type Use struct {
	// Protocols are what is spoken over TLS (ALPN), the best first; nil for whatever
	// it is.
	Protocols []string
	// NoClients: clients are not asked for a certificate here, whatever the Options
	// say.
	NoClients bool
}

// Config returns the configuration of a listener. Each handshake is by what was read
// last.
func (s *Source) Config(u Use) *tls.Config {
	return &tls.Config{
		MinVersion: s.options.MinVersion,
		NextProtos: u.Protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.config(s.now.Load(), u), nil
		},
	}
}

func (s *Source) config(c *contents, u Use) *tls.Config {
	config := &tls.Config{
		Certificates: c.pairs,
		MinVersion:   s.options.MinVersion,
		NextProtos:   u.Protocols,
		// A client that resumed a session would not be verified by the authorities of
		// now. Connections are few and long, so there is little to gain.
		SessionTicketsDisabled: true,
	}
	switch {
	case u.NoClients || !s.options.Verify:
	case s.options.Require:
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, c.clients
	default:
		config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, c.clients
	}
	return config
}
