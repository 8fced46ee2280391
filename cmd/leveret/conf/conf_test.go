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
		{"listeners.tcp.10 = [::1]:5673\nlisteners.tcp.9 = 127.0.0.1:5672 # here", "amqp-listen", []string{"127.0.0.1:5672", "[::1]:5673"}},
		{"listeners.tcp.1 = ::1:5672", "amqp-listen", []string{"[::1]:5672"}},
		{"listeners.tcp = none", "amqp-listen", []string{"none"}},
		{"listeners.tcp = none\nlisteners.tcp.1 = 5672", "amqp-listen", []string{"none"}},
		{"listeners.ssl.default=5671", "amqps-listen", []string{":5671"}},
		{"management.tcp.port = 8080", "http-listen", []string{":8080"}},
		{"management.tcp.ip = 127.0.0.1", "http-listen", []string{"127.0.0.1:15672"}},
		{"management.listener.port = 8080", "http-listen", []string{":8080"}},
		{"prometheus.tcp.port = 1", "metrics-listen", []string{":1"}},
		{"heartbeat = 30", "heartbeat", []string{"30s"}},
		{"handshake_timeout = 5000", "handshake-timeout", []string{"5000ms"}},
		{"vm_memory_high_watermark.relative = 0.4", "memory-limit", []string{"40%"}},
		{"vm_memory_high_watermark.absolute = 2GB", "memory-limit", []string{"2000000000"}},
		{"disk_free_limit.absolute = 1GiB", "disk-free-limit", []string{"1073741824"}},
		{"disk_free_limit.absolute = 50M", "disk-free-limit", []string{"52428800"}},
		{"disk_free_limit.relative = 1.5", "disk-free-limit", []string{"150%"}},
		{"loopback_users = none", "loopback-users", []string{"none"}},
		{"loopback_users = none\nloopback_users.ann = true", "loopback-users", []string{"none"}},
		{"loopback_users.guest = false", "loopback-users", []string{"none"}},
		{"loopback_users.ann\\.b = true", "loopback-users", []string{"ann.b", "guest"}},
		{"auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL", "auth-mechanisms", []string{"PLAIN", "EXTERNAL"}},
		{"ssl_options.versions.2 = tlsv1.2\nssl_options.versions.1 = tlsv1.3", "tls-min-version", []string{"1.3", "1.2"}},
		{"ssl_cert_login_from = subject_alt_name", "cert-login-from", []string{"subject_alternative_name"}},
		{"default_user_tags.monitoring = true\ndefault_user_tags.administrator = false", "default-user-tags", []string{"monitoring"}},
		{"default_user_tags.administrator = false", "default-user-tags", []string{"none"}},
		{"default_permissions.read = ''", "default-permissions-read", []string{"^$"}},
		{"proxy_protocol = true", "proxy-protocol-from", []string{"0.0.0.0/0,::/0"}},
		{"log.console.level = warning", "log-level", []string{"warn"}},
		{"log.console.level = none", "log-level", []string{"none"}},
		{"log.console.formatter = json", "log-format", []string{"json"}},
		{"channel_max = 0", "channel-max", []string{"65535"}},
		{"frame_max = 128KB", "frame-max", []string{"131072"}},
		{"frame_max = 0", "frame-max", []string{"16777216"}},
		{"max_connections = infinity", "max-connections", []string{"0"}},
		{"heartbeat = 30\nheartbeat = 40", "heartbeat", []string{"40s"}},
		// What cuttlefish, the reader of RabbitMQ, makes of values.
		{"default_pass = 'a # b'  # c", "default-pass", []string{"a # b"}},
		{"default_pass = a#b", "default-pass", []string{"a"}},
		{"default_pass = \"a\"", "default-pass", []string{`"a"`}},
		{"\tdefault_pass=a = b  c \r", "default-pass", []string{"a = b  c"}},
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

// TestTogether: lines that mean something by what others say.
func TestTogether(t *testing.T) {
	for _, c := range []struct {
		text     string
		want     map[string]string
		warnings []string // what is in each
	}{
		// Only TLS is configured: then there is only TLS, and nobody is asked for a certificate.
		{"management.ssl.ip = ::1\nmanagement.ssl.port = 15671\nmanagement.ssl.certfile = c\nmanagement.ssl.cacertfile = a",
			map[string]string{"http-listen": "none", "https-listen": "[::1]:15671", "tls-cert": "c", "tls-ca": "a", "tls-verify": "verify_none"}, nil},
		{"management.ssl.port = 1\nmanagement.tcp.port = 2", map[string]string{"http-listen": ":2", "https-listen": ":1"}, nil},
		{"management.listener.port = 1\nmanagement.listener.ssl = true\nmanagement.listener.ssl_opts.certfile = c",
			map[string]string{"http-listen": "none", "https-listen": ":1", "tls-cert": "c"}, nil},
		{"management.ssl.certfile = x\nssl_options.certfile = y", map[string]string{"tls-cert": "y"},
			[]string{":1: management.ssl.certfile does not count: ssl_options.certfile"}},
		{"ssl_options.cacertfile = a\nssl_options.verify = verify_peer", map[string]string{"tls-ca": "a", "tls-verify": "verify_peer"}, nil},
		// The absolute one counts, wherever it stands.
		{"disk_free_limit.absolute = 1GB\ndisk_free_limit.relative = 2", map[string]string{"disk-free-limit": "1000000000"},
			[]string{":2: disk_free_limit.relative does not count: disk_free_limit.absolute"}},
		{"disk_free_limit.relative = 2\ndisk_free_limit.absolute = 1GB", map[string]string{"disk-free-limit": "1000000000"},
			[]string{":1: disk_free_limit.relative does not count: disk_free_limit.absolute"}},
		{"load_definitions = a\nmanagement.load_definitions = b", map[string]string{"load-definitions": "b"},
			[]string{":1: load_definitions does not count: management.load_definitions"}},
	} {
		f, err := load(t, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := map[string]string{}
		for flag, s := range f.Settings {
			got[flag] = strings.Join(s.Values, ",")
		}
		if !reflect.DeepEqual(got, c.want) || len(f.Warnings) != len(c.warnings) {
			t.Errorf("%s:\n got %v, %q\nwant %v, %q", c.text, got, f.Warnings, c.want, c.warnings)
			continue
		}
		for i, want := range c.warnings {
			if !strings.Contains(f.Warnings[i], want) {
				t.Errorf("%s: warning %q, want %q in it", c.text, f.Warnings[i], want)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\n# one\nheartbaet = 3", "rabbitmq.conf:3: heartbaet: there is no such key"},
		{"heartbeat", "rabbitmq.conf:1: the line is not of the form key = value"},
		{"heartbeat =", "rabbitmq.conf:1: heartbeat: there is no value"},
		{"include more.conf", "include is not read"},
		{"a..b = 1", `"a..b" is not a key`},
		{"a.$b = 1", `"a.$b" is not a key`},
		{"ssl_options.certfiel = x", "ssl_options.certfiel: there is no such key"},
		{"management.tpc.port = 1", "management.tpc.port: there is no such key"},
		{"log.consol.level = info", "log.consol.level: there is no such key"},
		{"log = info", "log: there is no such key"},
		{"heartbeat.x = 1", "heartbeat.x: there is no such key"},
		{"default_pass = encrypted:abc", "default_pass: encrypted values are not read"},
		{"frame_max = 1TB", `frame_max: "1TB" is not a number of bytes, or like 128KB`},
		{"disk_free_limit.relative = -1", "is not a multiple of the memory"},
		{"heartbeat = soon", `heartbeat: "soon" is not a number of seconds`},
		{"= 3", "is not of the form key = value"},
		{"a b = 3", `"a b" is not a key`},
		{"default_pass = 'open", "a quote ' is not closed"},
		{"default_pass = 'a' b", "something follows the closing quote"},
		{"listeners.tcp = all", `"all" is not none`},
		{"listeners.tcp.x = host", "is not a port, or an address with one"},
		{"vm_memory_high_watermark.relative = 40", "is not a share above 0 and up to 1"},
		{"disk_free_limit.absolute = 1 iB", "is not a size"},
		{"disk_free_limit.absolute = 99999999P", "is too large"},
		{"ssl_options.versions.1 = tlsv1.1", "TLS before 1.2 is not spoken"},
		{"loopback_users.guest = maybe", `"maybe" is neither true nor false`},
		{strings.Repeat("x", maxLine+1), "rabbitmq.conf:1: the line has more than"},
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
	f, err := load(t, "cluster_formation.peer_discovery_backend = k8s\nlog.file = /x\nlog.connection.level = debug\nauth_backends.1 = ldap\nquorum_queue.property_equivalence.relaxed_checks_on_redeclaration = true")
	if err != nil || len(f.Warnings) != 5 || len(f.Settings) != 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	if want := "rabbitmq.conf:1: cluster_formation.peer_discovery_backend has no meaning here: there are no clusters"; !strings.HasSuffix(f.Warnings[0], want) {
		t.Errorf("%q, want %q", f.Warnings[0], want)
	}
	// What is so anyway needs no warning.
	f, err = load(t, "log.console = true\nlog.file = false\nauth_backends.1 = internal\nvhost_max = infinity")
	if err != nil || len(f.Warnings) != 0 || len(f.Settings) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestTable: no row hides one behind it, and each that has no meaning says why.
func TestTable(t *testing.T) {
	for _, table := range [][]key{keys, ignored} {
		for i := range table {
			k := &table[i]
			if (k.ignored == "") != (k.flag != "" || k.together) {
				t.Errorf("%s has neither a meaning nor a reason to have none, or both", k.name)
			}
			name := example(k.name)
			if got, _, ok := find(name); !ok || got != k {
				t.Errorf("%s is taken for %s", k.name, got.name)
			}
		}
	}
	for _, flag := range Flags() {
		if strings.ContainsAny(flag, "_.") {
			t.Errorf("%q is not a flag", flag)
		}
	}
}

// example is a key of a row.
func example(name string) string {
	all := strings.Split(strings.ReplaceAll(name, "*", "x"), ".")
	for i, word := range all {
		first, _, _ := strings.Cut(word, "|")
		all[i] = strings.ReplaceAll(first, "$", "a-")
	}
	return strings.Join(all, ".")
}

// TestKnownKeys: every key that RabbitMQ 3.10 has with all its plug-ins is known.
func TestKnownKeys(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "keys-3.10.8.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(data)) {
		if _, _, ok := find(strings.ReplaceAll(name, "$", "")); !ok {
			t.Errorf("%s is not known", name)
		}
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
	f.Add("management.listener.ssl = true\nmanagement.listener.port = 1\nloopback_users.a\\.b = true\nlog.file = x")
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
