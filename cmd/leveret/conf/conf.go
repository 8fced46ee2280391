package conf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Setting is what the file says of one flag.
type Setting struct {
	Flag   string
	Values []string // more than one only for a flag that is a list
	Key    string   // of the file, that of the last value
	Where  string   // FILE:LINE of that
}

// File is a configuration file, or a directory of them.
type File struct {
	// Settings are by flag.
	Settings map[string]Setting
	// Warnings are sentences about what has no meaning here, or does not count.
	Warnings []string
}

// Load reads a file, or a directory of files, of which the later counts. The error
// names file, line and key.
func Load(path string) (*File, error) {
	lines, err := read(path)
	if err != nil {
		return nil, err
	}
	return translate(lines)
}

// translate turns lines into settings. Of several lines with the same key the last
// counts, also where the key has no meaning.
func translate(lines []line) (*File, error) {
	t := translator{
		file:  &File{Settings: map[string]Setting{}},
		ranks: map[string]int{}, lists: map[string][]item{}, plain: map[string]line{},
	}
	last := map[string]int{}
	for i, l := range lines {
		last[l.key] = i
	}
	for i, l := range lines {
		if last[l.key] != i {
			continue
		}
		if err := t.take(l); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", l.where, l.key, err)
		}
	}
	t.end()
	return t.file, nil
}

// translator collects what several lines say together.
type translator struct {
	file *File
	// ranks are those of the keys that have set a flag.
	ranks map[string]int
	// lists are the lines of flags that are lists, by flag.
	lists map[string][]item
	// plain are lines that count together with others, by key; order are the keys as
	// they came.
	plain map[string]line
	order []string
}

// item is a line of a list, such as listeners.tcp.NAME, without the fixed part.
type item struct {
	name string
	line
}

func (t *translator) take(l line) error {
	k, rest, ok := find(l.key)
	if !ok {
		return errors.New("there is no such key")
	}
	if k.ignored != "" {
		if !slices.Contains(k.same, l.value) {
			t.warn("%s: %s has no meaning here: %s", l.where, l.key, k.ignored)
		}
		return nil
	}
	value, err := k.convert(l.value)
	if err != nil {
		return err
	}
	converted := line{l.key, value, l.where}
	switch {
	case k.together:
		t.plain[l.key], t.order = converted, append(t.order, l.key)
	case k.list:
		t.lists[k.flag] = append(t.lists[k.flag], item{rest, converted})
	default:
		t.set(k.flag, k.rank, converted)
	}
	return nil
}

// set sets a flag, unless a key of a higher rank has done so.
func (t *translator) set(flag string, rank int, l line) {
	before, ok := t.file.Settings[flag]
	if ok && t.ranks[flag] > rank {
		t.warn("%s: %s does not count: %s (%s) does", l.where, l.key, before.Key, before.Where)
		return
	}
	if ok {
		t.warn("%s: %s does not count: %s (%s) does", before.Where, before.Key, l.key, l.where)
	}
	t.ranks[flag] = rank
	t.put(flag, l, l.value)
}

func (t *translator) put(flag string, l line, values ...string) {
	t.file.Settings[flag] = Setting{flag, values, l.key, l.where}
}

func (t *translator) warn(format string, args ...any) {
	t.file.Warnings = append(t.file.Warnings, fmt.Sprintf(format, args...))
}

// end puts lists together, and what counts together.
func (t *translator) end() {
	for flag, items := range t.lists {
		t.endList(flag, items)
	}
	t.endNone("listeners.tcp", "amqp-listen")
	t.endNone("listeners.ssl", "amqps-listen")
	t.endManagement()
	t.endTLS()
	// In RabbitMQ the first other name takes guest off the list, which nobody means who
	// adds one: here it stays.
	t.endNames("loopback_users", "loopback-users", map[string]bool{"guest": true})
	t.endNames("default_user_tags", "default-user-tags", map[string]bool{})
}

// endNone turns off what a list says, wherever the line with none stands.
func (t *translator) endNone(key, flag string) {
	if l, ok := t.plain[key]; ok {
		t.put(flag, l, "none")
	}
}

// endList orders a list by the names in its keys, numbers by value.
func (t *translator) endList(flag string, items []item) {
	slices.SortStableFunc(items, func(a, b item) int {
		x, errX := strconv.ParseUint(a.name, 10, 64)
		y, errY := strconv.ParseUint(b.name, 10, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a.name, b.name)
	})
	var values []string
	for _, it := range items {
		values = append(values, it.value)
	}
	t.put(flag, items[len(items)-1].line, values...)
}
