package conf

import (
	"slices"
	"strings"
)

// key is a key of rabbitmq.conf, or several that are alike.
type key struct {
	// name is the key. A word of it that begins with $ stands for any one word, one like
	// a|b for either, and a star at its end for any end.
	name string
	flag string
	// as turns a value into that of the flag; nil leaves it.
	as func(string) (string, error)
	// rank decides between keys that set the same flag: the higher one counts, and of
	// two alike the later one.
	rank int
	// list: values of several keys are a list.
	list bool
	// together: it counts together with others, see translator.end.
	together bool
	// ignored says why it has no meaning here.
	ignored string
	// same are values that ask for nothing else than what is done here, which need no
	// warning.
	same []string
}

// keys are those that have a meaning here.
var keys = []key{
	{name: "listeners.tcp", as: onlyNone, together: true},
	{name: "listeners.tcp.$name", flag: "amqp-listen", as: listener, list: true},
	{name: "listeners.ssl", as: onlyNone, together: true},
	{name: "listeners.ssl.$name", flag: "amqps-listen", as: listener, list: true},
	{name: "management.tcp.port", together: true},
	{name: "management.tcp.ip", together: true},
	{name: "management.ssl.port", together: true},
	{name: "management.ssl.ip", together: true},
	{name: "management.ssl.certfile", together: true},
	{name: "management.ssl.keyfile", together: true},
	{name: "management.ssl.cacertfile", together: true},
	{name: "management.listener.port", together: true},
	{name: "management.listener.ip", together: true},
	{name: "management.listener.ssl", as: boolean, together: true},
	{name: "management.listener.ssl_opts.certfile", together: true},
	{name: "management.listener.ssl_opts.keyfile", together: true},
	{name: "management.listener.ssl_opts.cacertfile", together: true},
	{name: "prometheus.tcp.port", together: true},
	{name: "prometheus.tcp.ip", together: true},

	{name: "ssl_options.certfile", flag: "tls-cert"},
	{name: "ssl_options.keyfile", flag: "tls-key"},
	{name: "ssl_options.cacertfile", flag: "tls-ca"},
	{name: "ssl_options.verify", flag: "tls-verify"},
	{name: "ssl_options.fail_if_no_peer_cert", flag: "tls-fail-if-no-peer-cert", as: boolean},
	{name: "ssl_options.versions.$version", flag: "tls-min-version", as: version, list: true},
	{name: "ssl_cert_login_from", flag: "cert-login-from", as: alternativeName},
	{name: "ssl_cert_login_san_type", flag: "cert-login-san-type"},
	{name: "ssl_cert_login_san_index", flag: "cert-login-san-index"},
	{name: "auth_mechanisms.$name", flag: "auth-mechanisms", list: true},
	{name: "anonymous_login_user", flag: "anonymous-user", as: noneIsEmpty},
	{name: "proxy_protocol", flag: "proxy-protocol-from", as: proxies},

	{name: "handshake_timeout", flag: "handshake-timeout", as: milliseconds},
	{name: "heartbeat", flag: "heartbeat", as: seconds},
	{name: "frame_max", flag: "frame-max", as: frame},
	{name: "channel_max", flag: "channel-max", as: zeroIsMost},
	{name: "max_channels_per_connection", flag: "channel-max", as: zeroIsMost},
	{name: "consumer_max_per_channel", flag: "consumer-max-per-channel", as: infinityIsZero},
	{name: "max_connections", flag: "max-connections", as: infinityIsZero},
	{name: "connection_max", flag: "max-connections", as: infinityIsZero},
	{name: "max_message_size", flag: "max-message-size"},
	{name: "vm_memory_high_watermark.absolute", flag: "memory-limit", as: size, rank: 1},
	{name: "vm_memory_high_watermark.relative", flag: "memory-limit", as: share},
	{name: "disk_free_limit.absolute", flag: "disk-free-limit", as: size, rank: 1},
	{name: "disk_free_limit.relative", flag: "disk-free-limit", as: multiple},

	{name: "default_user", flag: "default-user"},
	{name: "default_pass", flag: "default-pass"},
	{name: "default_vhost", flag: "default-vhost"},
	{name: "default_user_tags.$tag", as: boolean, together: true},
	{name: "default_permissions.configure", flag: "default-permissions-configure", as: emptyIsNothing},
	{name: "default_permissions.write", flag: "default-permissions-write", as: emptyIsNothing},
	{name: "default_permissions.read", flag: "default-permissions-read", as: emptyIsNothing},
	{name: "loopback_users", as: onlyNone, together: true},
	{name: "loopback_users.$user", as: boolean, together: true},

	{name: "cluster_name", flag: "cluster-name"},
	{name: "nodename", flag: "node-name"},
	{name: "product.name", flag: "product-name"},
	{name: "load_definitions", flag: "load-definitions"},
	{name: "management.load_definitions", flag: "load-definitions"},
	{name: "definitions.local.path", flag: "load-definitions"},
	{name: "definitions.skip_if_unchanged", flag: "definitions-skip-if-unchanged", as: boolean},
	{name: "log.console.level", flag: "log-level", as: level, rank: 1},
	{name: "log.default.level", flag: "log-level", as: level},
	{name: "log.console.formatter", flag: "log-format", as: formatter},
}

// find looks a key up, with the last word of it that the table leaves open.
func find(name string) (k *key, rest string, ok bool) {
	at := words(name)
	for _, table := range [][]key{keys, ignored} {
		for i := range table {
			if rest, ok := table[i].match(name, at); ok {
				return &table[i], rest, true
			}
		}
	}
	return nil, "", false
}

// match reports whether it is that key, and which word stands for the last one that
// the table leaves open.
func (k *key) match(name string, at []string) (rest string, ok bool) {
	if prefix, many := strings.CutSuffix(k.name, "*"); many {
		return "", strings.HasPrefix(name, prefix)
	}
	form := strings.Split(k.name, ".")
	if len(form) != len(at) {
		return "", false
	}
	for i, word := range form {
		switch {
		case strings.HasPrefix(word, "$"):
			rest = at[i]
		case !slices.Contains(strings.Split(word, "|"), at[i]):
			return "", false
		}
	}
	return rest, true
}

func (k *key) convert(value string) (string, error) {
	if k.as == nil {
		return value, nil
	}
	return k.as(value)
}

// Flags returns the flags that keys stand for, by name: what a program that reads the
// file has to have.
func Flags() []string {
	all := []string{"http-listen", "https-listen", "metrics-listen", "loopback-users", "default-user-tags"}
	for _, k := range keys {
		if k.flag != "" {
			all = append(all, k.flag)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
