package conf

import "strings"

// key is a key of rabbitmq.conf, or the beginning of several.
type key struct {
	// name is the key; if it ends in .*, all that begin so.
	name string
	flag string
	// as turns a value into that of the flag; nil leaves it.
	as func(string) (string, error)
	// list: values of several keys are a list.
	list bool
	// together: it counts together with others, see translator.end.
	together bool
	// ignored says why it has no meaning here.
	ignored string
}

// match returns what of a key stands in the place of the star.
func (k *key) match(name string) (rest string, ok bool) {
	if prefix, many := strings.CutSuffix(k.name, "*"); many {
		return strings.CutPrefix(name, prefix)
	}
	return "", k.name == name
}

func (k *key) convert(value string) (string, error) {
	if k.as == nil {
		return value, nil
	}
	return k.as(value)
}

const (
	erlang    = "it is about the Erlang runtime"
	clusters  = "there are no clusters"
	plugin    = "there is no such plug-in"
	always    = "it is always so"
	byPolicy  = "a policy or an argument of the queue says it here"
	onlyUsers = "the broker's own users are the only ones"
)

// keys are the keys that RabbitMQ has. The first that matches counts.
var keys = []key{
	{name: "listeners.tcp", flag: "amqp-listen", as: noListeners, list: true},
	{name: "listeners.tcp.*", flag: "amqp-listen", as: listener, list: true},
	{name: "listeners.ssl", flag: "amqps-listen", as: noListeners, list: true},
	{name: "listeners.ssl.*", flag: "amqps-listen", as: listener, list: true},
	{name: "management.tcp.port", together: true},
	{name: "management.tcp.ip", together: true},
	{name: "management.ssl.port", together: true},
	{name: "management.ssl.ip", together: true},
	{name: "prometheus.tcp.port", together: true},
	{name: "prometheus.tcp.ip", together: true},
	{name: "ssl_options.certfile", flag: "tls-cert"},
	{name: "ssl_options.keyfile", flag: "tls-key"},
	{name: "ssl_options.cacertfile", flag: "tls-ca"},
	{name: "ssl_options.verify", flag: "tls-verify"},
	{name: "ssl_options.fail_if_no_peer_cert", flag: "tls-fail-if-no-peer-cert", as: boolean},
	{name: "ssl_options.versions.*", flag: "tls-min-version", as: version, list: true},
	{name: "ssl_cert_login_from", flag: "cert-login-from"},
	{name: "ssl_cert_login_san_type", flag: "cert-login-san-type"},
	{name: "ssl_cert_login_san_index", flag: "cert-login-san-index"},
	{name: "auth_mechanisms.*", flag: "auth-mechanisms", list: true},
	{name: "anonymous_login_user", flag: "anonymous-user", as: noneIsEmpty},
	{name: "proxy_protocol", flag: "proxy-protocol-from", as: proxies},
	{name: "handshake_timeout", flag: "handshake-timeout", as: milliseconds},
	{name: "ssl_handshake_timeout", ignored: "handshake_timeout is for all of it"},
	{name: "heartbeat", flag: "heartbeat", as: seconds},
	{name: "frame_max", flag: "frame-max"},
	{name: "channel_max", flag: "channel-max", as: zeroIsMost},
	{name: "max_channels_per_connection", flag: "channel-max", as: zeroIsMost},
	{name: "consumer_max_per_channel", flag: "consumer-max-per-channel", as: infinityIsZero},
	{name: "max_connections", flag: "max-connections", as: infinityIsZero},
	{name: "connection_max", flag: "max-connections", as: infinityIsZero},
	{name: "max_message_size", flag: "max-message-size"},
	{name: "default_user", flag: "default-user"},
	{name: "default_pass", flag: "default-pass"},
	{name: "default_vhost", flag: "default-vhost"},
	{name: "default_user_tags.*", ignored: "the first user is an administrator"},
	{name: "default_permissions.*", ignored: "the first user has all permissions"},
	{name: "default_users.*", ignored: "load_definitions makes more users"},
	{name: "default_policies.*", ignored: "load_definitions makes policies"},
	{name: "default_limits.*", ignored: "load_definitions sets limits"},
	{name: "default_queue_type", ignored: "the metadata of a vhost say it"},
	{name: "loopback_users", together: true},
	{name: "loopback_users.*", together: true},
	{name: "vm_memory_high_watermark.relative", flag: "memory-limit", as: share},
	{name: "vm_memory_high_watermark.absolute", flag: "memory-limit", as: size},
	{name: "vm_memory_high_watermark_paging_ratio", ignored: "messages leave memory by themselves"},
	{name: "vm_memory_calculation_strategy", ignored: erlang},
	{name: "total_memory_available_override_value", ignored: "vm_memory_high_watermark.absolute says how much memory there is to be"},
	{name: "memory_monitor_interval", ignored: "memory is watched as it changes"},
	{name: "disk_free_limit.absolute", flag: "disk-free-limit", as: size},
	{name: "disk_free_limit.relative", ignored: "disk_free_limit.absolute is what there is"},
	{name: "cluster_name", flag: "cluster-name"},
	{name: "load_definitions", flag: "load-definitions"},
	{name: "management.load_definitions", flag: "load-definitions"},
	{name: "definitions.local.path", flag: "load-definitions"},
	{name: "definitions.skip_if_unchanged", flag: "definitions-skip-if-unchanged", as: boolean},
	{name: "definitions.import_backend", ignored: "definitions come from files"},
	{name: "log.console.level", flag: "log-level", as: level},
	{name: "log.default.level", flag: "log-level", as: level},
	{name: "log.console.formatter", flag: "log-format", as: formatter},
	{name: "log.console", ignored: "logs go to the standard error always"},
	{name: "log.*", ignored: "logs go to the standard error, all of them at one level"},
	{name: "consumer_timeout", ignored: byPolicy + " (consumer-timeout)"},
	{name: "default_consumer_prefetch.*", ignored: "clients say it"},
	{name: "channel_max_per_node", ignored: "limits of users say it"},
	{name: "vhost_max", ignored: "there is no such limit"},
	{name: "cluster_queue_limit", ignored: "limits of vhosts say it"},
	{name: "cluster_exchange_limit", ignored: "there is no such limit"},
	{name: "queue_master_locator", ignored: clusters},
	{name: "queue_leader_locator", ignored: clusters},
	{name: "quorum_queue.*", ignored: clusters},
	{name: "classic_queue.*", ignored: "queues are what they are"},
	{name: "quorum_commands_soft_limit", ignored: clusters},
	{name: "cluster_*", ignored: clusters},
	{name: "mirroring_*", ignored: clusters},
	{name: "raft.*", ignored: clusters},
	{name: "metadata_store.*", ignored: clusters},
	{name: "node_tags.*", ignored: clusters},
	{name: "autocluster.*", ignored: clusters},
	{name: "auth_backends.*", ignored: onlyUsers},
	{name: "auth_ldap.*", ignored: onlyUsers},
	{name: "auth_http.*", ignored: onlyUsers},
	{name: "auth_oauth2.*", ignored: onlyUsers},
	{name: "auth_cache.*", ignored: onlyUsers},
	{name: "credential_validator.*", ignored: "every password is accepted that is not empty"},
	{name: "password_hashing_module", ignored: "passwords are hashed with SHA-256 and a salt"},
	{name: "collect_statistics*", ignored: always},
	{name: "management_agent.*", ignored: always},
	{name: "management.*", ignored: "it is not one that Leveret's management API has"},
	{name: "prometheus.*", ignored: "it is not one that Leveret's metrics have"},
	{name: "deprecated_features.*", ignored: "what RabbitMQ has deprecated works"},
	{name: "feature_flags.*", ignored: "there are none to be switched"},
	{name: "tcp_listen_options.*", ignored: "Go's defaults are good"},
	{name: "num_acceptors.*", ignored: erlang},
	{name: "ssl_options.*", ignored: "Go decides it, and decides well"},
	{name: "socket_writer.*", ignored: erlang},
	{name: "reverse_dns_lookups", ignored: "there are none"},
	{name: "hipe_compile", ignored: erlang},
	{name: "delegate_count", ignored: erlang},
	{name: "background_gc*", ignored: erlang},
	{name: "erlang.*", ignored: erlang},
	{name: "net_ticktime", ignored: clusters},
	{name: "mnesia_*", ignored: erlang},
	{name: "msg_store_*", ignored: "the store is another"},
	{name: "queue_index_*", ignored: "the store is another"},
	{name: "lazy_queue_*", ignored: "every queue is lazy where it must be"},
	{name: "message_interceptors.*", ignored: plugin},
	{name: "mqtt.*", ignored: plugin},
	{name: "stomp.*", ignored: plugin},
	{name: "stream.*", ignored: plugin},
	{name: "web_*", ignored: plugin},
	{name: "amqp1_0.*", ignored: plugin},
	{name: "shovel.*", ignored: plugin},
	{name: "federation.*", ignored: plugin},
	{name: "trust_store.*", ignored: plugin},
	{name: "sysmon_handler.*", ignored: erlang},
}
