package persistence_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// newMessage makes a message of its parts.
func newMessage(exchange, key, properties, body string, set func(*amqp.Message)) *amqp.Message {
	m := amqp.NewMessage(exchange, []byte(key), amqp.Properties(properties), len(body))
	m.AppendBody([]byte(body))
	if set != nil {
		set(m)
	}
	return m
}

var messages = map[string]*amqp.Message{
	"empty": newMessage("", "", "", "", nil),
	"body":  newMessage("", "", "", "body", nil),
	"all": newMessage("amq.topic", "a.b.c", "\x10\x00\x02", "hello", func(m *amqp.Message) {
		m.Persistent, m.HasHeaders, m.Priority, m.Expiration = true, true, 9, 60_000
		m.ExtraKeys = []string{"cc", "", "bcc"}
	}),
	"headers only":    newMessage("e", "k", "\x20\x00\x00\x00\x00\x00", "x", func(m *amqp.Message) { m.HasHeaders = true }),
	"persistent only": newMessage("e", "k", "\x10\x00\x02", "x", func(m *amqp.Message) { m.Persistent = true }),
	"expires at once": newMessage("e", "k", "", "x", func(m *amqp.Message) { m.Expiration = 0 }),
	"extremes": newMessage("e", "k", "", "x", func(m *amqp.Message) {
		m.Expiration, m.Priority = math.MaxInt64, 255
	}),
	"not text": newMessage("\x00\xff", "\xfe\x00", "\x00\x00", "\x00\x01\x80", func(m *amqp.Message) { m.ExtraKeys = []string{"\xff"} }),
	// Lengths about where their encoding gets longer.
	"long": newMessage(strings.Repeat("e", 127), strings.Repeat("k", 128), strings.Repeat("p", 16384), strings.Repeat("b", 100_000),
		func(m *amqp.Message) { m.ExtraKeys = slices.Repeat([]string{strings.Repeat("x", 255)}, 200) }),
}

func TestMessagesSurviveEncoding(t *testing.T) {
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			encoded := persistence.AppendMessage([]byte("before"), m)
			rest, ok := bytes.CutPrefix(encoded, []byte("before"))
			if !ok {
				t.Fatal("AppendMessage changed what was there")
			}
			got, err := persistence.DecodeMessage(rest)
			if err != nil {
				t.Fatal(err)
			}
			wantSame(t, got, m)
			if again := persistence.AppendMessage(nil, got); !bytes.Equal(again, rest) {
				t.Errorf("encoded again it is\n%x, was\n%x", again, rest)
			}
		})
	}
}

// wantSame compares messages; nil and empty are the same to a message.
func wantSame(t *testing.T, got, want *amqp.Message) {
	t.Helper()
	g, w := *got, *want
	if !bytes.Equal(g.Body, w.Body) || !bytes.Equal(g.Properties, w.Properties) || !slices.Equal(g.ExtraKeys, w.ExtraKeys) {
		t.Errorf("got %+v, want %+v", g, w)
	}
	g.Body, g.Properties, g.ExtraKeys = w.Body, w.Properties, w.ExtraKeys
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got %+v, want %+v", g, w)
	}
}

// TestEncodingIsOnDisk fails if what older stores hold would no longer be read.
func TestEncodingIsOnDisk(t *testing.T) {
	const want = "01 03 09 c0a907 09 616d712e746f706963 05 612e622e63 03 02 6363 00 03 626363 03 100002 68656c6c6f"
	encoded := persistence.AppendMessage(nil, messages["all"])
	if got := hex.EncodeToString(encoded); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("encoded as %s, want %s", got, want)
	}
}

func TestTruncatedMessages(t *testing.T) {
	for name, m := range messages {
		encoded := persistence.AppendMessage(nil, m)
		head := len(encoded) - len(m.Body)
		step := 1 + head/5000
		for n := 0; n < head; n += step {
			got, err := persistence.DecodeMessage(encoded[:n:n])
			if got != nil || !errors.Is(err, persistence.ErrDamaged) {
				t.Fatalf("%s, %d of %d bytes before the body: %v and %v, want an error that wraps ErrDamaged", name, n, head, got, err)
			}
		}
		// The body is all that is left; that it is whole is up to the store.
		got, err := persistence.DecodeMessage(encoded[:head])
		if err != nil || len(got.Body) != 0 {
			t.Errorf("%s, without its body: %v", name, err)
		}
	}
}

func TestDamagedMessages(t *testing.T) {
	for name, c := range map[string]struct{ p, text string }{
		"nothing":                  {"", "cut short"},
		"version 0":                {"\x00\x00\x00\x01\x00\x00\x00\x00", "version 0"},
		"version 2":                {"\x02\x00\x00\x01\x00\x00\x00\x00", "version 2"},
		"exchange beyond the end":  {"\x01\x00\x00\x01\x09abc", "cut short"},
		"exchange of 2^64-1 bytes": {"\x01\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc", "cut short"},
		"a length over 64 bits":    {"\x01\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc", "cut short"},
		"expiration over 64 bits":  {"\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x00", "cut short"},
		"2^63 further keys":        {"\x01\x00\x00\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00", "cut short"},
		"a number without an end":  {"\x01\x00\x00\x80\x80", "cut short"},
	} {
		m, err := persistence.DecodeMessage([]byte(c.p))
		if m != nil || !errors.Is(err, persistence.ErrDamaged) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v and %v, want an error that wraps ErrDamaged and says %q", name, m, err, c.text)
		}
	}
}

func TestDecodedMessagesOwnTheirBytes(t *testing.T) {
	encoded := persistence.AppendMessage(nil, messages["all"])
	m, err := persistence.DecodeMessage(encoded)
	if err != nil {
		t.Fatal(err)
	}
	clear(encoded)
	wantSame(t, m, messages["all"])
}

func TestSizeOf(t *testing.T) {
	for _, name := range []string{"empty", "body", "long"} {
		m := messages[name]
		is := len(persistence.AppendMessage(nil, m))
		for _, key := range m.ExtraKeys {
			is -= len(key) + 2 // which few messages have, so SizeOf leaves them out
		}
		if size := persistence.SizeOf(m); size < is || size > is+32 {
			t.Errorf("%s: SizeOf is %d, encoded without further keys it has %d bytes", name, size, is)
		}
	}
}

// FuzzDecodeMessage wants whatever is decoded to be the same after another
// round, and not to share memory with what it was decoded from.
func FuzzDecodeMessage(f *testing.F) {
	for _, m := range messages {
		if encoded := persistence.AppendMessage(nil, m); len(encoded) < 1000 {
			f.Add(encoded)
			f.Add(encoded[:len(encoded)/2])
		}
	}
	f.Add([]byte("\x02\x00\x00\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x01\xff\xff\x81\x00\x81\x00e\x81\x00k\x81\x00x\x81\x00pbody"))
	f.Add([]byte("\x01\x00\x00\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, input []byte) {
		p := bytes.Clone(input) // the input must not be changed
		m, err := persistence.DecodeMessage(p)
		if err != nil {
			if m != nil || !errors.Is(err, persistence.ErrDamaged) {
				t.Fatalf("DecodeMessage: %v and %v, want an error that wraps ErrDamaged", m, err)
			}
			return
		}
		encoded := persistence.AppendMessage(nil, m)
		if len(encoded) > len(p) {
			t.Fatalf("%d bytes became %d", len(p), len(encoded))
		}
		clear(p)
		again, err := persistence.DecodeMessage(encoded)
		if err != nil {
			t.Fatalf("encoded again it is not decoded: %v", err)
		}
		wantSame(t, again, m)
	})
}
