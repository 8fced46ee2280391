package ctl

const (
	noErlang  = "there is no Erlang runtime behind it"
	noCluster = "it is one node, without a cluster"
	oneNode   = "the broker is started and stopped by whoever runs its process"
	atStart   = "it is a setting of the broker's start"
	noPlugins = "it has no plugins"
)

// unsupported are the verbs of rabbitmqctl 3.10 and rabbitmq-diagnostics 3.10 that
// have no meaning here, with the reason.
var unsupported = map[string]string{
	"autocomplete":                         "see the command completion",
	"reset":                                "remove the data directory of a stopped broker instead",
	"force_reset":                          "remove the data directory of a stopped broker instead",
	"force_boot":                           noCluster,
	"rotate_logs":                          "it logs to standard error; rotate where that goes to",
	"shutdown":                             oneNode,
	"start_app":                            oneNode,
	"stop":                                 oneNode,
	"stop_app":                             oneNode,
	"change_cluster_node_type":             noCluster,
	"forget_cluster_node":                  noCluster,
	"join_cluster":                         noCluster,
	"rename_cluster_node":                  noCluster,
	"update_cluster_nodes":                 noCluster,
	"discover_peers":                       noCluster,
	"cancel_sync_queue":                    "there are no mirrored queues",
	"sync_queue":                           "there are no mirrored queues",
	"list_ciphers":                         "there are no encrypted configuration values",
	"list_hashes":                          "there are no encrypted configuration values",
	"encode":                               "there are no encrypted configuration values",
	"decode":                               "there are no encrypted configuration values",
	"enable_auth_attempt_source_tracking":  "see the metrics",
	"disable_auth_attempt_source_tracking": "see the metrics",
	"list_unresponsive_queues":             "a queue that does not answer is a fault of the whole broker; see check_running",
	"schema_info":                          "there is no Mnesia",
	"restart_vhost":                        "vhosts do not fail one by one",
	"set_disk_free_limit":                  atStart,
	"set_vm_memory_high_watermark":         atStart,
	"set_log_level":                        atStart,
	"log_location":                         "it logs to standard error",
	"log_tail":                             "it logs to standard error",
	"log_tail_stream":                      "it logs to standard error",
	"consume_event_stream":                 "consume from the exchange amq.rabbitmq.event instead",
	"eval":                                 noErlang,
	"eval_file":                            noErlang,
	"exec":                                 noErlang,
	"force_gc":                             noErlang,
	"remote_shell":                         noErlang,
	"observer":                             noErlang,
	"maybe_stuck":                          noErlang,
	"runtime_thread_stats":                 noErlang,
	"erlang_cookie_hash":                   noErlang,
	"erlang_cookie_sources":                noErlang,
	"resolver_info":                        noErlang,
	"resolve_hostname":                     noErlang,
	"command_line_arguments":               noErlang,
	"hipe_compile":                         noErlang,
	"os_env":                               "see environment",
	"list_network_interfaces":              "see the tools of its host",
	"certificates":                         "ask the listener itself, with openssl s_client",
	"cipher_suites":                        "they are those of Go's TLS",
	"tls_versions":                         "they are TLS 1.2 and 1.3",
	"resume_listeners":                     "listeners are not suspended",
	"suspend_listeners":                    "listeners are not suspended",
	"quorum_status":                        noCluster,
	"stream_status":                        noCluster,
	"reclaim_quorum_memory":                noCluster,
	"list_plugins":                         noPlugins,
	"enable":                               noPlugins,
	"disable":                              noPlugins,
}
