package mgmt

import (
	"crypto/tls"
	"encoding/json"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// What a client may write as properties has a form on the wire that is shown again in a
// form that stands for the same bytes.
func FuzzWireProperties(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `{"app_id":"","headers":{}}`, `{"priority":255,"delivery_mode":2,"timestamp":1500000000,"bogus":[1]}`,
		`{"headers":{"a":1,"f":1.5,"l":[1,"x",{"y":true}],"t":{"z":{}},"s":"é"},"expiration":"60000","type":"t"}`,
		`{"priority":256}`, `{"priority":1.5}`, `{"timestamp":-1}`, `{"headers":5}`, `{"headers":{"a":[null]}}`, `null`, `"x"`, `{"app_id":1}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) {
			t.Skip()
		}
		wire, err := wireProperties(json.RawMessage(raw))
		if err != nil {
			if refusalOf(err).status != 400 {
				t.Errorf("%s: %v is no 400", raw, err)
			}
			return
		}
		shown, err := shownProperties(wire)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		text := appendJSON(nil, shown)
		again, err := wireProperties(text)
		if err != nil || string(again) != string(wire) {
			t.Errorf("%s is shown as %s, which is something else: %v", raw, text, err)
		}
	})
}

// What comes from a client by AMQP can be shown, whatever it is.
func FuzzShownProperties(f *testing.F) {
	all, err := amqp.BasicProperties{
		ContentType: "a", Headers: amqp.Table{{Name: "d", Value: amqp.Decimal{Scale: 2, Value: 314}}, {Name: "t", Value: amqp.Timestamp(5)},
			{Name: "x", Value: []byte{1, 0xff}}, {Name: "v", Value: nil}, {Name: "f", Value: float32(1.5)}},
		Timestamp: 1, Priority: 3,
	}.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(all))
	f.Add([]byte{})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		shown, err := shownProperties(wire)
		if err != nil {
			t.Skip()
		}
		if text := appendJSON(nil, shown); !json.Valid(text) {
			t.Errorf("%x is shown as %s", wire, text)
		}
	})
}

func TestShownTypes(t *testing.T) {
	wire, err := amqp.BasicProperties{Headers: amqp.Table{
		{Name: "decimal", Value: amqp.Decimal{Scale: 2, Value: 314}}, {Name: "time", Value: amqp.Timestamp(1500000000)},
		{Name: "bytes", Value: []byte("abc")}, {Name: "void", Value: nil}, {Name: "float", Value: float32(1.5)}, {Name: "double", Value: 2.0},
		{Name: "byte", Value: int8(-1)}, {Name: "list", Value: amqp.Array{uint16(1), amqp.Table{}}},
	}}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := shownProperties(wire)
	const want = `{"headers":{"byte":-1,"bytes":"abc","decimal":3.14,"double":2.0,"float":1.5,"list":[1,{}],"time":1500000000,"void":null}}`
	if got := string(appendJSON(nil, shown)); err != nil || got != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}

// Erlang's words for what Go calls otherwise.
func TestShownTLS(t *testing.T) {
	for _, c := range []struct {
		version, suite                   uint16
		protocol, exchange, cipher, hash string
	}{
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "tlsv1.2", "ecdhe_rsa", "aes_256_gcm", "aead"},
		{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "tlsv1.2", "ecdhe_ecdsa", "aes_128_cbc", "sha"},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "tlsv1.2", "ecdhe_rsa", "chacha20_poly1305", "aead"},
		{tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, "tlsv1.3", "any", "aes_128_gcm", "aead"},
	} {
		s := &tls.ConnectionState{Version: c.version, CipherSuite: c.suite}
		if got := suiteOf(s); protocolOf(s) != c.protocol || got != (suite{c.exchange, c.cipher, c.hash}) {
			t.Errorf("%s: %v %v", tls.CipherSuiteName(c.suite), protocolOf(s), got)
		}
	}
	if suiteOf(nil) != (suite{}) || protocolOf(nil) != nil || subjectOf(nil) != nil || validityOf(&tls.ConnectionState{}) != nil {
		t.Error("what is not there is shown")
	}
}
