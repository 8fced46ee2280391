package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/certs"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/urfave/cli/v2"
)

// The flags of serve about TLS and how clients log in.
const (
	flagTLSCert      = "tls-cert"
	flagTLSKey       = "tls-key"
	flagTLSCA        = "tls-ca"
	flagTLSVerify    = "tls-verify"
	flagTLSRequire   = "tls-fail-if-no-peer-cert"
	flagTLSMin       = "tls-min-version"
	flagCertLogin    = "cert-login-from"
	flagCertSANType  = "cert-login-san-type"
	flagCertSANIndex = "cert-login-san-index"
	flagMechanisms   = "auth-mechanisms"
	flagAnonymous    = "anonymous-user"
)

// tlsConfig is what TLS sockets need.
type tlsConfig struct {
	certs *certs.Options // nil without a certificate
}

// loginConfig is how clients may log in.
type loginConfig struct {
	mechanisms []string // nil: the usual ones
	anonymous  string   // empty: nobody
	cert       auth.CertLogin
}

func tlsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: flagTLSCert, Usage: usage(flagTLSCert, "`FILE` with a certificate and those that lead from it to an authority (PEM); repeatable, the first is for clients that ask for no name that another has; SIGHUP has all read again")},
		&cli.StringSliceFlag{Name: flagTLSKey, Usage: usage(flagTLSKey, "`FILE` with the key of the certificate at the same place (PEM); none if keys are in the files of their certificates")},
		&cli.StringFlag{Name: flagTLSCA, Usage: usage(flagTLSCA, "`FILE` with the authorities of client certificates (PEM)")},
		&cli.StringFlag{Name: flagTLSVerify, Usage: usage(flagTLSVerify, "`verify_peer`: clients are asked for a certificate, and who shows a bad one is refused; or verify_none (default: verify_peer with --tls-ca)")},
		&cli.StringFlag{Name: flagTLSRequire, Value: "false", Usage: usage(flagTLSRequire, "`true`: AMQP clients without a certificate are refused too")},
		&cli.StringFlag{Name: flagTLSMin, Value: "1.2", Usage: usage(flagTLSMin, "least `VERSION` of TLS: 1.2 or 1.3")},
	}
}

func loginFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: flagMechanisms, Usage: usage(flagMechanisms, "SASL `MECHANISMS` that clients may use: PLAIN, AMQPLAIN, EXTERNAL, ANONYMOUS, separated by commas (default: PLAIN and AMQPLAIN; EXTERNAL for who shows a good certificate; ANONYMOUS with --anonymous-user)")},
		&cli.StringFlag{Name: flagAnonymous, Usage: usage(flagAnonymous, "`NAME` of the user that the mechanism ANONYMOUS logs in, without a password")},
		&cli.StringFlag{Name: flagCertLogin, Value: string(auth.FromDistinguishedName), Usage: usage(flagCertLogin, "`WHERE` in a certificate EXTERNAL finds the user: distinguished_name, common_name or subject_alternative_name")},
		&cli.StringFlag{Name: flagCertSANType, Value: string(auth.SANDNS), Usage: usage(flagCertSANType, "`TYPE` of that alternative name: dns, ip, email, uri or other_name")},
		&cli.StringFlag{Name: flagCertSANIndex, Value: "0", Usage: usage(flagCertSANIndex, "which one of that type, `N` from 0")},
	}
}

// cleaned are the values of a list without empty ones.
func cleaned(list []string) (all []string) {
	for _, v := range list {
		if v = strings.TrimSpace(v); v != "" {
			all = append(all, v)
		}
	}
	return all
}

func (c *config) readTLS(s settings) error {
	files, name := s.find(flagTLSCert)
	files = cleaned(files)
	keys, keyName := s.find(flagTLSKey)
	keys = cleaned(keys)
	if len(files) == 0 {
		if len(keys) > 0 {
			return fmt.Errorf("%s is given, but no --%s", keyName, flagTLSCert)
		}
		if len(c.listen.amqps) > 0 || c.listen.https != "" {
			return fmt.Errorf("--%s and --%s need --%s", flagAMQPSListen, flagHTTPSListen, flagTLSCert)
		}
		return nil
	}
	if len(keys) > 0 && len(keys) != len(files) {
		return fmt.Errorf("%s has %d files, and %s has %d: each certificate needs its key", name, len(files), keyName, len(keys))
	}
	o := &certs.Options{}
	for i, file := range files {
		pair := certs.Pair{Certificate: file}
		if len(keys) > 0 {
			pair.Key = keys[i]
		}
		o.Pairs = append(o.Pairs, pair)
	}
	o.CA, _ = s.text(flagTLSCA)
	verify, name := s.text(flagTLSVerify)
	switch verify {
	case "":
		o.Verify = o.CA != ""
	case "verify_peer":
		o.Verify = true
	case "verify_none":
	default:
		return fmt.Errorf("%s %q is neither verify_peer nor verify_none", name, verify)
	}
	if o.Verify && o.CA == "" {
		return fmt.Errorf("%s verify_peer needs --%s", name, flagTLSCA)
	}
	var err error
	if o.Require, err = s.boolean(flagTLSRequire); err != nil {
		return err
	}
	if o.Require && !o.Verify {
		return fmt.Errorf("--%s needs --%s verify_peer", flagTLSRequire, flagTLSVerify)
	}
	versions, name := s.text(flagTLSMin) // several in a file, of which the lowest counts
	for text := range strings.SplitSeq(versions, ",") {
		v, err := certs.ParseVersion(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if o.MinVersion == 0 || v < o.MinVersion {
			o.MinVersion = v
		}
	}
	c.tls.certs = o
	return nil
}

// boolean reads a flag that is true or false.
func (s settings) boolean(flag string) (bool, error) {
	text, name := s.text(flag)
	is, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s %q is neither true nor false", name, text)
	}
	return is, nil
}

func (c *config) readLogin(s settings) error {
	list, _ := s.find(flagMechanisms)
	c.login.mechanisms = cleaned(list)
	c.login.anonymous, _ = s.text(flagAnonymous)
	from, name := s.text(flagCertLogin)
	c.login.cert.From = auth.CertSource(from)
	kind, _ := s.text(flagCertSANType)
	c.login.cert.SANType = auth.SANType(kind)
	index, indexName := s.text(flagCertSANIndex)
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 {
		return fmt.Errorf("%s %q is not a number from 0", indexName, index)
	}
	c.login.cert.SANIndex = n
	if err := c.login.cert.Check(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// apply sets what the broker has to know of it.
func (l loginConfig) apply(o *server.Options) {
	o.Mechanisms, o.AnonymousUser, o.CertLogin = l.mechanisms, l.anonymous, l.cert
}
