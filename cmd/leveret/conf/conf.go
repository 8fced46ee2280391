package conf

import (
	"fmt"
	"slices"
	"strings"
)

// Setting is what the file says of one flag.
type Setting struct {
	Flag   string
	Values []string // more than one only for a flag that is a list
	Key    string   // of the file, that of the last value
	Where  string   // FILE:LINE of that
}

// File is a configuration file.
type File struct {
	// Settings are by flag.
	Settings map[string]Setting
	// Warnings are sentences about what has no meaning here.
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

// translate turns lines into settings.
func translate(lines []line) (*File, error) {
	f := &File{Settings: map[string]Setting{}}
	t := translator{file: f, lists: map[string]map[string]line{}, plain: map[string]line{}}
	for _, l := range lines {
		if err := t.take(l); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", l.where, l.key, err)
		}
	}
	if err := t.end(); err != nil {
		return nil, err
	}
	return f, nil
}

// translator collects what several lines say together.
type translator struct {
	file *File
	// lists are values by flag and the rest of the key, such as listeners.tcp.NAME.
	lists map[string]map[string]line
	// plain are lines that count together with others, by key.
	plain map[string]line
}

func (t *translator) take(l line) error {
	for i := range keys {
		k := &keys[i]
		rest, ok := k.match(l.key)
		if !ok {
			continue
		}
		switch {
		case k.ignored != "":
			t.file.Warnings = append(t.file.Warnings, fmt.Sprintf("%s: %s has no meaning here: %s", l.where, l.key, k.ignored))
		case k.together:
			t.plain[l.key] = l
		case k.list:
			value, err := k.convert(l.value)
			if err != nil {
				return err
			}
			if t.lists[k.flag] == nil {
				t.lists[k.flag] = map[string]line{}
			}
			t.lists[k.flag][rest] = line{l.key, value, l.where}
		default:
			value, err := k.convert(l.value)
			if err != nil {
				return err
			}
			t.file.Settings[k.flag] = Setting{k.flag, []string{value}, l.key, l.where}
		}
		return nil
	}
	return fmt.Errorf("there is no such key")
}

// end puts lists together, in the order of their names, and what counts together.
func (t *translator) end() error {
	for flag, values := range t.lists {
		var names []string
		for name := range values {
			names = append(names, name)
		}
		slices.Sort(names)
		s := Setting{Flag: flag}
		for _, name := range names {
			l := values[name]
			if l.value != "" {
				s.Values = append(s.Values, l.value)
			}
			s.Key, s.Where = l.key, l.where
		}
		if len(s.Values) == 0 {
			s.Values = []string{"none"}
		}
		t.file.Settings[flag] = s
	}
	t.endListener("management.tcp", "http-listen", ":15672")
	t.endListener("management.ssl", "https-listen", ":15671")
	t.endListener("prometheus.tcp", "metrics-listen", ":15692")
	return t.endLoopback()
}

// endListener puts ip and port of a listener together.
func (t *translator) endListener(prefix, flag, without string) {
	ip, hasIP := t.plain[prefix+".ip"]
	port, hasPort := t.plain[prefix+".port"]
	if !hasIP && !hasPort {
		return
	}
	at := port
	if !hasPort {
		at, port.value = ip, strings.TrimPrefix(without, ":")
	}
	host := ip.value
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	t.file.Settings[flag] = Setting{flag, []string{host + ":" + port.value}, at.key, at.where}
}

// endLoopback turns loopback_users.NAME = true or false, and loopback_users = none, into
// the list. guest is one unless it is said not to be.
func (t *translator) endLoopback() error {
	users, last := map[string]bool{"guest": true}, line{}
	for key, l := range t.plain {
		if key == "loopback_users" {
			if l.value != "none" {
				return fmt.Errorf("%s: %s: %q is not none", l.where, l.key, l.value)
			}
			delete(users, "guest")
			last = l
		}
	}
	for key, l := range t.plain {
		name, ok := strings.CutPrefix(key, "loopback_users.")
		if !ok {
			continue
		}
		is, err := boolean(l.value)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", l.where, l.key, err)
		}
		users[name], last = is == "true", l
	}
	if last.key == "" {
		return nil
	}
	s := Setting{"loopback-users", nil, last.key, last.where}
	for name, is := range users {
		if is {
			s.Values = append(s.Values, name)
		}
	}
	slices.Sort(s.Values)
	if len(s.Values) == 0 {
		s.Values = []string{"none"}
	}
	t.file.Settings[s.Flag] = s
	return nil
}
