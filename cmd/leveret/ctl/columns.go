package ctl

import (
	"encoding/json"
	"slices"
	"strings"
)

// column is a column of a list, under rabbitmqctl's name.
type column struct {
	name string
	// path is where the API's object has the value, with a dot before a member of
	// an object in it; empty: as name.
	path string
	// also are other paths that value needs.
	also []string
	// value makes the value of what is at the path and of the whole object;
	// nil: what is at the path, as the kind says.
	value func(at any, o object) any
}

func (c column) at(o object) any {
	at := any(o)
	for part := range strings.SplitSeq(cmpText(c.path, c.name), ".") {
		m, _ := at.(object)
		at = m[part]
	}
	if c.value != nil {
		return c.value(at, o)
	}
	return at
}

// columns makes columns that are called alike here and in the API.
func columns(names ...string) (list []column) {
	for _, name := range names {
		list = append(list, column{name: name})
	}
	return list
}

// number is a value that counts something: 0 if it is not known.
func number(at any, _ object) any {
	if at == nil {
		return json.Number("0")
	}
	return at
}

// table is a value that is a field table; the API spells an empty one [] at times.
func table(at any, _ object) any {
	m, _ := at.(object)
	return fieldTable(m)
}

// tags is a value that is a list of words.
func tags(at any, _ object) any {
	switch at := at.(type) {
	case string:
		if at == "" {
			return words{}
		}
		return words(strings.Split(at, ","))
	case []any:
		list := words{}
		for _, e := range at {
			list = append(list, text(e))
		}
		return list
	}
	return words{}
}

// There are no process ids here. What stands in for one is made of the client's
// address, and closeConnection finds the connection by it: it has no space in it,
// and differs between connections.
func connectionPID(at any, _ object) any {
	name, _ := at.(string)
	return pidOf(name)
}

func pidOf(connection string) any {
	client, _, ok := strings.Cut(connection, " -> ")
	if !ok {
		return nil
	}
	return "<" + client + ">"
}

// channelPID is the client's address and the channel's number.
func channelPID(at any, o object) any {
	m, _ := at.(object)
	name, _ := m["connection_name"].(string)
	number, _ := m["number"].(json.Number)
	pid, ok := pidOf(name).(string)
	if !ok {
		return nil
	}
	return strings.TrimSuffix(pid, ">") + "." + number.String() + ">"
}

func (l listing) column(name string) (column, bool) {
	i := slices.IndexFunc(l.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}, false
	}
	return l.columns[i], true
}

func queueColumns() []column {
	counts := []string{
		"messages", "messages_ready", "messages_unacknowledged", "messages_ram", "messages_ready_ram", "messages_unacknowledged_ram",
		"messages_persistent", "message_bytes", "message_bytes_ready", "message_bytes_unacknowledged", "message_bytes_ram",
		"message_bytes_persistent", "consumers", "consumer_utilisation", "consumer_capacity", "memory",
	}
	list := columns("name", "vhost", "durable", "auto_delete", "exclusive", "policy", "operator_policy", "exclusive_consumer_tag",
		"single_active_consumer_tag", "head_message_timestamp", "state", "type", "leader", "members", "online")
	for _, name := range counts {
		list = append(list, column{name: name, value: number})
	}
	return append(list,
		column{name: "arguments", value: table},
		column{name: "effective_policy_definition", value: table},
		column{name: "disk_reads", path: "message_stats.disk_reads", value: number},
		column{name: "disk_writes", path: "message_stats.disk_writes", value: number},
		column{name: "owner_pid", path: "owner_pid_details.name", value: connectionPID},
		// What has no meaning here is empty, because scripts ask for it.
		column{name: "pid", path: "name", value: empty}, column{name: "slave_pids", path: "name", value: empty},
		column{name: "synchronised_slave_pids", path: "name", value: empty}, column{name: "exclusive_consumer_pid", path: "name", value: empty})
}

func empty(any, object) any { return nil }

func connectionColumns() []column {
	list := columns("name", "port", "host", "peer_port", "peer_host", "ssl", "ssl_protocol", "ssl_key_exchange", "ssl_cipher", "ssl_hash",
		"peer_cert_subject", "peer_cert_issuer", "peer_cert_validity", "state", "auth_mechanism", "user", "vhost", "timeout",
		"frame_max", "channel_max", "connected_at", "user_provided_name", "node")
	for _, name := range []string{"channels", "recv_oct", "recv_cnt", "send_oct", "send_cnt", "send_pend"} {
		list = append(list, column{name: name, value: number})
	}
	return append(list,
		column{name: "pid", path: "name", value: connectionPID},
		column{name: "client_properties", value: table},
		column{name: "protocol", value: func(at any, _ object) any {
			if at == "AMQP 0-9-1" {
				return "{0,9,1}"
			}
			return at
		}})
}

func channelColumns() []column {
	list := columns("name", "number", "user", "vhost", "transactional", "confirm", "state", "node")
	for _, name := range []string{"consumer_count", "messages_unacknowledged", "messages_uncommitted", "acks_uncommitted",
		"messages_unconfirmed", "prefetch_count", "global_prefetch_count"} {
		list = append(list, column{name: name, value: number})
	}
	return append(list,
		column{name: "connection", path: "connection_details.name", value: connectionPID},
		column{name: "pid", path: "connection_details.name", also: []string{"number"}, value: func(at any, o object) any {
			return channelPID(object{"connection_name": at, "number": o["number"]}, nil)
		}})
}

func consumerColumns() []column {
	return append(columns("consumer_tag", "ack_required", "prefetch_count", "active", "activity_status", "exclusive"),
		column{name: "queue_name", path: "queue.name"}, column{name: "vhost", path: "queue.vhost"},
		column{name: "channel_pid", path: "channel_details", value: channelPID}, column{name: "arguments", value: table})
}
