package amqp

import (
	"bytes"
	"strings"
	"testing"
)

// TestFrame_Snippet holds what Erlang printed for these payloads.
func TestFrame_Snippet(t *testing.T) {
	for _, c := range []struct {
		name    string
		typ     FrameType
		payload []byte
		want    string
	}{
		{"nothing", FrameHeartbeat, nil, "type 8, all octets = <<>>"},
		{"text", FrameBody, []byte("a"), `type 3, all octets = <<"a">>`},
		{"control characters with a name", FrameBody, []byte("\b\t\n\v\f\r\x1b"), `type 3, all octets = <<"\b\t\n\v\f\r\e">>`},
		{"Latin-1", FrameBody, []byte("abc\xe9"), `type 3, all octets = <<"abcé">>`},
		{"DEL is not text", FrameBody, []byte("abc\x7f"), "type 3, all octets = <<97,98,99,127>>"},
		{"16 bytes of text of a longer one", FrameBody, []byte("abcdefghijklmnopq"), `type 3, first 16 octets = <<"abcdefghijklmnop">>`},
		{"81 columns", FrameType(70), append(bytes.Repeat([]byte{130}, 13), 1, 2), "type 70, all octets = <<" + strings.Repeat("130,", 13) + "1,2>>"},
		{"a second line", FrameType(70), []byte{130, 148, 116, 138, 123, 143, 102, 158, 101, 104, 101, 144, 147, 108, 117, 147},
			"type 70, all octets = <<130,148,116,138,123,143,102,158,101,104,101,144,147,\n" + strings.Repeat(" ", 24) + "108,117,147>>"},
	} {
		if got := (Frame{Type: c.typ, Payload: c.payload}).Snippet(); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

// TestErlangOctets_IsBounded: a reply text shows 255 bytes, a frame may have
// megabytes.
func TestErlangOctets_IsBounded(t *testing.T) {
	got := erlangOctets(make([]byte, 1<<20))
	if len(got) <= maxReplyText || len(got) > maxReplyText+8 {
		t.Errorf("%d bytes of text", len(got))
	}
}
