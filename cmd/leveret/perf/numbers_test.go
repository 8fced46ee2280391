package perf

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestPercentiles(t *testing.T) {
	l := newLatency()
	if l.percentiles() != nil {
		t.Error("percentiles of nothing")
	}
	for n := int64(1); n <= 1000; n++ {
		l.record(n * 1000)
	}
	other := newLatency()
	other.record(5e9)
	other.record(-3)                     // clocks do not go back, but brokers invent
	other.record(int64(longest) + 1<<40) // cut
	l.merge(&other)
	got := l.percentiles()
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"p50", got.P50, 501e3}, {"p95", got.P95, 953e3}, {"p99", got.P99, 993e3},
		{"p99.9", got.P999, 5e9}, {"max", got.Max, int64(longest)},
	} {
		if d := c.got - c.want; max(d, -d) > c.want/400 {
			t.Errorf("%s is %d, want %d", c.name, c.got, c.want)
		}
	}
	if n := l.all.TotalCount(); n != 1003 {
		t.Errorf("%d values", n)
	}
}

func TestRunsOfEqualLatenciesCount(t *testing.T) {
	l := newLatency()
	for range 99 {
		l.record(10)
	}
	l.record(2000)
	if p := l.percentiles(); p.P50 != 10 || p.P99 != 10 || p.P999 < 1998 {
		t.Errorf("%+v", p)
	}
}

func TestWording(t *testing.T) {
	for got, want := range map[string]string{
		shortTime(17):                  "17ns",
		shortTime(1500):                "1.5µs",
		shortTime(12_345_678):          "12.3ms",
		shortTime(61e9):                "61.00s",
		thousands(0):                   "0",
		thousands(999.6):               "1,000",
		thousands(1234567):             "1,234,567",
		mebibytes(5 << 30):             "5,120 MiB",
		redacted("amqp://u:secret@h/"): "amqp://u:xxxxx@h/",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTopicMatch(t *testing.T) {
	bindings := topicBindings(1000, 7)
	keys := 0
	for _, r := range topicRoutes(bindings, 7) {
		if n := strings.Count(r.key, ".") + 1; n < 3 || n > 5 {
			t.Fatalf("key %s has %d words", r.key, n)
		}
		if keys++; keys%20 != 0 {
			continue // the rest would take long
		}
		reached := make(map[int]bool)
		for _, b := range bindings {
			if topicPattern(joinWords(b.words)).MatchString(r.key + ".") {
				reached[b.queue] = true
			}
		}
		for q := range 7 {
			if reached[q] != slices.Contains(r.queues, q) {
				t.Errorf("key %s, queue %d: reached %v", r.key, q, reached[q])
			}
		}
	}
	if keys != topicKeys {
		t.Errorf("%d keys", keys)
	}
}

func TestTopicBindingsAreDistinctAndTheSameAgain(t *testing.T) {
	type pair struct {
		queue   int
		pattern string
	}
	var runs [2][]pair
	for i := range runs {
		seen := make(map[pair]bool)
		for _, b := range topicBindings(10_000, 100) {
			p := pair{b.queue, joinWords(b.words)}
			if seen[p] {
				t.Fatalf("twice: %v", p)
			}
			seen[p] = true
			runs[i] = append(runs[i], p)
		}
	}
	if len(runs[0]) != 10_000 || !slices.Equal(runs[0], runs[1]) {
		t.Error("bindings are not the same each time")
	}
	reached := 0
	for _, r := range topicRoutes(topicBindings(10_000, 100), 100) {
		reached += len(r.queues)
	}
	if mean := float64(reached) / topicKeys; mean < 1.5 || mean > 5 {
		t.Errorf("a key reaches %g queues in the mean", mean)
	}
}

func stat(command, parent, utime, stime, cutime, cstime string) string {
	return "7 (" + command + ") S " + parent + " 1 1 0 -1 4194304 10 20 30 40 " +
		utime + " " + stime + " " + cutime + " " + cstime + " 20 0 5 0 100 1000000 500\n"
}

func TestLoadOfAProcessTree(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	proc := fstest.MapFS{
		"version":         file("x"),
		"10/stat":         file(stat("beam.smp", "1", "100", "50", "7", "3")),
		"10/status":       file("Name:\tbeam\nVmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"),
		"10/smaps_rollup": file("Rss: 2048 kB\nAnonymous:      1024 kB\n"),
		"11/stat":         file(stat("a ) (b", "10", "10", "0", "0", "0")),
		"11/status":       file("VmRSS: 1 kB\n"),
		"12/stat":         file(stat("grand child", "11", "1", "0", "0", "0")),
		"13/stat":         file(stat("another", "1", "9999", "0", "0", "0")),
		"14/stat":         file("nonsense"),
	}
	for _, c := range []struct {
		pid  int
		cpu  time.Duration
		mem  memory
		want string
	}{
		{10, 1710 * time.Millisecond, memory{2049 << 10, 1 << 20}, ""},
		{12, 10 * time.Millisecond, memory{}, ""},
		{0, 0, memory{}, ""},
		{99, 0, memory{}, "there is no process 99"},
	} {
		b := broker{proc, c.pid}
		cpu, err := b.cpu()
		if cpu != c.cpu || (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("pid %d: %s, %v, want %s, %s", c.pid, cpu, err, c.cpu, c.want)
		}
		if mem, err := b.memory(); mem != c.mem || (err == nil) != (c.want == "") {
			t.Errorf("pid %d: %+v, %v, want %+v", c.pid, mem, err, c.mem)
		}
	}
}

func TestParseStatRefusesNonsense(t *testing.T) {
	for _, line := range []string{"", "1 (x)", "1 (x S 1", stat("x", "y", "1", "1", "1", "1"), stat("x", "1", "y", "1", "1", "1")} {
		if s, ok := parseStat([]byte(line)); ok {
			t.Errorf("%q: %+v", line, s)
		}
	}
}
