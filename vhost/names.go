package vhost

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
)

// reserved is how names begin that only the broker may give [1.6.2.1.2].
const reserved = "amq."

// ServerName returns a name that nobody has and nobody guesses: the prefix and
// 16 random bytes in URL-safe base64 without padding, as RabbitMQ makes them
// for amq.gen- and amq.ctag-.
func ServerName(prefix string) string {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(random[:])
}

// CleanName returns the name without carriage returns and line feeds, which RabbitMQ
// takes out where things are declared, deleted and bound.
func CleanName(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}
