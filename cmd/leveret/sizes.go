package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/cmd/leveret/memguard"
	"github.com/leveretmq/leveret/persistence/diskguard"
)

const (
	// defaultMemoryPercent is of what the process can have.
	defaultMemoryPercent = 40
	// defaultMemoryLeast is the least that this comes to, defaultMemory what is
	// taken where nobody knows how much there is.
	defaultMemoryLeast = 256 << 20
	defaultMemory      = 1 << 30
	// leastMemoryLimit is what the broker can do with at all.
	leastMemoryLimit = 64 << 20
)

// units are the suffixes of sizes, and what they stand for in bytes.
var units = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// parseSize reads a number of bytes, such as 4096, 512MiB or 1.5GB.
func parseSize(text string) (int64, bool) {
	end := len(text)
	for end > 0 && (text[end-1] < '0' || text[end-1] > '9') && text[end-1] != '.' {
		end--
	}
	unit, ok := units[strings.ToLower(strings.TrimSpace(text[end:]))]
	n, err := parseNumber(text[:end])
	if !ok || err != nil || n*unit >= math.MaxInt64 {
		return 0, false
	}
	return int64(n * unit), true
}

// parseNumber reads digits with at most one point: no sign, exponent or name.
func parseNumber(text string) (float64, error) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// amount is a number of bytes for people.
func amount(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// readMemoryLimit takes bytes, a percentage of what the process can have, or
// nothing for the default.
func (c *config) readMemoryLimit(s settings) error {
	text, name := s.text(flagMemoryLimit)
	available, unknown := s.available()
	if text == "" {
		c.memoryLimit = max(defaultMemoryLeast, available/100*defaultMemoryPercent)
		if unknown != nil {
			c.memoryLimit = defaultMemory
		}
		return nil
	}
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		p, err := parseNumber(percent)
		switch {
		case err != nil || p > 100:
			return fmt.Errorf("%s %q is not a percentage up to 100%%", name, text)
		case unknown != nil:
			return fmt.Errorf("%s %q cannot be worked out: %w; give a number of bytes", name, text, unknown)
		}
		c.memoryLimit = int64(float64(available) * p / 100)
	} else if c.memoryLimit, ok = parseSize(text); !ok {
		return fmt.Errorf("%s %q is neither a number of bytes like 512MiB nor a percentage like 40%%", name, text)
	}
	switch {
	case c.memoryLimit < leastMemoryLimit:
		return fmt.Errorf("%s %q is %s, and the least is %s", name, text, amount(c.memoryLimit), amount(leastMemoryLimit))
	case unknown == nil && c.memoryLimit > available:
		return fmt.Errorf("%s %q is more than the %s that this process can have", name, text, amount(available))
	}
	return nil
}

// readDiskFreeLimit takes bytes, a percentage of the memory there is, as RabbitMQ's
// disk_free_limit.relative means it, or nothing for the default.
func (c *config) readDiskFreeLimit(s settings) error {
	text, name := s.text(flagDiskFreeLimit)
	if text == "" {
		c.diskFreeLimit = defaultDiskFreeLimit
		return nil
	}
	n, ok := parseSize(text)
	if percent, is := strings.CutSuffix(text, "%"); is {
		p, err := parseNumber(percent)
		if err != nil {
			return fmt.Errorf("%s %q is not a percentage", name, text)
		}
		available, unknown := s.available()
		if unknown != nil {
			return fmt.Errorf("%s %q cannot be worked out: %w; give a number of bytes", name, text, unknown)
		}
		share := float64(available) * p / 100
		n, ok = int64(share), share < math.MaxInt64
	}
	switch {
	case !ok:
		return fmt.Errorf("%s %q is neither a number of bytes like 512MiB nor a percentage of the memory like 150%%", name, text)
	case n < diskguard.LeastLimit && s.fromFile(flagDiskFreeLimit):
		// RabbitMQ's default is 50 MB: a file that has it must not keep us from starting.
		c.warnings = append(c.warnings, fmt.Sprintf("%s %q is less than the least, and counts as %s", name, text, amount(diskguard.LeastLimit)))
		n = diskguard.LeastLimit
	case n < diskguard.LeastLimit:
		return fmt.Errorf("%s %q is %s, and the least is %s", name, text, amount(n), amount(diskguard.LeastLimit))
	}
	c.diskFreeLimit = n
	return nil
}

// available is how much memory there is, in bytes.
func (s settings) available() (int64, error) {
	if s.memory == nil {
		return 0, memguard.ErrUnknown
	}
	return s.memory()
}

// The least and the greatest interval of --sync interval=.
const (
	leastInterval    = time.Millisecond
	greatestInterval = time.Second
)

func (c *config) readSync(s settings) error {
	text, name := s.text(flagSync)
	interval, found := strings.CutPrefix(text, "interval=")
	switch {
	case text == syncAlways || text == syncNever:
		c.sync = text
		return nil
	case !found:
		return fmt.Errorf("%s %q is not always, never or interval=10ms", name, text)
	}
	d, err := time.ParseDuration(interval)
	if err == nil && (d < leastInterval || d > greatestInterval) {
		err = errors.New("out of range")
	}
	if err != nil {
		return fmt.Errorf("%s %q: the interval is not from %v to %v", name, text, leastInterval, greatestInterval)
	}
	c.sync, c.syncInterval = syncInterval, d
	return nil
}
