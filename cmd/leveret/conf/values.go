package conf

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// boolean reads RabbitMQ's words for it.
func boolean(value string) (string, error) {
	switch value {
	case "true", "on", "yes":
		return "true", nil
	case "false", "off", "no":
		return "false", nil
	}
	return "", fmt.Errorf("%q is neither true nor false", value)
}

// listener reads a port, or an address with one.
func listener(value string) (string, error) {
	if _, err := strconv.ParseUint(value, 10, 16); err == nil {
		return ":" + value, nil
	}
	i := strings.LastIndexByte(value, ':')
	if i < 0 {
		return "", fmt.Errorf("%q is not a port, or an address with one", value)
	}
	if host := value[:i]; strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return net.JoinHostPort(host, value[i+1:]), nil // ::1:5672, as RabbitMQ spells it
	}
	return value, nil
}

func onlyNone(value string) (string, error) {
	if value != "none" {
		return "", fmt.Errorf("%q is not none", value)
	}
	return value, nil
}

// milliseconds reads a number of them as a time.
func milliseconds(value string) (string, error) { return unit(value, "ms") }

func seconds(value string) (string, error) { return unit(value, "s") }

func unit(value, of string) (string, error) {
	if _, err := strconv.ParseUint(value, 10, 32); err != nil {
		return "", fmt.Errorf("%q is not a number of %s", value, map[string]string{"ms": "milliseconds", "s": "seconds"}[of])
	}
	return value + of, nil
}

// share reads a part of 1 as a percentage.
func share(value string) (string, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) || f <= 0 || f > 1 {
		return "", fmt.Errorf("%q is not a share above 0 and up to 1", value)
	}
	return percentage(f), nil
}

var sizes = regexp.MustCompile(`^([0-9]+)\s*([kKmMgGtTpP]?)(i?[bB])?$`)

// size reads a number of bytes, with RabbitMQ's units: k, kiB by 1024, kB by 1000.
func size(value string) (string, error) {
	m := sizes.FindStringSubmatch(value)
	if m == nil {
		return "", fmt.Errorf("%q is not a size like 512MB, 2GiB or a number of bytes", value)
	}
	if m[2] == "" && strings.HasPrefix(m[3], "i") {
		return "", fmt.Errorf("%q is not a size like 512MB, 2GiB or a number of bytes", value)
	}
	n, err := strconv.ParseUint(m[1], 10, 63)
	if err != nil {
		return "", fmt.Errorf("%q is too large", value)
	}
	base := uint64(1024)
	if m[3] != "" && m[3][0] != 'i' {
		base = 1000
	}
	for range strings.Index("kmgtp", strings.ToLower(m[2])) + 1 {
		if m[2] == "" {
			break
		}
		if n > math.MaxInt64/base {
			return "", fmt.Errorf("%q is too large", value)
		}
		n *= base
	}
	return strconv.FormatUint(n, 10), nil
}

// multiple reads a multiple of the memory that there is as a percentage.
func multiple(value string) (string, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) || f <= 0 || f > 1000 {
		return "", fmt.Errorf("%q is not a multiple of the memory, like 1.5", value)
	}
	return percentage(f), nil
}

func percentage(f float64) string {
	return strconv.FormatFloat(math.Round(f*1e8)/1e6, 'f', -1, 64) + "%"
}

var frames = regexp.MustCompile(`^([0-9]+)([kKmM][bB])?$`)

// frame reads a size of frames, of which 0 is none: there kB is 1024 bytes.
func frame(value string) (string, error) {
	m := frames.FindStringSubmatch(value)
	if m == nil {
		return "", fmt.Errorf("%q is not a number of bytes, or like 128KB", value)
	}
	n, err := strconv.ParseUint(m[1], 10, 40)
	if err != nil {
		return "", fmt.Errorf("%q is too large", value)
	}
	switch strings.ToLower(m[2]) {
	case "kb":
		n <<= 10
	case "mb":
		n <<= 20
	}
	if n == 0 {
		n = 16 << 20
	}
	return strconv.FormatUint(n, 10), nil
}

// alternativeName knows the other name of it.
func alternativeName(value string) (string, error) {
	if value == "subject_alt_name" {
		return "subject_alternative_name", nil
	}
	return value, nil
}

func infinityIsZero(value string) (string, error) {
	if value == "infinity" {
		return "0", nil
	}
	return value, nil
}

// zeroIsMost is for limits of which 0 is none.
func zeroIsMost(value string) (string, error) {
	if value == "0" {
		return "65535", nil
	}
	return value, nil
}

func noneIsEmpty(value string) (string, error) {
	if value == "none" {
		return "", nil
	}
	return value, nil
}

// emptyIsNothing is for permissions, of which an empty one matches nothing.
func emptyIsNothing(value string) (string, error) {
	if value == "" {
		return "^$", nil
	}
	return value, nil
}

// proxies trusts all proxies, as RabbitMQ does.
func proxies(value string) (string, error) {
	is, err := boolean(value)
	switch {
	case err != nil:
		return "", err
	case is == "true":
		return "0.0.0.0/0,::/0", nil
	}
	return "", nil
}

// version reads a version of TLS. Of several the lowest counts, which is the first
// where they are put in order.
func version(value string) (string, error) {
	switch value {
	case "tlsv1.2", "tlsv1.3":
		return strings.TrimPrefix(value, "tlsv"), nil
	case "tlsv1.1", "tlsv1":
		return "", errors.New("TLS before 1.2 is not spoken")
	}
	return "", fmt.Errorf("%q is neither tlsv1.2 nor tlsv1.3", value)
}

// level reads a level of RabbitMQ's logs.
func level(value string) (string, error) {
	switch value {
	case "debug", "info", "error":
		return value, nil
	case "warning":
		return "warn", nil
	case "notice":
		return "info", nil
	case "critical", "alert", "emergency":
		return "error", nil
	case "none":
		return "none", nil
	}
	return "", fmt.Errorf("%q is not a level like info or warning", value)
}

func formatter(value string) (string, error) {
	switch value {
	case "json":
		return "json", nil
	case "plaintext":
		return "console", nil
	}
	return "", fmt.Errorf("%q is neither plaintext nor json", value)
}
