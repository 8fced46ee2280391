package auth

import (
	"regexp"
	"strings"

	"github.com/leveretmq/leveret/vhost/policy"
)

// Verb is what a right is about.
type Verb uint8

// The verbs of RabbitMQ.
const (
	Configure Verb = iota
	Write
	Read
)

// String returns the verb as texts have it.
func (v Verb) String() string { return [...]string{"configure", "write", "read"}[v] }

// Permissions are what a user may do in a vhost: for each verb a regular
// expression that the name of the exchange or queue must match, anywhere in it
// unless it says otherwise. An empty one matches the empty name only, so nothing.
type Permissions struct{ Configure, Write, Read string }

// All are the permissions to do everything.
var All = Permissions{".*", ".*", ".*"}

// TopicPermissions are which routing keys a user may publish with to a topic
// exchange of a vhost (write), and bind to it with (read): regular expressions as
// in Permissions, in which {username} and {vhost} stand for the names, taken
// literally. There are none for most exchanges: then any key will do.
type TopicPermissions struct{ Write, Read string }

// Rights are what Permissions and TopicPermissions come to for one user in one
// vhost. They do not change; a change of permissions makes new ones.
type Rights struct {
	may    [3]policy.Pattern
	topics map[string]*[3]policy.Pattern // by exchange; of Write and Read
}

// NewRights returns rights without topic permissions, for programs that decide
// themselves. The error is a *policy.Refused that names the verb.
func NewRights(p Permissions) (*Rights, error) {
	r := &Rights{}
	for verb, text := range []string{p.Configure, p.Write, p.Read} {
		var err error
		if r.may[verb], err = compile(Verb(verb), text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// May reports whether there is a right to a queue or exchange. The default exchange
// is amq.default here.
func (r *Rights) May(v Verb, name string) bool { return r.may[v].Matches(name) }

// ByTopic reports whether there are topic permissions for an exchange.
func (r *Rights) ByTopic(exchange string) bool {
	return r.topics != nil && r.topics[exchange] != nil
}

// MayTopic reports whether there is a right to a routing key of an exchange: to
// Write or to Read.
func (r *Rights) MayTopic(v Verb, exchange, key string) bool {
	t := r.topics[exchange]
	return t == nil || t[v].Matches(key)
}

// everything and nothing are what most permissions are, so all users share them.
var everything, nothing = mustCompile(".*"), mustCompile("^$")

func mustCompile(text string) policy.Pattern {
	p, err := policy.Compile(text)
	if err != nil {
		panic(err) // the texts are right
	}
	return p
}

func compile(v Verb, text string) (policy.Pattern, error) {
	switch text {
	case ".*":
		return everything, nil
	case "", "^$":
		return nothing, nil
	}
	p, err := policy.Compile(text)
	if err != nil {
		return p, policy.Refusef("%s is not a regular expression that can be used: %s", v, err)
	}
	return p, nil
}

// compileTopic compiles topic permissions for a user in a vhost.
func compileTopic(t TopicPermissions, user, vhost string) (*[3]policy.Pattern, error) {
	fill := strings.NewReplacer("{username}", regexp.QuoteMeta(user), "{vhost}", regexp.QuoteMeta(vhost))
	var (
		p   [3]policy.Pattern
		err error
	)
	if p[Write], err = compile(Write, fill.Replace(t.Write)); err == nil {
		p[Read], err = compile(Read, fill.Replace(t.Read))
	}
	return &p, err
}
