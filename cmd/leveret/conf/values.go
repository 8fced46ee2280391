package conf

import (
	"errors"
	"fmt"
	"math"
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
	if value == "none" {
		return "", nil
	}
	if !strings.Contains(value, ":") {
		return "", fmt.Errorf("%q is not a port, or an address with one", value)
	}
	return value, nil
}

func noListeners(value string) (string, error) {
	if value != "none" {
		return "", fmt.Errorf("%q is not none", value)
	}
	return "", nil
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
	return strconv.FormatFloat(f*100, 'f', -1, 64) + "%", nil
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
	case "critical", "alert", "emergency", "none":
		return "error", nil
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
