package conf

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func load(t testing.TB, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rabbitmq.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(strings.TrimSuffix(path, ".conf"))
	return f, err
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		text string
		flag string
		want []string
	}{
		{"listeners.tcp.default = 5672", "amqp-listen", []string{":5672"}},
		{"listeners.tcp.2 = [::1]:5673\nlisteners.tcp.1 = 127.0.0.1:5672 # here", "amqp-listen", []string{"127.0.0.1:5672", "[::1]:5673"}},
		{"listeners.tcp = none", "amqp-listen", []string{"none"}},
		{"listeners.ssl.default=5671", "amqps-listen", []string{":5671"}},
		{"management.tcp.port = 8080", "http-listen", []string{":8080"}},
		{"management.tcp.ip = 127.0.0.1", "http-listen", []string{"127.0.0.1:15672"}},
		{"management.ssl.ip = ::1\nmanagement.ssl.port = 15671", "https-listen", []string{"[::1]:15671"}},
		{"prometheus.tcp.port = 1", "metrics-listen", []string{":1"}},
		{"heartbeat = 30", "heartbeat", []string{"30s"}},
		{"handshake_timeout = 5000", "handshake-timeout", []string{"5000ms"}},
		{"vm_memory_high_watermark.relative = 0.4", "memory-limit", []string{"40%"}},
		{"vm_memory_high_watermark.absolute = 2GB", "memory-limit", []string{"2000000000"}},
		{"disk_free_limit.absolute = 1GiB", "disk-free-limit", []string{"1073741824"}},
		{"disk_free_limit.absolute = 50M", "disk-free-limit", []string{"52428800"}},
		{"loopback_users = none", "loopback-users", []string{"none"}},
		{"loopback_users.guest = false", "loopback-users", []string{"none"}},
		{"loopback_users.ann = true", "loopback-users", []string{"ann", "guest"}},
		{"default_pass = 'a # b'", "default-pass", []string{"a # b"}},
		{"default_pass = a#b", "default-pass", []string{"a#b"}},
		{"auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL", "auth-mechanisms", []string{"PLAIN", "EXTERNAL"}},
		{"ssl_options.versions.2 = tlsv1.2\nssl_options.versions.1 = tlsv1.3", "tls-min-version", []string{"1.3", "1.2"}},
		{"proxy_protocol = true", "proxy-protocol-from", []string{"0.0.0.0/0,::/0"}},
		{"log.console.level = warning", "log-level", []string{"warn"}},
		{"log.console.formatter = json", "log-format", []string{"json"}},
		{"channel_max = 0", "channel-max", []string{"65535"}},
		{"max_connections = infinity", "max-connections", []string{"0"}},
		{"heartbeat = 30\nheartbeat = 40", "heartbeat", []string{"40s"}},
	} {
		f, err := load(t, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		s, ok := f.Settings[c.flag]
		if !ok || len(f.Settings) != 1 || len(f.Warnings) != 0 || !reflect.DeepEqual(s.Values, c.want) || s.Key == "" || !strings.Contains(s.Where, "rabbitmq.conf:") {
			t.Errorf("%s: %+v, %v; want %s = %q", c.text, f.Settings, f.Warnings, c.flag, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\n# one\nheartbaet = 3", "rabbitmq.conf:3: heartbaet: there is no such key"},
		{"heartbeat", `rabbitmq.conf:1: "heartbeat" is not of the form key = value`},
		{"heartbeat = soon", `heartbeat: "soon" is not a number of seconds`},
		{"= 3", "is not of the form key = value"},
		{"a b = 3", `"a b" is not a key`},
		{"default_pass = 'open", "a quote ' is not closed"},
		{"default_pass = 'a' b", `there is "b" after the closing quote`},
		{"listeners.tcp = all", `"all" is not none`},
		{"listeners.tcp.x = host", "is not a port, or an address with one"},
		{"vm_memory_high_watermark.relative = 40", "is not a share above 0 and up to 1"},
		{"disk_free_limit.absolute = 1 iB", "is not a size"},
		{"disk_free_limit.absolute = 99999999P", "is too large"},
		{"ssl_options.versions.1 = tlsv1.1", "TLS before 1.2 is not spoken"},
		{"loopback_users.guest = maybe", `"maybe" is neither true nor false`},
		{strings.Repeat("x", maxLine+1), "a line has more than"},
	} {
		_, err := load(t, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q in it", c.text, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no file *.conf") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	f, err := load(t, "cluster_formation.peer_discovery_backend = k8s\nlog.file = /x\nmanagement.rates_mode = basic\nquorum_queue.property_equivalence.relaxed_checks_on_redeclaration = true")
	if err != nil || len(f.Warnings) != 4 || len(f.Settings) != 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	if want := "rabbitmq.conf:1: cluster_formation.peer_discovery_backend has no meaning here: there are no clusters"; !strings.HasSuffix(f.Warnings[0], want) {
		t.Errorf("%q, want %q", f.Warnings[0], want)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"10-a.conf": "heartbeat = 1\nframe_max = 4096", "20-b.conf": "heartbeat = 2", "30-c.txt": "nonsense"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Load(dir)
	if err != nil || f.Settings["heartbeat"].Values[0] != "2s" || f.Settings["frame-max"].Values[0] != "4096" {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add("listeners.tcp.1 = 127.0.0.1:5672\nloopback_users.guest = false\n")
	f.Add("disk_free_limit.absolute = 2GB # comment\ndefault_pass = 'x'")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := parse(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		file, err := translate(lines)
		if err != nil {
			return
		}
		for flag, s := range file.Settings {
			if flag != s.Flag || len(s.Values) == 0 || s.Where == "" {
				t.Fatalf("%s: %+v", flag, s)
			}
		}
	})
}
