package mgmt

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"net/url"
	"strings"

	"github.com/leveretmq/leveret/amqp"
)

// propertiesKey names a binding among those of the same ends, as RabbitMQ does: by its
// routing key, escaped, and if there are arguments by a hash of them. Without any of
// both it is "~".
func propertiesKey(key string, args amqp.Table) string {
	hash := hashOf(args)
	if key == "" && hash == "" {
		return "~"
	}
	name := strings.ReplaceAll(url.QueryEscape(key), "~", "%7E")
	if hash != "" {
		name += "~" + hash
	}
	return name
}

// hashOf is a hash of arguments in RabbitMQ's form; that of none is empty. It is
// another than RabbitMQ's, which is one of Erlang terms: clients only give it back.
func hashOf(args amqp.Table) string {
	if len(args) == 0 {
		return ""
	}
	wire, err := amqp.AppendTable(nil, args)
	if err != nil {
		return "~" // no binding has arguments that cannot be encoded, and no hash is this
	}
	h := fnv.New32a()
	h.Write(wire)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, h.Sum32()))
}

// wantedProperties are what a path says of a binding.
type wantedProperties struct{ key, hash string }

// parsePropertiesKey reads a segment that propertiesKey has made, or that a client has
// made without escaping the key.
func parsePropertiesKey(segment string) wantedProperties {
	key, hash, _ := strings.Cut(segment, "~")
	if plain, err := url.QueryUnescape(key); err == nil {
		key = plain
	}
	return wantedProperties{key, hash}
}

func (w wantedProperties) fits(key string, args amqp.Table) bool {
	return w.key == key && w.hash == hashOf(args)
}
