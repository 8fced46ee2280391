package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/cmd/leveret/certs"
	"github.com/leveretmq/leveret/cmd/leveret/conf"
	"github.com/leveretmq/leveret/vhost/auth"
)

// confFile writes a configuration file.
func confFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rabbitmq.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigOfSockets(t *testing.T) {
	for _, c := range []struct {
		args string
		want func(*config)
	}{
		{"--amqp-listen none --amqps-listen :5671 --tls-cert a.pem", func(c *config) {
			c.listen.amqp, c.listen.amqps = nil, []string{":5671"}
			c.tls.certs = &certs.Options{Pairs: []certs.Pair{{Certificate: "a.pem"}}, MinVersion: 0x303}
		}},
		{"--https-listen :1 --tls-cert a,b --tls-key c,d --tls-ca e --tls-fail-if-no-peer-cert true --tls-min-version 1.3", func(c *config) {
			c.listen.https = ":1"
			c.tls.certs = &certs.Options{Pairs: []certs.Pair{{Certificate: "a", Key: "c"}, {Certificate: "b", Key: "d"}}, CA: "e", Verify: true, Require: true, MinVersion: 0x304}
		}},
		{"--metrics-listen none --pprof-listen 127.0.0.1:6060", func(c *config) { c.listen.metrics, c.listen.pprof = "", "127.0.0.1:6060" }},
		{"--proxy-protocol-from 10.1.2.3/8,::1/128", func(c *config) {
			c.listen.proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		}},
		{"--auth-mechanisms PLAIN,EXTERNAL --cert-login-from common_name", func(c *config) {
			c.login.mechanisms, c.login.cert.From = []string{"PLAIN", "EXTERNAL"}, auth.FromCommonName
		}},
		{"--max-connections 5 --heartbeat 0 --frame-max 4096 --channel-max 1 --handshake-timeout 3s", func(c *config) {
			c.limits.connections, c.limits.heartbeat, c.limits.frameMax, c.limits.channelMax, c.limits.handshake = 5, -1, 4096, 1, 3*time.Second
		}},
		{"--default-user-tags monitoring,management --default-permissions-read ^a,b$", func(c *config) {
			c.firstUser.Tags, c.firstUser.Permissions = []string{"monitoring", "management"}, auth.Permissions{Configure: ".*", Write: ".*", Read: "^a,b$"}
		}},
		{"--default-user-tags none", func(c *config) { c.firstUser.Tags = []string{} }},
		{"--node-name n@h", func(c *config) { c.names.node, c.names.cluster = "n@h", "n@h" }},
		{"--load-definitions d.json --definitions-skip-unsupported true", func(c *config) { c.definitions = definitionsConfig{"d.json", true, false} }},
	} {
		got, err := configOf(t, strings.Fields(c.args), nil)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		wantConfig(t, c.args, got, defaults(c.want))
	}
}

func TestConfigOfSocketsRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--amqp-listen none", "nobody could connect"},
		{"--amqps-listen :1", "--amqps-listen and --https-listen need --tls-cert"},
		{"--tls-key x", "--tls-key is given, but no --tls-cert"},
		{"--tls-cert a --tls-key x,y", "each certificate needs its key"},
		{"--tls-cert a --tls-verify verify_peer", "--tls-verify verify_peer needs --tls-ca"},
		{"--tls-cert a --tls-verify perhaps", "neither verify_peer nor verify_none"},
		{"--tls-cert a --tls-fail-if-no-peer-cert true", "--tls-fail-if-no-peer-cert needs --tls-verify verify_peer"},
		{"--tls-cert a --tls-min-version 1.1", "--tls-min-version"},
		{"--proxy-protocol-from here", `"here" is not a network like 10.0.0.0/8`},
		{"--max-connections -1", `--max-connections "-1" is not a number from 0`},
		{"--heartbeat 1500ms", `"1500ms" is not a whole number of seconds`},
		{"--heartbeat 30", "is not a time from"},
		{"--frame-max 100", `--frame-max "100" is not a number from 4096`},
		{"--default-permissions-write (", `--default-permissions-write "(" is not a regular expression: `},
		{"--cert-login-from nowhere", "--cert-login-from"},
		{"--definitions-skip-if-unchanged maybe", "neither true nor false"},
		{"--config /no/such.conf", "the configuration file cannot be read"},
	} {
		if _, err := configOf(t, strings.Fields(c.args), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.args, err, c.want)
		}
	}
}

// TestConfigFile: flags count before variables, and those before the file.
func TestConfigFile(t *testing.T) {
	path := confFile(t, "listeners.tcp.default = 1\nheartbeat = 10\nframe_max = 5000\nchannel_max = 9\ncluster_name = here\nlog.file = x\n")
	for _, env := range []map[string]string{{"RABBITMQ_CONFIG_FILE": strings.TrimSuffix(path, ".conf")}, {"LEVERET_CONFIG": path}} {
		env["LEVERET_FRAME_MAX"], env["LEVERET_CHANNEL_MAX"] = "6000", "8"
		got, err := configOf(t, []string{"--channel-max", "7"}, env)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.warnings) != 1 || !strings.Contains(got.warnings[0], ":6: log.file has no meaning here") {
			t.Errorf("warnings %q", got.warnings)
		}
		got.warnings = nil
		wantConfig(t, "file", got, defaults(func(c *config) {
			c.listen.amqp = []string{":1"}
			c.limits.heartbeat, c.limits.frameMax, c.limits.channelMax = 10*time.Second, 6000, 7
			c.names.cluster = "here"
		}))
	}
	_, err := configOf(t, []string{"--config", confFile(t, "\nframe_max = 1")}, nil)
	if err == nil || !strings.Contains(err.Error(), `rabbitmq.conf:2: frame_max "1" is not a number from 4096`) {
		t.Errorf("a bad value of the file: %v", err)
	}
}

// TestConfigFileOfRabbitMQ: what RabbitMQ's own examples say does not keep us from
// starting.
func TestConfigFileOfRabbitMQ(t *testing.T) {
	got, err := configOf(t, []string{"--config", confFile(t, "disk_free_limit.absolute = 50MB")}, nil)
	if err != nil || got.diskFreeLimit != 128<<20 || len(got.warnings) != 1 || !strings.Contains(got.warnings[0], "counts as 128.0 MiB") {
		t.Errorf("limit %d, warnings %q, %v", got.diskFreeLimit, got.warnings, err)
	}
	if _, err := configOf(t, []string{"--disk-free-limit", "50MB"}, nil); err == nil {
		t.Error("a flag with as little is taken")
	}
}

func TestConfigEffective(t *testing.T) {
	var out, log bytes.Buffer
	env := map[string]string{"LEVERET_DEFAULT_PASS": "geheim", "LEVERET_HEARTBEAT": "5s", "RABBITMQ_DEFAULT_USER": "ann"}
	p := process{
		args: []string{"config", "effective", "--config", confFile(t, "frame_max = 5000\nraft.x = 1\ndefault_user = bob"), "--channel-max", "3"},
		env:  func(name string) (string, bool) { v, ok := env[name]; return v, ok }, stdout: &out, stderr: &log,
	}
	if code := run(p); code != 0 {
		t.Fatalf("exit code %d: %s", code, log.String())
	}
	lines := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, rest, _ := strings.Cut(line, " ")
		lines[name] = strings.Join(strings.Fields(rest), " ")
	}
	for name, want := range map[string]string{
		"channel-max": "3 --channel-max", "heartbeat": "5s $LEVERET_HEARTBEAT", "max-connections": "0 default",
		"default-user": "ann $RABBITMQ_DEFAULT_USER", "default-pass": "(hidden) $LEVERET_DEFAULT_PASS", "default-vhost": "/ default",
		"tls-ca": "- default", "disk-free-limit": "536870912 default", "memory-limit": "1073741824 default",
	} {
		if lines[name] != want {
			t.Errorf("%s is %q, want %q", name, lines[name], want)
		}
	}
	if got := lines["frame-max"]; !strings.HasPrefix(got, "5000 ") || !strings.HasSuffix(got, "rabbitmq.conf:1") {
		t.Errorf("frame-max is %q", got)
	}
	if strings.Contains(out.String(), "geheim") || !strings.Contains(log.String(), "raft.x has no meaning here") {
		t.Errorf("it says %s and warns %s", out.String(), log.String())
	}
}

func wantConfig(t *testing.T, what string, got, want config) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: config\n got %+v\nwant %+v", what, got, want)
	}
}

// TestConfigFileFlags: what the file can say there is a flag for.
func TestConfigFileFlags(t *testing.T) {
	var names []string
	for _, f := range serveFlags() {
		names = append(names, f.Names()...)
	}
	for _, flag := range conf.Flags() {
		if !slices.Contains(names, flag) {
			t.Errorf("package conf has keys for --%s, and there is no such flag", flag)
		}
	}
}
