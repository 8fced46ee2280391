package perf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// perform runs a command line as the program would.
func perform(cmd *cli.Command, args ...string) (stdout string, err error) {
	var out, errOut bytes.Buffer
	app := &cli.App{
		Name: "leveret", Commands: []*cli.Command{cmd}, Writer: &out, ErrWriter: &errOut,
		ExitErrHandler: func(*cli.Context, error) {},
	}
	err = app.Run(append([]string{"leveret"}, args...))
	return out.String(), err
}

func TestFlags(t *testing.T) {
	plain := presets()[0]
	for _, c := range []struct {
		args string
		want func(*config)
	}{
		{"", func(*config) {}},
		{"-x 2 -y 3 -s 100 -z 4s -r 5.5 -c 7", func(c *config) {
			c.producers, c.consumers, c.size, c.time, c.rate, c.confirm = 2, 3, 100, 4*time.Second, 5.5, 7
		}},
		{"--producers 2 --consumers 0 --size 16 --time 1m --rate 0 --confirm 0", func(c *config) {
			c.producers, c.consumers, c.time = 2, 0, time.Minute
		}},
		{"-A 10 -q 20", func(c *config) { c.ackEvery, c.prefetch, c.autoAck = 10, 20, false }},
		{"-A 10 -a", func(c *config) { c.ackEvery = 10 }},
		{"--autoack=false --persistent", func(c *config) { c.autoAck, c.persistent = false, true }},
		{"-C 10", func(c *config) { c.messages, c.warmup = 10, 0 }},
		{"-C 10 --warmup 2s", func(c *config) { c.messages, c.warmup = 10, 2*time.Second }},
		{"--queues 4 --channels 2", func(c *config) { c.queues, c.channels = 4, 2 }},
	} {
		var got config
		cmd := perPreset("run", "", nil, []string{"a"}, func(_ *cli.Context, conf config) error {
			got = conf
			return nil
		})
		want := plain
		c.want(&want)
		if _, err := perform(cmd, append([]string{"run", "transient"}, strings.Fields(c.args)...)...); err != nil || got != want {
			t.Errorf("%q: %v\n got %+v\nwant %+v", c.args, err, got, want)
		}
	}
}

func TestTimeTakesThePlaceOfMessages(t *testing.T) {
	var got config
	cmd := perPreset("run", "", nil, nil, func(_ *cli.Context, conf config) error {
		got = conf
		return nil
	})
	if _, err := perform(cmd, "run", "backlog", "-z", "3s"); err != nil || got.messages != 0 || got.time != 3*time.Second {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestCommandLinesThatMakeNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"perf":                                       "perf needs run or compare",
		"perf walk":                                  `perf does not know "walk"`,
		"perf run":                                   "perf needs a preset",
		"perf run nothing":                           `perf does not know "nothing"`,
		"perf run ack more":                          `"more" is one argument too many`,
		"perf run ack --no":                          "flag provided but not defined: -no",
		"perf run ack -x 0":                          "--producers must be from 1",
		"perf run ack -s 15":                         "--size must be from 16",
		"perf run ack -q 70000":                      "--prefetch must be from 0 to 65535, and is 70000",
		"perf run ack -q 10":                         "a prefetch of 10 never lets 50 messages be acknowledged together",
		"perf run ack -r -1":                         "--rate must be 0 or more",
		"perf run ack -z 0s":                         "--time must be more than 0",
		"perf run ack --warmup -1s":                  "--warmup must be 0 or more",
		"perf run ack --bindings 5":                  "--bindings is for a topic exchange",
		"perf run topic --bindings 0":                "--bindings must be 1 or more",
		"perf run topic --queues 1 --bindings 50000": "--bindings must be less than 50000 a queue",
		"perf run ack --uri http://h":                "starts with amqp://",
		"perf run ack --pid 2147483647":              "there is no process 2147483647",
		"perf compare ack --a amqp://h":              "compare needs the flags --a and --b",
		"perf compare ack --a x --b y --rounds 0":    "--rounds must be 1 or more",
	} {
		if _, err := perform(Command(), strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", args, err, want)
		}
	}
}

func TestRunCommand(t *testing.T) {
	b := startFake(t, nil)
	text, err := perform(Command(), "perf", "run", "ack", "--uri", b.uri(), "-C", "100")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Fake 1 at amqp://guest:xxxxx@", "published", "delivered", "p99.9", "100 published, 100 delivered: nothing lost"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	text, err = perform(Command(), "perf", "run", "ack", "--uri", b.uri(), "-C", "100", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var res result
	if err := json.Unmarshal([]byte(text), &res); err != nil || res.Delivered != 100 || res.Latency.P50 <= 0 {
		t.Errorf("%v: %s", err, text)
	}
}

// The result of a broker that fails the check is shown, and is an error.
func TestRunCommandFails(t *testing.T) {
	b := startFake(t, func(b *fakeBroker) {
		b.message = func(n int) misdeed {
			if n == 7 {
				return double
			}
			return none
		}
	})
	text, err := perform(Command(), "perf", "run", "ack", "--uri", b.uri(), "-C", "100")
	if err == nil || err.Error() != "the check failed: 1 duplicate" || !strings.Contains(text, "1 duplicate") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestCompareCommand(t *testing.T) {
	a, b := startFake(t, nil), startFake(t, nil)
	text, err := perform(Command(), "perf", "compare", "confirm", "--a", a.uri(), "--b", b.uri(), "--rounds", "2", "-C", "50")
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(text, "\n"); rows != 7 || !strings.Contains(text, "confirm p99") || !strings.Contains(text, "\nmedian") {
		t.Errorf("%d lines:\n%s", rows, text)
	}
	if a.published != 100 || b.published != 100 {
		t.Errorf("published %d and %d", a.published, b.published)
	}
	text, err = perform(Command(), "perf", "compare", "confirm", "--a", a.uri(), "--b", b.uri(), "--rounds", "1", "-C", "50", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var c comparison
	if err := json.Unmarshal([]byte(text), &c); err != nil || len(c.Rounds) != 1 || c.Medians["p50"] != c.Rounds[0].Ratios["p50"] {
		t.Errorf("%v: %s", err, text)
	}
}

func TestCompareAlternatesAndTakesTheMedianOfRatios(t *testing.T) {
	rates := map[string][]float64{"a": {100, 300, 900}, "b": {100, 100, 100}}
	var order []string
	run := func(c config) (*result, error) {
		order = append(order, c.uri)
		r := rates[c.uri]
		rates[c.uri] = r[1:]
		res := &result{DeliverRate: r[0], BrokerCPU: r[0] / 2}
		if c.uri == "a" {
			res.Latency = &percentiles{P50: 1, P99: 2} // of a only: no ratio
		}
		return res, nil
	}
	rounds := 0
	c, err := compare(t.Context(), nil, config{uri: "a"}, config{uri: "b"}, 3, run, func(round) { rounds++ })
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "ababab" || rounds != 3 {
		t.Errorf("ran %s, told %d rounds", got, rounds)
	}
	if len(c.Medians) != 2 || c.Medians["delivered/s"] != 3 || c.Medians["CPU/million"] != 3 {
		t.Errorf("medians %v", c.Medians)
	}
}

func TestCompareEndsEarly(t *testing.T) {
	for after := range 5 {
		stop := make(chan struct{})
		runs := 0
		run := func(config) (*result, error) {
			if runs++; runs == after+1 {
				close(stop)
			}
			return &result{DeliverRate: 1}, nil
		}
		c, err := compare(t.Context(), stop, config{}, config{}, 10, run, func(round) {})
		if after < 2 {
			if !errors.Is(err, errInterrupted) {
				t.Errorf("stopped in run %d: %v", after, err)
			}
		} else if err != nil || len(c.Rounds) != after/2 {
			t.Errorf("stopped in run %d: %+v, %v", after, c, err)
		}
	}
	failure := errors.New("the check failed: 1 lost")
	n := 0
	run := func(config) (*result, error) {
		if n++; n == 4 {
			return &result{}, failure
		}
		return &result{}, nil
	}
	_, err := compare(context.Background(), nil, config{}, config{}, 5, run, func(round) {})
	if !errors.Is(err, failure) || err.Error() != "round 2, b: the check failed: 1 lost" {
		t.Error(err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 9, 2}, 3}} {
		if got := median(c.in); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("median of %v is %g", c.in, got)
		}
	}
}
