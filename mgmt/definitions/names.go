package definitions

import (
	"strings"
	"unicode/utf8"

	"github.com/leveretmq/leveret/vhost/policy"
)

// maxName is the longest name, in bytes: what a short string of AMQP can hold.
const maxName = 255

// CheckName returns a *policy.Refused for what cannot be the name of something that
// management makes: no path could hold it, or no client could say it. kind is what
// it is the name of.
func CheckName(kind, name string) error {
	fault := ""
	switch {
	case name == "":
		fault = "must not be empty"
	case len(name) > maxName:
		fault = "has at most 255 bytes"
	case !utf8.ValidString(name):
		fault = "should be UTF-8"
	case strings.ContainsRune(name, 0):
		fault = "must not contain a null character"
	case name == "." || name == "..":
		fault = "must not be '" + name + "', which no path can hold"
	default:
		return nil
	}
	return policy.Refusef("name of %s %s", kind, fault)
}
