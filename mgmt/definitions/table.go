package definitions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp"
)

// ParseTable makes a field table of a JSON object, with its names sorted. Whole
// numbers are int64, others float64, and null is nil. What is absent, null or, as
// RabbitMQ shows empty objects at times, an empty list is no table. The error
// says which value cannot be used.
func ParseTable(raw json.RawMessage) (amqp.Table, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	v, err := decodeValue(raw)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		t, misfit := tableOf(v, 0)
		if misfit != nil {
			return nil, misfit
		}
		return t, nil
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("should be an object, actually was %s", shown(raw))
}

// decodeValue decodes one JSON value, with its numbers as they are written.
func decodeValue(raw json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}

// mostNested is how deeply tables and arrays may be nested, as on the wire: what is
// deeper could not be stored.
const mostNested = 64

// misfit is a value that a field table cannot have, and where in the whole it is. The
// path grows from its end, so that values without fault need none.
type misfit struct{ path, reason string }

// Error names the place.
func (e *misfit) Error() string { return strings.TrimPrefix(e.path, ".") + ": " + e.reason }

// within is a fault, seen from around it.
func (e *misfit) within(step string) *misfit {
	e.path = step + e.path
	return e
}

// tableOf makes a table, in which others have so many around them.
func tableOf(object map[string]any, depth int) (amqp.Table, *misfit) {
	if depth >= mostNested {
		return nil, &misfit{reason: "it is nested too deeply"}
	}
	t := make(amqp.Table, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if len(name) > math.MaxUint8 {
			return nil, &misfit{"." + name, "a name has at most 255 bytes"}
		}
		v, err := fieldOf(object[name], depth)
		if err != nil {
			return nil, err.within("." + name)
		}
		t = append(t, amqp.Field{Name: name, Value: v})
	}
	return t, nil
}

func fieldOf(v any, depth int) (any, *misfit) {
	switch v := v.(type) {
	case json.Number:
		return numberOf(v)
	case []any:
		return arrayOf(v, depth+1)
	case map[string]any:
		return tableOf(v, depth+1)
	}
	return v, nil // a text, a boolean or nil
}

func arrayOf(list []any, depth int) (amqp.Array, *misfit) {
	if depth >= mostNested {
		return nil, &misfit{reason: "it is nested too deeply"}
	}
	a := make(amqp.Array, len(list))
	for i, item := range list {
		v, err := fieldOf(item, depth)
		if err != nil {
			return nil, err.within(fmt.Sprintf("[%d]", i))
		}
		a[i] = v
	}
	return a, nil
}

func numberOf(n json.Number) (any, *misfit) {
	if !strings.ContainsAny(n.String(), ".eE") {
		if i, err := n.Int64(); err == nil {
			return i, nil
		}
		return nil, &misfit{reason: fmt.Sprintf("the number %s does not fit into 64 bits", n)}
	}
	f, err := n.Float64()
	if err != nil {
		return nil, &misfit{reason: fmt.Sprintf("the number %s is too large", n)}
	}
	return f, nil
}

// TableObject is a field table as a value that encoding/json can encode, never nil.
// Of a name that is there twice the first counts, as for Get. What JSON does not
// have is shown as RabbitMQ shows it: bytes as a text, a time as its seconds.
func TableObject(t amqp.Table) map[string]any {
	object := make(map[string]any, len(t))
	for _, f := range t {
		if _, twice := object[f.Name]; !twice {
			object[f.Name] = valueOf(f.Value)
		}
	}
	return object
}

func valueOf(v any) any {
	switch v := v.(type) {
	case amqp.Table:
		return TableObject(v)
	case amqp.Array:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = valueOf(item)
		}
		return list
	case []byte:
		return string(v)
	case amqp.Timestamp:
		return uint64(v)
	case amqp.Decimal:
		return float64(v.Value) / math.Pow10(int(v.Scale))
	case float32:
		return finite(float64(v))
	case float64:
		return finite(v)
	}
	return v
}

// finite is a number, or its name where JSON has no number for it.
func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return floating(f)
}

// floating is a float64 that stays one when it is read again, though it be whole.
type floating float64

// MarshalJSON writes at least one digit after the point, as RabbitMQ does.
func (f floating) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(float64(f))
	if err == nil && !bytes.ContainsAny(b, ".e") {
		b = append(b, '.', '0')
	}
	return b, err
}

// shown is a value as errors show it: not more of it than helps.
func shown(raw json.RawMessage) string {
	const most = 60
	text := string(bytes.TrimSpace(raw))
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Value is a JSON value with its numbers as they are written; nil for what is none.
func Value(raw json.RawMessage) any {
	v, err := decodeValue(raw)
	if err != nil {
		return nil
	}
	return v
}
