package amqp

import (
	"bytes"
	"reflect"
	"testing"
)

// TestNewMessage_OwnsItsBytes: the frames may be overwritten afterwards, and
// key, properties and body share one piece of memory.
func TestNewMessage_OwnsItsBytes(t *testing.T) {
	key, body := []byte("orders.new"), []byte("hello world")
	props, err := BasicProperties{Headers: Table{{"k", true}}}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMessage("orders", key, props, len(body))
	m.HasHeaders = true
	m.AppendBody(body[:5])
	m.AppendBody(body[5:])
	wantProps := bytes.Clone(props)
	clear(key)
	clear(props)
	clear(body)
	if m.RoutingKey != "orders.new" || !bytes.Equal(m.Properties, wantProps) || string(m.Body) != "hello world" {
		t.Errorf("got key %q, properties %x, body %q", m.RoutingKey, m.Properties, m.Body)
	}
	if m.Size() != 11 || m.Expiration != NoExpiration {
		t.Errorf("size %d, expiration %d", m.Size(), m.Expiration)
	}
	if headers, err := m.Headers(); err != nil || !reflect.DeepEqual(headers, Table{{"k", true}}) {
		t.Errorf("headers %v, %v", headers, err)
	}
	if got := testing.AllocsPerRun(100, func() { NewMessage("x", []byte("key"), wantProps, 1024).AppendBody(wantProps) }); got > 2 {
		t.Errorf("%v allocations a message, want 2", got)
	}
}
