package mgmt

import "strings"

// shape is what the JSON object of a T has, in order. What is not asked for is not
// worked out.
type shape[T any] []field[T]

// field is one member. value returns absent for an object that does not have it.
type field[T any] struct {
	name  string
	value func(T) any
}

// absent is the value of a field that an object does not have.
var absent = new(int)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON leaves absent members out.
func (o object) MarshalJSON() ([]byte, error) { return appendObject(nil, o), nil }

// get returns a member, absent if there is none.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return absent
}

// object returns all of an object.
func (s shape[T]) object(of T) object {
	o := make(object, 0, len(s))
	for _, f := range s {
		o = append(o, member{f.name, f.value(of)})
	}
	return o
}

// pick returns what columns ask of an object: members, or with a dot members of
// members. An object that has none of a column lacks it. Where RabbitMQ shows one
// without any of them as [], it is {} here.
func (s shape[T]) pick(of T, columns [][]string) object {
	o := object{}
	for _, f := range s {
		if below, ok := under(f.name, columns); ok {
			o = append(o, member{f.name, pickFrom(f.value(of), below)})
		}
	}
	return o
}

// under returns what columns ask of a member; nil for all of it. False: nothing.
func under(name string, columns [][]string) (below [][]string, ok bool) {
	for _, c := range columns {
		switch {
		case c[0] != name:
		case len(c) == 1:
			return nil, true
		default:
			below, ok = append(below, c[1:]), true
		}
	}
	return below, ok
}

// pickFrom is pick within a value: in an object, and in each of a list of objects.
// What has no members stays as it is.
func pickFrom(v any, columns [][]string) any {
	if columns == nil {
		return v
	}
	switch v := v.(type) {
	case object:
		o := object{}
		for _, m := range v {
			if below, ok := under(m.name, columns); ok {
				o = append(o, member{m.name, pickFrom(m.value, below)})
			}
		}
		return o
	case map[string]any:
		o := map[string]any{}
		for name, value := range v {
			if below, ok := under(name, columns); ok {
				o[name] = pickFrom(value, below)
			}
		}
		return o
	case []object:
		list := make([]any, len(v))
		for i, o := range v {
			list[i] = pickFrom(o, columns)
		}
		return list
	}
	return v
}

// at returns the value at a path of names joined by dots, absent if there is none.
func (s shape[T]) at(of T, path string) any {
	first, rest, deeper := strings.Cut(path, ".")
	for _, f := range s {
		if f.name != first {
			continue
		}
		v := f.value(of)
		for deeper {
			o, ok := v.(object)
			if !ok {
				return absent
			}
			first, rest, deeper = strings.Cut(rest, ".")
			v = o.get(first)
		}
		return v
	}
	return absent
}
