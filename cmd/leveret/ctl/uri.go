package ctl

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const defaultURI = "http://127.0.0.1:15672"

// newClient makes the client of options, variables and defaults, in this order.
//
// The name and the password of the URI win; then come LEVERET_CTL_PASSWORD, then
// the first user that the variables of the broker name, because probes run in its
// container, then guest.
func newClient(env Env, inv *invocation) (*client, error) {
	base, err := parseURI(cmp.Or(inv.text("uri"), env.lookup("LEVERET_CTL_URI"), defaultURI))
	if err != nil {
		return nil, err
	}
	c := &client{base: base}
	c.user, c.password = credentials(env, base)
	base.User = nil
	conf, err := tlsConfig(inv)
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     conf,
			TLSHandshakeTimeout: 10 * time.Second,
		},
		// A password must not be sent on to whoever a redirect names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func parseURI(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	// What url.Parse says quotes the URI, and with it the password.
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, misused(exitUsage, "the URI of the management API is not one: it should look like %s", defaultURI)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, misused(exitUsage, "the URI of the management API must begin with http:// or https://, and not with %s://", u.Scheme)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, misused(exitUsage, "the URI of the management API takes no query")
	}
	if u.Port() == "" {
		port := "15672"
		if u.Scheme == "https" {
			port = "15671"
		}
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func credentials(env Env, base *url.URL) (user, password string) {
	given := base.User.Username()
	inURI, has := base.User.Password()
	if has {
		return given, inURI
	}
	first := cmp.Or(env.lookup("LEVERET_DEFAULT_USER"), env.lookup("RABBITMQ_DEFAULT_USER"), "guest")
	user = cmp.Or(given, first)
	if p := env.lookup("LEVERET_CTL_PASSWORD"); p != "" {
		return user, p
	}
	if user != first {
		return user, ""
	}
	return user, cmp.Or(env.lookup("LEVERET_DEFAULT_PASS"), env.lookup("RABBITMQ_DEFAULT_PASS"), "guest")
}

func tlsConfig(inv *invocation) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := inv.text("cacert"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, failed(exitData, "--cacert: %s", fileError(err))
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, failed(exitData, "--cacert: there is no certificate in %s", file)
		}
	}
	cert, key := inv.text("cert"), inv.text("key")
	if (cert == "") != (key == "") {
		return nil, misused(exitUsage, "--cert and --key are needed together")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, failed(exitData, "--cert: %s", fileError(err))
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
