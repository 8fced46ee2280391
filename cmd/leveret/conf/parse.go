package conf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// line is one setting of a file.
type line struct {
	key, value string
	where      string // FILE:LINE
}

// maxLine is how long a line may be, in bytes.
const maxLine = 64 << 10

// parse reads lines of key = value. A # begins a comment where a line begins, or after
// a blank; quotes around a value are taken off.
func parse(in io.Reader, name string) (all []line, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		where := fmt.Sprintf("%s:%d", name, n)
		key, value, ok := strings.Cut(text, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" {
			return nil, fmt.Errorf("%s: %q is not of the form key = value", where, text)
		}
		if strings.ContainsAny(key, " \t\"'") {
			return nil, fmt.Errorf("%s: %q is not a key", where, key)
		}
		if value, err = unquote(value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", where, key, err)
		}
		all = append(all, line{key, value, where})
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s: a line has more than %d bytes", name, maxLine)
	}
	return all, lines.Err()
}

// unquote takes comments and quotes off.
func unquote(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if q := value[0]; q == '\'' || q == '"' {
		end := strings.IndexByte(value[1:], q)
		if end < 0 {
			return "", fmt.Errorf("a quote %c is not closed", q)
		}
		rest := strings.TrimSpace(value[end+2:])
		if rest != "" && rest[0] != '#' {
			return "", fmt.Errorf("there is %q after the closing quote", rest)
		}
		return value[1 : end+1], nil
	}
	for _, comment := range []string{" #", "\t#"} {
		if i := strings.Index(value, comment); i >= 0 {
			value = value[:i]
		}
	}
	return strings.TrimSpace(value), nil
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
	names, err := filepath.Glob(filepath.Join(path, "*.conf"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the configuration directory %s has no file *.conf", path)
	}
	var all []line
	for _, name := range names {
		more, err := readFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
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
