package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// contents is what was in the files at one time. It does not change.
type contents struct {
	pairs   []tls.Certificate
	clients *x509.CertPool // nil without verification
	all     []Certificate
}

func read(o *Options) (*contents, error) {
	c := &contents{}
	var authorities []Certificate
	if o.CA != "" {
		var err error
		if authorities, _, err = readCertificates("CA file", o.CA); err != nil {
			return nil, err
		}
	}
	for _, p := range o.Pairs {
		if err := c.readPair(p, authorities); err != nil {
			return nil, err
		}
	}
	if o.Verify {
		c.clients = x509.NewCertPool()
		for _, cert := range authorities {
			c.clients.AddCert(cert.Certificate)
		}
	}
	c.all = append(c.all, authorities...)
	return c, nil
}

func (c *contents) readPair(p Pair, authorities []Certificate) error {
	chain, text, err := readCertificates("certificate", p.Certificate)
	if err != nil {
		return err
	}
	key, keyFile := text, p.Certificate
	if p.Key != "" {
		keyFile = p.Key
		if key, err = readFile(keyFile); err != nil {
			return err
		}
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("TLS key %s: %w", keyFile, err)
	}
	pair, err := tls.X509KeyPair(text, key)
	if err != nil {
		return fmt.Errorf("TLS key %s for certificate %s: %s", keyFile, p.Certificate, strings.TrimPrefix(err.Error(), "tls: "))
	}
	finish(&pair, chain[len(chain)-1].Certificate, authorities)
	c.pairs = append(c.pairs, pair)
	c.all = append(c.all, chain...)
	return nil
}

// finish appends what leads from the last certificate of a chain to an authority that
// signed itself, which clients have.
func finish(pair *tls.Certificate, last *x509.Certificate, authorities []Certificate) {
	for range authorities {
		i := slices.IndexFunc(authorities, func(a Certificate) bool {
			return bytes.Equal(a.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(a.Certificate) == nil
		})
		if i < 0 || bytes.Equal(authorities[i].RawSubject, authorities[i].RawIssuer) {
			return
		}
		last = authorities[i].Certificate
		pair.Certificate = append(pair.Certificate, last.Raw)
	}
}

// maxFile is far more than any chain or bundle of authorities has, in bytes.
const maxFile = 16 << 20

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxFile {
		return nil, fmt.Errorf("cannot read the TLS file %s: it has %d bytes, and the limit is %d", name, info.Size(), maxFile)
	}
	b, err := os.ReadFile(name)
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // our sentence names the file
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the TLS file %s: %w", name, err)
	}
	return b, nil
}

// readCertificates reads all certificates of a file, of which there must be one, and
// returns its text too. All must be good: package x509 would leave out what is not.
func readCertificates(what, file string) (out []Certificate, text []byte, err error) {
	if text, err = readFile(file); err != nil {
		return nil, nil, err
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("TLS %s %s: certificate %d in it cannot be used: %w", what, file, len(out)+1, err)
		}
		out = append(out, Certificate{file, cert})
	}
	switch n := bytes.Count(text, []byte("-----BEGIN CERTIFICATE-----")); {
	case n == 0:
		return nil, nil, fmt.Errorf("TLS %s %s: there is no certificate in PEM in it", what, file)
	case n != len(out):
		return nil, nil, fmt.Errorf("TLS %s %s: of %d certificates in it %d are damaged", what, file, n, n-len(out))
	}
	return out, text, nil
}

// checkKey finds what package tls has no good word for.
func checkKey(b []byte) error {
	for rest := b; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return errors.New("there is no key in PEM in it")
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return errors.New("it is encrypted, and there is nobody to ask for the password")
		case block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY"):
			return nil
		}
	}
}
