package ctl

import (
	"slices"
	"strconv"
	"strings"
)

// kind is what an option takes.
type kind int

const (
	flagOption kind = iota // nothing
	textOption
	numberOption
	listOption // text, and it may be given several times
)

// option is an option of some verbs, or of all.
type option struct {
	name  string
	short byte // 0 = none
	kind  kind
	about string
}

// globals are the options of every verb. The first ones are RabbitMQ's and decide
// nothing here, because there is no node to name: scripts pass them.
var globals = []option{
	{"node", 'n', textOption, "name to print for the broker; where it is, --uri says"},
	{"longnames", 'l', flagOption, "no meaning here, accepted because scripts pass it"},
	{"erlang-cookie", 0, textOption, "no meaning here, accepted because scripts pass it"},
	{"uri", 0, textOption, "URI of the management API"},
	{"cacert", 0, textOption, "file of the CA certificates to trust instead of the system's"},
	{"cert", 0, textOption, "file of the client's certificate"},
	{"key", 0, textOption, "file of its key"},
	{"timeout", 't', textOption, "seconds until the operation is given up, or infinity"},
	{"quiet", 'q', flagOption, "suppress informational messages"},
	{"silent", 's', flagOption, "suppress informational messages and the table's header"},
	{"no-table-headers", 0, flagOption, "suppress the table's header"},
	{"vhost", 'p', textOption, "vhost, / if not given"},
	{"formatter", 0, textOption, "table, pretty_table, json or csv"},
	{"format", 0, textOption, "table or json"},
	{"help", '?', flagOption, "show this help"},
}

// specials are the options of single verbs; verb.options names them. An option
// means the same kind of value wherever it is taken.
var specials = []option{
	{"online", 0, flagOption, "only queues that can be used"},
	{"offline", 0, flagOption, "only queues that cannot be used"},
	{"local", 0, flagOption, "only queues of this broker, which are all"},
	{"all", 0, flagOption, "of all vhosts; all messages"},
	{"pre-hashed-password", 0, flagOption, "the argument is a hash, as hash_password makes it"},
	{"description", 0, textOption, "description"},
	{"tags", 0, textOption, "tags, separated by commas"},
	{"default-queue-type", 0, textOption, "classic, quorum or stream"},
	{"global", 0, flagOption, "of all vhosts, or of all users"},
	{"user", 0, textOption, "user"},
	{"priority", 0, numberOption, "priority, 0 if not given"},
	{"apply-to", 0, textOption, "queues, exchanges, classic_queues, quorum_queues, streams or all"},
	{"if-empty", 'e', flagOption, "only if it is empty"},
	{"if-unused", 'u', flagOption, "only if it has no consumers"},
	{"limit", 0, numberOption, "at most so many"},
	{"per-connection-delay", 0, numberOption, "milliseconds to wait after each"},
	{"pid", 'P', numberOption, "process to watch"},
	{"within", 0, numberOption, "how many units"},
	{"unit", 0, textOption, "unit"},
	{"address", 0, textOption, "host to connect to, the URI's if not given"},
	{"details", 0, flagOption, "the long form"},
	{"header", 0, listOption, "NAME or NAME=VALUE; may be repeated"},
	{"exchange", 0, textOption, "of messages that were published to this exchange"},
	{"routing-key", 0, textOption, "of messages with this routing key"},
	{"match-key", 0, textOption, "of messages whose routing key matches this regular expression"},
	{"id", 0, listOption, "message by its id; may be repeated"},
	{"older", 0, textOption, "of messages at least that old, such as 90s or 2h"},
	{"state", 0, textOption, "ready, unacked or delayed"},
	{"payload", 0, numberOption, "bytes of each payload to show"},
	{"to-exchange", 0, textOption, "exchange to publish to"},
	{"to-queue", 0, textOption, "queue to put into"},
	{"to-key", 0, textOption, "routing key to publish with, the message's own if not given"},
	{"rate", 0, numberOption, "messages a second, 0 for as many as it can"},
	{"by", 0, textOption, "queue (where it died) or exchange (by its routing key)"},
	{"death", 0, textOption, "first or last"},
	{"dry-run", 0, flagOption, "say what would be done and do nothing"},
	{"no-wait", 0, flagOption, "do not wait for the end"},
	{"operator", 0, flagOption, "of an operator policy"},
	{"delete", 0, flagOption, "what deleting it would change"},
}

func optionNamed(name string) (option, bool) {
	for _, list := range [][]option{globals, specials} {
		if i := slices.IndexFunc(list, func(o option) bool { return o.name == name }); i >= 0 {
			return list[i], true
		}
	}
	return option{}, false
}

func optionShort(short byte) (option, bool) {
	for _, list := range [][]option{globals, specials} {
		if i := slices.IndexFunc(list, func(o option) bool { return o.short != 0 && o.short == short }); i >= 0 {
			return list[i], true
		}
	}
	return option{}, false
}

// given is an option as it was given: with its spelling, for what is said of it.
type given struct {
	option
	spelled, value string
}

// invocation is a command line, taken apart.
type invocation struct {
	verb    string // empty: none was given
	args    []string
	options []given
	invalid []given // with what is not an option, or has no value or a wrong one
}

// parse takes a command line apart. As with RabbitMQ's tools options may stand
// before or after the verb and its arguments; "--" ends them.
func parse(args []string) (inv invocation) {
	var words []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			words = append(words, args...)
			args = nil
		case strings.HasPrefix(arg, "--"):
			args = inv.long(arg, args)
		case len(arg) > 1 && arg[0] == '-' && !isNumber(arg):
			args = inv.shorts(arg, args)
		default:
			words = append(words, arg)
		}
	}
	if len(words) > 0 {
		inv.verb, inv.args = words[0], words[1:]
	}
	return inv
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && (s[1] == '.' || '0' <= s[1] && s[1] <= '9')
}

// long takes an option --name, --name=value or --name value; it returns the
// arguments that are left.
func (inv *invocation) long(arg string, rest []string) []string {
	spelled, value, hasValue := strings.Cut(arg, "=")
	o, ok := optionNamed(spelled[2:])
	if !ok {
		inv.invalid = append(inv.invalid, given{spelled: spelled})
		return rest
	}
	return inv.take(o, spelled, value, hasValue, rest)
}

// shorts takes -x, -x value, -x=value, and flags together, as in -qs.
func (inv *invocation) shorts(arg string, rest []string) []string {
	letters, value, hasValue := strings.Cut(arg[1:], "=")
	for i := 0; i < len(letters); i++ {
		o, ok := optionShort(letters[i])
		last := i == len(letters)-1
		if !ok || !last && o.kind != flagOption {
			inv.invalid = append(inv.invalid, given{spelled: "-" + letters[i:i+1]})
			continue
		}
		if last {
			return inv.take(o, "-"+letters[i:], value, hasValue, rest)
		}
		rest = inv.take(o, "-"+letters[i:i+1], "", false, rest)
	}
	return rest
}

func (inv *invocation) take(o option, spelled, value string, hasValue bool, rest []string) []string {
	g := given{o, spelled, value}
	if o.kind == flagOption {
		if hasValue && value != "true" {
			inv.invalid = append(inv.invalid, g)
			return rest
		}
		g.value = "true"
		inv.options = append(inv.options, g)
		return rest
	}
	if !hasValue {
		if len(rest) == 0 || len(rest[0]) > 1 && rest[0][0] == '-' && !isNumber(rest[0]) {
			inv.invalid = append(inv.invalid, g)
			return rest
		}
		g.value, rest = rest[0], rest[1:]
	}
	if _, err := strconv.Atoi(g.value); o.kind == numberOption && err != nil || o.name == "timeout" && !isTimeout(g.value) {
		inv.invalid = append(inv.invalid, g)
		return rest
	}
	inv.options = append(inv.options, g)
	return rest
}

func isTimeout(s string) bool {
	n, err := strconv.Atoi(s)
	return s == "infinity" || err == nil && n >= 0 && n < 1<<31
}

// all are the values of an option, in order.
func (inv *invocation) all(name string) (values []string) {
	for _, g := range inv.options {
		if g.name == name {
			values = append(values, g.value)
		}
	}
	return values
}

// text is the value of an option; the last one counts. It is empty if the option
// is not there.
func (inv *invocation) text(name string) string {
	values := inv.all(name)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func (inv *invocation) has(name string) bool { return len(inv.all(name)) > 0 }

// number is the value of a numberOption, or def without it.
func (inv *invocation) number(name string, def int) int {
	n, err := strconv.Atoi(inv.text(name))
	if err != nil {
		return def
	}
	return n
}
