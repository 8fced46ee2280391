package persistence

import (
	"encoding/binary"
	"errors"
	"testing"
)

// What was appended is read back, and a body that is cut short, too long or of
// another version is not taken for one.
func TestBodyReader(t *testing.T) {
	body := binary.AppendUvarint([]byte{BodyVersion, 5}, 300)
	body = AppendText(binary.AppendVarint(body, -7), "é", "")
	read := func(body []byte) error {
		r := OpenBody(body)
		if flags, n, m, a, b := r.Flags(7), r.Uvarint(), r.Varint(), r.Text(), r.Text(); !r.Failed() &&
			(flags != 5 || n != 300 || m != -7 || a != "é" || b != "") {
			t.Errorf("%v is read as %d, %d, %d, %q, %q", body, flags, n, m, a, b)
		}
		return r.End()
	}
	if err := read(body); err != nil {
		t.Error(err)
	}
	for n := range body {
		if err := read(body[:n]); !errors.Is(err, errShort) {
			t.Errorf("%d of %d bytes: %v", n, len(body), err)
		}
	}
	newer := append([]byte{BodyVersion + 1}, body[1:]...)
	flags := append([]byte{BodyVersion, 8}, body[2:]...)
	for want, bad := range map[string][]byte{
		"1 bytes are left over":                         append(append([]byte{}, body...), 0),
		"its version is 2, and this program knows 1":    newer,
		"its flags are 0x8, and this program knows 0x7": flags,
	} {
		if err := read(bad); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
