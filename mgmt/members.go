package mgmt

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/mgmt/definitions"
)

// wrong is RabbitMQ's refusal of a value: what is wrong, and the value or the name of
// what has it.
func wrong(what string, value any) error {
	return &refusal{http.StatusBadRequest, "bad_request", []any{what, value}}
}

// members are the members of a body that is an object.
type members map[string]json.RawMessage

// members reads the body of a request.
func (r *request) members() (members, error) { return r.decode() }

// need refuses a body without some of the names, in the words of Erlang.
func (m members) need(names ...string) error {
	var missing []string
	for _, name := range names {
		if _, ok := m[name]; !ok {
			missing = append(missing, "{key_missing,"+name+"}")
		}
	}
	if missing == nil {
		return nil
	}
	list := "[" + strings.Join(missing, ",") + "]"
	if len(list) >= erlangLine {
		list = "[" + strings.Join(missing, ",\n ") + "]"
	}
	return badRequest("%s", list)
}

// erlangLine is how long a line is that Erlang prints.
const erlangLine = 80

// value is a member as encoding/json decodes it; nil if there is none.
func (m members) value(name string) (v any) {
	// What is there was decoded once, so it is JSON.
	_ = json.Unmarshal(m[name], &v)
	return v
}

// flag is a member that is a boolean, or the name of one; false if it is not there.
func (m members) flag(name string) (bool, error) {
	switch v := m.value(name).(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		if v == "true" || v == "false" {
			return v == "true", nil
		}
		return false, wrong("not_boolean", v)
	default:
		return false, wrong("not_boolean", v)
	}
}

// text is a member that is a string; empty if it is not there.
func (m members) text(name string) (string, error) {
	switch v := m.value(name).(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", wrong("not_string", name)
}

// number is a member that is a number, of which what is behind the point is left out,
// or the text of an integer; without, if it is not there.
func (m members) number(name string, without int) (int, error) {
	switch v := m.value(name).(type) {
	case nil:
		return without, nil
	case float64:
		if math.Abs(v) < 1<<53 {
			return int(v), nil
		}
		return 0, wrong("not_integer", v)
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n, nil
		}
		return 0, wrong("not_integer", v)
	default:
		return 0, wrong("not_integer", v)
	}
}

// table is a member that is an object, as a field table, in which null is not allowed.
func (m members) table(name string) (amqp.Table, error) {
	t, err := definitions.ParseTable(m[name])
	switch {
	case err != nil:
		return nil, badRequest("%s: %s", name, err)
	case hasNull(t):
		return nil, badRequest("null_not_allowed")
	}
	return t, nil
}

// hasNull reports whether a value of a field table is nothing, or has such a value.
func hasNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case amqp.Table:
		for _, f := range v {
			if hasNull(f.Value) {
				return true
			}
		}
	case amqp.Array:
		for _, item := range v {
			if hasNull(item) {
				return true
			}
		}
	}
	return false
}

// checkName refuses a name for something new that cannot be one.
func checkName(kind, name string) error {
	if err := checkLength(kind, name); err != nil {
		return err
	}
	return definitions.CheckName(kind, name)
}

// checkLength refuses what does not fit into a short string of AMQP.
func checkLength(what, text string) error {
	if len(text) > math.MaxUint8 {
		return badRequest("%s should be less than 255 bytes, actually was %d\n", what, len(text))
	}
	return nil
}

// exchangeName is the exchange that a segment of a path means.
func exchangeName(segment string) string {
	if segment == "amq.default" {
		return ""
	}
	return segment
}
