package auth

import (
	"crypto/sha256"
	"strings"
	"testing"
)

func TestNewHash(t *testing.T) {
	h := NewHash("secret")
	sum := sha256.Sum256([]byte(h.salted[:4] + "secret"))
	if h.Algorithm != SHA256 || h.salted[4:] != string(sum[:]) {
		t.Error("the hash is not SHA-256 of salt and password")
	}
	if NewHash("secret") == h {
		t.Error("two hashes have the same salt")
	}
}

func TestParseHash(t *testing.T) {
	for _, c := range []struct {
		algorithm Algorithm
		text      string
		password  string
	}{
		// The example of RabbitMQ's documentation of password hashes.
		{SHA256, "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "test12"},
		{MD5, "AQIDBA==", ""},
	} {
		h, err := ParseHash(c.algorithm, c.text)
		if c.password == "" {
			if err == nil {
				t.Errorf("%s %s was accepted", c.algorithm, c.text)
			}
			continue
		}
		if err != nil || h.String() != c.text || !h.matches(c.password) || h.matches(c.password+"x") {
			t.Errorf("%s: %v, %s", c.algorithm, err, h)
		}
	}
	for _, a := range []Algorithm{SHA256, SHA512, MD5} {
		made := Hash{a, salted(a, "salt", "pässword")}
		h, err := ParseHash(a, made.String())
		if err != nil || h != made || !h.matches("pässword") || h.matches("password") {
			t.Errorf("%s: %v, %v", a, h, err)
		}
	}
	if h, err := ParseHash("", ""); h != (Hash{}) || err != nil || h.matches("") || h.String() != "" {
		t.Errorf("the hash of no password: %v, %v", h, err)
	}
	for text, want := range map[string]string{"%": "base64", "AAAA": "has 3 bytes, and rabbit_password_hashing_sha256 makes 36"} {
		if _, err := ParseHash(SHA256, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ParseHash("rot13", "AAAA"); err == nil || err.Error() != "hashing_algorithm 'rot13' is not known" {
		t.Error(err)
	}
	if nobody.matches("x") || (Hash{}).matches("") {
		t.Error("somebody gets in as nobody")
	}
}
