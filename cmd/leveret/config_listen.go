package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// The flags of serve about sockets.
const (
	flagAMQPListen    = "amqp-listen"
	flagAMQPSListen   = "amqps-listen"
	flagHTTPListen    = "http-listen"
	flagHTTPSListen   = "https-listen"
	flagMetricsListen = "metrics-listen"
	flagPprofListen   = "pprof-listen"
	flagProxies       = "proxy-protocol-from"
)

// off is the value of an address that turns its socket off.
const off = "none"

// listenConfig are the addresses to be bound, host:port. Those of one are empty if it
// is off.
type listenConfig struct {
	amqp, amqps                 []string // at least one together
	http, https, metrics, pprof string
	proxies                     []netip.Prefix
}

func listenFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: flagAMQPListen, Value: cli.NewStringSlice(":5672"), Usage: usage(flagAMQPListen, "`ADDRESS` for AMQP, host:port; repeatable, or separated by commas; port 0 takes a free one; none turns it off")},
		&cli.StringSliceFlag{Name: flagAMQPSListen, Usage: usage(flagAMQPSListen, "`ADDRESS` for AMQP over TLS, as with --amqp-listen; it needs --tls-cert")},
		&cli.StringFlag{Name: flagHTTPListen, Value: ":15672", Usage: usage(flagHTTPListen, "`ADDRESS` for the management API; none turns it off")},
		&cli.StringFlag{Name: flagHTTPSListen, Usage: usage(flagHTTPSListen, "`ADDRESS` for the management API over TLS; it needs --tls-cert")},
		&cli.StringFlag{Name: flagMetricsListen, Value: ":15692", Usage: usage(flagMetricsListen, "`ADDRESS` for Prometheus; none turns it off")},
		&cli.StringFlag{Name: flagPprofListen, Usage: usage(flagPprofListen, "`ADDRESS` for Go's profiles, which show what is in memory: for no one but you")},
		&cli.StringSliceFlag{Name: flagProxies, Usage: usage(flagProxies, "`NETWORKS`, like 10.0.0.0/8, of proxies whose AMQP connections begin with a header of the PROXY protocol that says whose they are")},
	}
}

func (c *config) readListeners(s settings) (err error) {
	l := &c.listen
	if l.amqp, err = addresses(s, flagAMQPListen); err != nil {
		return err
	}
	if l.amqps, err = addresses(s, flagAMQPSListen); err != nil {
		return err
	}
	if len(l.amqp)+len(l.amqps) == 0 {
		return fmt.Errorf("--%s and --%s are both off: nobody could connect", flagAMQPListen, flagAMQPSListen)
	}
	for flag, to := range map[string]*string{
		flagHTTPListen: &l.http, flagHTTPSListen: &l.https, flagMetricsListen: &l.metrics, flagPprofListen: &l.pprof,
	} {
		text, name := s.text(flag)
		if text == "" || text == off {
			continue
		}
		if err := checkAddress(text); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
		*to = text
	}
	networks, name := s.text(flagProxies)
	for text := range strings.SplitSeq(networks, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%s %q is not a network like 10.0.0.0/8", name, text)
		}
		l.proxies = append(l.proxies, p.Masked())
	}
	return nil
}

// addresses reads a list of them; empty if it is off.
func addresses(s settings, flag string) (all []string, err error) {
	list, name := s.find(flag)
	if len(list) == 1 && strings.TrimSpace(list[0]) == off {
		return nil, nil
	}
	for _, a := range list {
		a = strings.TrimSpace(a)
		if a == "" && flag != flagAMQPListen {
			continue
		}
		if err := checkAddress(a); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func checkAddress(a string) error {
	_, port, err := net.SplitHostPort(a)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not an address like 127.0.0.1:5672 or :5672", a)
	}
	return nil
}
