package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "4096B": 4096, "1kB": 1000, "1KiB": 1024, "1 MB": 1e6, "2mib": 2 << 20,
		"1.5GiB": 3 << 29, "0.5 GB": 5e8, "3TiB": 3 << 40, "8TB": 8e12,
	} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "B", "MiB", "-1", "+1", "1e9", "0x10", "1.2.3", ".", "1 M B", "1M", "ten", "inf", "NaN", "9000000TiB", "1,5GiB"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestAmount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 64 << 20: "64.0 MiB", 3 << 29: "1.5 GiB"} {
		if got := amount(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

// As RabbitMQ's disk_free_limit.relative, it is of the memory.
func TestDiskFreeLimitOfTheMemory(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64 // 0 = refused
		err  string
	}{
		{"150%", 3 << 29, ""},
		{"12.5%", 128 << 20, ""},
		{"1%", 0, `--disk-free-limit "1%" is 10.2 MiB, and the least is 128.0 MiB`},
		{"-1%", 0, `--disk-free-limit "-1%" is not a percentage`},
		{"1" + strings.Repeat("0", 18) + "%", 0, "is neither a number of bytes"},
	} {
		var got int64
		p := process{
			env:    func(string) (string, bool) { return "", false },
			memory: func() (int64, error) { return 1 << 30, nil },
			stdout: new(bytes.Buffer), stderr: new(bytes.Buffer),
		}
		err := newApp(p, func(_ process, c config) error {
			got = c.diskFreeLimit
			return nil
		}).Run([]string{"leveret", "--disk-free-limit", c.text})
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q: error %v, want %s", c.text, err, c.err)
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%q: %d, %v, want %d", c.text, got, err, c.want)
		}
	}
}

func TestMemoryLimitOfWhatThereIs(t *testing.T) {
	for _, c := range []struct {
		text      string
		available int64
		want      int64 // 0 = refused
		err       string
	}{
		{"", 10 << 30, 10 << 30 / 100 * 40, ""},
		{"", 512 << 20, 256 << 20, ""},
		{"40%", 10 << 30, 4 << 30, ""},
		{"12.5%", 8 << 30, 1 << 30, ""},
		{"100%", 8 << 30, 8 << 30, ""},
		{"10%", 100 << 20, 0, `--memory-limit "10%" is 10.0 MiB, and the least is 64.0 MiB`},
		{"2GiB", 1 << 30, 0, `--memory-limit "2GiB" is more than the 1.0 GiB that this process can have`},
	} {
		var got int64
		p := process{
			env:    func(string) (string, bool) { return "", false },
			memory: func() (int64, error) { return c.available, nil },
			stdout: new(bytes.Buffer),
			stderr: new(bytes.Buffer),
		}
		err := newApp(p, func(_ process, c config) error {
			got = c.memoryLimit
			return nil
		}).Run([]string{"leveret", "--memory-limit", c.text})
		switch {
		case c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%q of %d: error %v, want %s", c.text, c.available, err, c.err)
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%q of %d: %d, %v, want %d", c.text, c.available, got, err, c.want)
		}
	}
}
