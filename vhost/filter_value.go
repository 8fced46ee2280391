package vhost

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/leveretmq/leveret/amqp"
)

// sameValue reports whether a value of a field table is what a filter asks for, which
// is of a kind that JSON has: numbers are compared by what they come to, whatever their
// types.
func sameValue(v, want any) bool {
	switch want := want.(type) {
	case bool:
		return v == want
	case string:
		switch v := v.(type) {
		case string:
			return v == want
		case []byte:
			return string(v) == want
		}
		return false
	}
	if n, ok := exactly(v); ok {
		w, ok := exactly(want)
		return ok && n == w
	}
	if x, ok := inexactly(v); ok {
		w, ok := inexactly(want)
		return ok && x == w
	}
	return reflect.DeepEqual(v, want)
}

// exactly returns a whole number.
func exactly(v any) (int64, bool) {
	switch v := v.(type) {
	case amqp.Timestamp:
		return int64(v), v <= 1<<63-1
	case float32:
		return exactly(float64(v))
	case float64:
		return int64(v), v == float64(int64(v)) && v > -1<<53 && v < 1<<53
	}
	return amqp.Int(v)
}

// inexactly returns any number.
func inexactly(v any) (float64, bool) {
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	case amqp.Decimal:
		x := float64(v.Value)
		for range v.Scale {
			x /= 10
		}
		return x, true
	}
	n, ok := amqp.Int(v)
	return float64(n), ok
}

// textOf is a value of a field table as a text: tables and arrays are JSON.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case amqp.Timestamp:
		return strconv.FormatUint(uint64(v), 10)
	}
	if n, ok := exactly(v); ok {
		return strconv.FormatInt(n, 10)
	}
	if x, ok := inexactly(v); ok {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	if text, err := json.Marshal(v); err == nil {
		return string(text)
	}
	return fmt.Sprint(v)
}
