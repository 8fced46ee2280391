package conf

import (
	"net"
	"slices"
	"strings"
)

// The ports of listeners of which only an address is given.
const (
	portHTTP    = "15672"
	portHTTPS   = "15671"
	portMetrics = "15692"
)

// endManagement puts the parts of the management API's listeners together. As in
// RabbitMQ, who configures TLS there and nothing else has TLS and nothing else.
func (t *translator) endManagement() {
	t.endLegacy()
	http := t.endListener("management.tcp", "http-listen", portHTTP)
	https := t.endListener("management.ssl", "https-listen", portHTTPS)
	if https != nil && http == nil {
		t.put("http-listen", *https, "none")
	}
	t.endListener("prometheus.tcp", "metrics-listen", portMetrics)
}

// endLegacy takes the keys of RabbitMQ 3.6 for those that came after them.
func (t *translator) endLegacy() {
	to := "management.tcp."
	if t.plain["management.listener.ssl"].value == "true" {
		to = "management.ssl."
	}
	for _, part := range []string{"ip", "port"} {
		t.rename("management.listener."+part, to+part)
	}
	for _, part := range []string{"certfile", "keyfile", "cacertfile"} {
		t.rename("management.listener.ssl_opts."+part, "management.ssl."+part)
	}
}

// rename takes a line for one with another key, unless there is such a line.
func (t *translator) rename(from, to string) {
	if l, ok := t.plain[from]; ok {
		if _, ok := t.plain[to]; !ok {
			t.plain[to] = l
		}
	}
}

// endListener puts ip and port of a listener together; nil if the file has neither.
func (t *translator) endListener(prefix, flag, usual string) *line {
	ip, hasIP := t.plain[prefix+".ip"]
	port, hasPort := t.plain[prefix+".port"]
	if !hasIP && !hasPort {
		return nil
	}
	at := port
	if !hasPort {
		at, port.value = ip, usual
	}
	t.put(flag, at, net.JoinHostPort(ip.value, port.value))
	return &at
}

// endTLS is for what RabbitMQ's keys say of certificates and our flags say otherwise.
func (t *translator) endTLS() {
	for _, of := range []struct{ part, flag string }{{"certfile", "tls-cert"}, {"keyfile", "tls-key"}, {"cacertfile", "tls-ca"}} {
		l, ok := t.plain["management.ssl."+of.part]
		if !ok {
			continue
		}
		switch s, has := t.file.Settings[of.flag]; {
		case !has:
			t.put(of.flag, l, l.value)
		case s.Values[0] != l.value:
			t.warn("%s: %s does not count: %s (%s) is for all listeners", l.where, l.key, s.Key, s.Where)
		}
	}
	// Authorities alone have RabbitMQ ask no client for a certificate.
	ca, hasCA := t.file.Settings["tls-ca"]
	if _, hasVerify := t.file.Settings["tls-verify"]; hasCA && !hasVerify {
		t.put("tls-verify", line{ca.Key, "", ca.Where}, "verify_none")
	}
}

// endNames turns PREFIX.NAME = true or false into a list of names, to which some belong
// unless they are said not to.
func (t *translator) endNames(prefix, flag string, names map[string]bool) {
	var last line
	for _, key := range t.order {
		if name, ok := strings.CutPrefix(key, prefix+"."); ok {
			last = t.plain[key]
			names[words(name)[0]] = last.value == "true"
		}
	}
	if none, ok := t.plain[prefix]; ok {
		names, last = nil, none
	}
	if last.key == "" {
		return
	}
	var all []string
	for name, is := range names {
		if is {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		all = []string{"none"}
	}
	slices.Sort(all)
	t.put(flag, last, all...)
}
