package conf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// line is one setting of a file.
type line struct {
	key, value string
	where      string // FILE:LINE
}

// maxLine is how long a line may be, in bytes.
const maxLine = 64 << 10

// keyForm is what a key looks like. A dot within a word is written \.
var keyForm = regexp.MustCompile(`^([\w-]|\\\.)+(\.([\w-]|\\\.)+)*$`)

// words takes a key apart.
func words(key string) []string {
	key = strings.ReplaceAll(key, `\.`, "\x00")
	all := strings.Split(key, ".")
	for i, w := range all {
		all[i] = strings.ReplaceAll(w, "\x00", ".")
	}
	return all
}

// parse reads lines of key = value.
func parse(in io.Reader, name string) (all []line, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		where := fmt.Sprintf("%s:%d", name, n)
		l, err := parseLine(text, where)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d: the line has more than %d bytes", name, n+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	return all, nil
}

func parseLine(text, where string) (l line, err error) {
	key, value, ok := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	switch {
	case !ok && strings.HasPrefix(text, "include "):
		return l, fmt.Errorf("%s: include is not read: a directory of *.conf can be given instead of a file", where)
	case !ok || key == "":
		return l, fmt.Errorf("%s: the line is not of the form key = value", where) // it may be a password
	case !keyForm.MatchString(key):
		return l, fmt.Errorf("%s: %q is not a key", where, key)
	}
	if value, err = unquote(strings.TrimSpace(value)); err != nil {
		return l, fmt.Errorf("%s: %s: %w", where, key, err)
	}
	return line{key, value, where}, nil
}

// unquote takes comments and quotes off, as RabbitMQ does: a # begins a comment
// wherever it stands, except between single quotes. Double quotes mean nothing.
func unquote(value string) (string, error) {
	if rest, ok := strings.CutPrefix(value, "'"); ok {
		inside, after, ok := strings.Cut(rest, "'")
		if !ok {
			return "", errors.New("a quote ' is not closed")
		}
		if after = strings.TrimSpace(after); after != "" && after[0] != '#' {
			return "", errors.New("something follows the closing quote")
		}
		return inside, nil
	}
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimSpace(value)
	if value == "" {
		return "", errors.New("there is no value")
	}
	if strings.HasPrefix(value, "encrypted:") {
		return "", errors.New("encrypted values are not read")
	}
	return value, nil
}

// read reads a file, or all *.conf of a directory in the order of their names. As for
// RabbitMQ, the ending .conf of a file may be left out.
func read(path string) ([]line, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && filepath.Ext(path) != ".conf" {
		if i, e := os.Stat(path + ".conf"); e == nil {
			path, info, err = path+".conf", i, nil
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	case !info.IsDir():
		return readFile(path)
	}
	entries, err := os.ReadDir(path) // by name
	if err != nil {
		return nil, fmt.Errorf("the configuration directory cannot be read: %w", err)
	}
	var all []line
	found := false
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".conf" {
			continue
		}
		found = true
		more, err := readFile(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if !found {
		return nil, fmt.Errorf("the configuration directory %s has no file *.conf", path)
	}
	return all, nil
}

func readFile(path string) ([]line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	defer f.Close()
	return parse(f, path)
}
