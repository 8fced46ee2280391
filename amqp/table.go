package amqp

import "time"

// Table is a field table [4.2.5.5]: named values in the order of the wire.
// A name may occur twice, as on the wire; Get returns the first. Values are
//
//	t bool   b int8   B uint8   s int16   u uint16   I int32   i uint32
//	l, L int64   f float32   d float64   D Decimal   S string   x []byte
//	A Array   F Table   T Timestamp   V nil
//
// which is RabbitMQ's set; l and L are both signed there, and so here.
type Table []Field

// Field is one entry of a Table.
type Field struct {
	Name  string
	Value any
}

// Array is a field array: values without names.
type Array []any

// Timestamp is a POSIX time in seconds, as the wire has it.
type Timestamp uint64

// Time returns the timestamp as a time in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(int64(t), 0).UTC() }

// Decimal is Value / 10^Scale [4.2.5.5].
type Decimal struct {
	Scale uint8
	Value int32
}

// Get returns the first value of that name.
func (t Table) Get(name string) (value any, ok bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return nil, false
}

// With returns a table in which name has the value: in its place if it was
// there, else at the end. t itself is unchanged.
func (t Table) With(name string, value any) Table {
	out := make(Table, len(t), len(t)+1)
	copy(out, t)
	for i := range out {
		if out[i].Name == name {
			out[i].Value = value
			return out
		}
	}
	return append(out, Field{name, value})
}

// Without returns a table that lacks the names. t itself is unchanged.
func (t Table) Without(names ...string) Table {
	out := make(Table, 0, len(t))
next:
	for _, f := range t {
		for _, name := range names {
			if f.Name == name {
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

// Int returns any of the integer kinds as an int64. RabbitMQ treats them as
// one class when it reads arguments.
func Int(value any) (n int64, ok bool) {
	switch v := value.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}
