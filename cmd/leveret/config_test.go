package main

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/rs/zerolog"
)

// configOf runs the command line up to the point where serve would begin.
func configOf(t *testing.T, args []string, env map[string]string) (config, error) {
	t.Helper()
	var got *config
	p := process{
		env:    func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		stdout: new(bytes.Buffer),
		stderr: new(bytes.Buffer),
	}
	err := newApp(p, func(_ process, c config) error {
		got = &c
		return nil
	}).Run(append([]string{"leveret"}, args...))
	if err == nil && got == nil {
		t.Fatalf("%q does not serve", args)
	}
	if got == nil {
		return config{}, err
	}
	got.effective = nil // TestEffective looks at it
	return *got, err
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

func defaults(change func(*config)) config {
	c := config{
		dataDir:       "./leveret-data",
		listen:        listenConfig{amqp: []string{":5672"}, http: ":15672", metrics: ":15692"},
		login:         loginConfig{cert: auth.CertLogin{From: auth.FromDistinguishedName, SANType: auth.SANDNS}},
		sync:          "always",
		memoryLimit:   1 << 30,
		diskFreeLimit: 512 << 20,
		limits:        limitConfig{messageSize: 134217728, handshake: 10 * time.Second, frameMax: 131072, channelMax: 2047, heartbeat: time.Minute},
		names:         nameConfig{product: "Leveret", node: "leveret@" + hostname(), cluster: "leveret@" + hostname()},
		loopbackUsers: []string{"guest"},
		logLevel:      zerolog.InfoLevel,
	}
	if change != nil {
		change(&c)
	}
	return c
}

func firstUser(name, password, vhost string) config {
	return defaults(func(c *config) { c.firstUser = server.FirstUser{Name: name, Password: password, VHost: vhost} })
}

func TestConfig(t *testing.T) {
	type env = map[string]string
	for _, c := range []struct {
		name, args string
		env        env
		want       config
	}{
		{"bare", "", nil, defaults(nil)},
		{"serve", "serve", nil, defaults(nil)},
		{"data dir", "--data-dir /d,e", nil, defaults(func(c *config) { c.dataDir = "/d,e" })},
		{"one dash", "-data-dir=/d", nil, defaults(func(c *config) { c.dataDir = "/d" })},
		{"data dir by env", "serve", env{"LEVERET_DATA_DIR": "/d,e"}, defaults(func(c *config) { c.dataDir = "/d,e" })},
		{"flag wins over env", "--data-dir /flag", env{"LEVERET_DATA_DIR": "/env"}, defaults(func(c *config) { c.dataDir = "/flag" })},
		{"flag with the default's value wins too", "--log-level info", env{"LEVERET_LOG_LEVEL": "error"}, defaults(nil)},
		{"flag before serve", "--data-dir /d serve --in-memory", nil, defaults(func(c *config) { c.dataDir, c.inMemory = "/d", true })},
		{"flag on both sides", "--log-level warn serve --log-level debug", nil, defaults(func(c *config) { c.logLevel = zerolog.DebugLevel })},
		{"in memory", "--in-memory", nil, defaults(func(c *config) { c.inMemory = true })},
		{"in memory by env", "", env{"LEVERET_IN_MEMORY": "true"}, defaults(func(c *config) { c.inMemory = true })},
		{"in memory by env, taken back", "--in-memory=false", env{"LEVERET_IN_MEMORY": "1"}, defaults(nil)},
		{"empty data dir does not matter in memory", "--in-memory --data-dir=", nil, defaults(func(c *config) { c.dataDir, c.inMemory = "", true })},
		{"one listener", "--amqp-listen 127.0.0.1:1", nil, defaults(func(c *config) { c.listen.amqp = []string{"127.0.0.1:1"} })},
		{"listeners", "serve --amqp-listen :1 --amqp-listen [::1]:2", nil, defaults(func(c *config) { c.listen.amqp = []string{":1", "[::1]:2"} })},
		{"listeners by env", "", env{"LEVERET_AMQP_LISTEN": ":1, :2"}, defaults(func(c *config) { c.listen.amqp = []string{":1", ":2"} })},
		{"http", "--http-listen localhost:0", nil, defaults(func(c *config) { c.listen.http = "localhost:0" })},
		{"http none", "--http-listen none", nil, defaults(func(c *config) { c.listen.http = "" })},
		{"http empty", "--http-listen=", nil, defaults(func(c *config) { c.listen.http = "" })},
		{"http none by env", "", env{"LEVERET_HTTP_LISTEN": "none"}, defaults(func(c *config) { c.listen.http = "" })},
		{"empty variables", "", env{"LEVERET_HTTP_LISTEN": "", "LEVERET_DATA_DIR": "", "LEVERET_AMQP_LISTEN": "", "LEVERET_IN_MEMORY": ""}, defaults(nil)},
		{"smallest message size", "--max-message-size 1", nil, defaults(func(c *config) { c.limits.messageSize = 1 })},
		{"consumers of a channel", "--consumer-max-per-channel 7", nil, defaults(func(c *config) { c.limits.consumers = 7 })},
		{"largest message size", "", env{"LEVERET_MAX_MESSAGE_SIZE": "536870912"}, defaults(func(c *config) { c.limits.messageSize = 536870912 })},
		{"product", "--product-name RabbitMQ", nil, defaults(func(c *config) { c.names.product = "RabbitMQ" })},
		{"sync always", "--sync always", nil, defaults(nil)},
		{"sync never", "--sync=never", nil, defaults(func(c *config) { c.sync = "never" })},
		{"sync interval", "--sync interval=10ms", nil, defaults(func(c *config) { c.sync, c.syncInterval = "interval", 10*time.Millisecond })},
		{"shortest interval", "", env{"LEVERET_SYNC": "interval=1ms"}, defaults(func(c *config) { c.sync, c.syncInterval = "interval", time.Millisecond })},
		{"longest interval", "", env{"LEVERET_SYNC": "interval=1s"}, defaults(func(c *config) { c.sync, c.syncInterval = "interval", time.Second })},
		{"memory limit", "--memory-limit 268435456", nil, defaults(func(c *config) { c.memoryLimit = 256 << 20 })},
		{"memory limit with a unit", "--memory-limit 1.5GiB", nil, defaults(func(c *config) { c.memoryLimit = 3 << 29 })},
		{"memory limit by env", "", env{"LEVERET_MEMORY_LIMIT": "100MB"}, defaults(func(c *config) { c.memoryLimit = 1e8 })},
		{"disk free limit", "--disk-free-limit 2gib", nil, defaults(func(c *config) { c.diskFreeLimit = 2 << 30 })},
		{"least disk free limit", "", env{"LEVERET_DISK_FREE_LIMIT": "128 MiB"}, defaults(func(c *config) { c.diskFreeLimit = 128 << 20 })},
		{"first user", "--default-user root --default-pass p,w --default-vhost v", env{"RABBITMQ_DEFAULT_USER": "other"}, firstUser("root", "p,w", "v")},
		{"first user by env", "", env{"LEVERET_DEFAULT_USER": "root", "LEVERET_DEFAULT_PASS": "pw", "LEVERET_DEFAULT_VHOST": "v", "RABBITMQ_DEFAULT_PASS": "other"}, firstUser("root", "pw", "v")},
		{"first user as for RabbitMQ's image", "", env{"RABBITMQ_DEFAULT_USER": "root", "RABBITMQ_DEFAULT_PASS": "pw", "RABBITMQ_DEFAULT_VHOST": "v"}, firstUser("root", "pw", "v")},
		{"loopback users", "--loopback-users ann,bob --loopback-users c", nil, defaults(func(c *config) { c.loopbackUsers = []string{"ann", "bob", "c"} })},
		{"no loopback users", "", env{"LEVERET_LOOPBACK_USERS": "none"}, defaults(func(c *config) { c.loopbackUsers = []string{} })},
		{"log", "--log-level none --log-format json", nil, defaults(func(c *config) { c.logLevel, c.logJSON = zerolog.Disabled, true })},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := configOf(t, strings.Fields(c.args), c.env)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("config\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestConfigRefuses(t *testing.T) {
	type env = map[string]string
	for _, c := range []struct {
		args string
		env  env
		want string
	}{
		{"--colour", nil, `there is no flag --colour: see leveret --help`},
		{"serve --colour=blue", nil, `there is no flag --colour: see leveret --help`},
		{"--data-dir", nil, `flag --data-dir needs a value`},
		{"bake", nil, `there is no command "bake": see leveret --help`},
		{"serve bread", nil, `there is no command "bread": see leveret --help`},
		{"version 2", nil, `version takes no argument, and got "2"`},
		{"version --short", nil, `there is no flag --short: see leveret --help`},
		{"--in-memory=maybe", nil, `invalid boolean value "maybe" for --in-memory: parse error`},
		{"", env{"LEVERET_IN_MEMORY": "maybe"}, `LEVERET_IN_MEMORY "maybe" is neither true nor false`},
		{"--data-dir=", nil, `--data-dir is empty`},
		{"--amqp-listen 5672", nil, `--amqp-listen "5672" is not an address like 127.0.0.1:5672 or :5672`},
		{"--amqp-listen :0 --amqp-listen none", nil, `--amqp-listen "none" is not an address like 127.0.0.1:5672 or :5672`},
		{"--amqp-listen :65536", nil, `--amqp-listen ":65536" is not an address like 127.0.0.1:5672 or :5672`},
		{"--amqp-listen=", nil, `--amqp-listen "" is not an address like 127.0.0.1:5672 or :5672`},
		{"", env{"LEVERET_AMQP_LISTEN": ":1,,:2"}, `LEVERET_AMQP_LISTEN "" is not an address like 127.0.0.1:5672 or :5672`},
		{"--http-listen off", nil, `--http-listen "off" is not an address like 127.0.0.1:5672 or :5672`},
		{"--max-message-size 0", nil, `--max-message-size "0" is not a number of bytes from 1 to 536870912`},
		{"--consumer-max-per-channel -1", nil, `--consumer-max-per-channel "-1" is not a number from 0 to 1048576`},
		{"--consumer-max-per-channel 1048577", nil, `--consumer-max-per-channel "1048577" is not a number from 0 to 1048576`},
		{"--max-message-size -1", nil, `--max-message-size "-1" is not a number of bytes from 1 to 536870912`},
		{"--max-message-size 536870913", nil, `--max-message-size "536870913" is not a number of bytes from 1 to 536870912`},
		{"", env{"LEVERET_MAX_MESSAGE_SIZE": "1GB"}, `LEVERET_MAX_MESSAGE_SIZE "1GB" is not a number of bytes from 1 to 536870912`},
		{"--sync sometimes", nil, `--sync "sometimes" is not always, never or interval=10ms`},
		{"--sync=", nil, `--sync "" is not always, never or interval=10ms`},
		{"--sync interval", nil, `--sync "interval" is not always, never or interval=10ms`},
		{"--sync interval=10", nil, `--sync "interval=10": the interval is not from 1ms to 1s`},
		{"--sync interval=0.5ms", nil, `--sync "interval=0.5ms": the interval is not from 1ms to 1s`},
		{"", env{"LEVERET_SYNC": "interval=1001ms"}, `LEVERET_SYNC "interval=1001ms": the interval is not from 1ms to 1s`},
		{"--memory-limit much", nil, `--memory-limit "much" is neither a number of bytes like 512MiB nor a percentage like 40%`},
		{"--memory-limit 5XB", nil, `--memory-limit "5XB" is neither a number of bytes like 512MiB nor a percentage like 40%`},
		{"--memory-limit 63MiB", nil, `--memory-limit "63MiB" is 63.0 MiB, and the least is 64.0 MiB`},
		{"--memory-limit 40%", nil, `--memory-limit "40%" cannot be worked out: the memory of this machine is not known; give a number of bytes`},
		{"--memory-limit 101%", nil, `--memory-limit "101%" is not a percentage up to 100%`},
		{"", env{"LEVERET_MEMORY_LIMIT": "x%"}, `LEVERET_MEMORY_LIMIT "x%" is not a percentage up to 100%`},
		{"--disk-free-limit 10%", nil, `--disk-free-limit "10%" cannot be worked out: the memory of this machine is not known; give a number of bytes`},
		{"--disk-free-limit some", nil, `--disk-free-limit "some" is neither a number of bytes like 512MiB nor a percentage of the memory like 150%`},
		{"--disk-free-limit 127MiB", nil, `--disk-free-limit "127MiB" is 127.0 MiB, and the least is 128.0 MiB`},
		{"", env{"RABBITMQ_DEFAULT_VHOST": strings.Repeat("v", 256)}, `RABBITMQ_DEFAULT_VHOST has 256 bytes, and the limit is 255`},
		{"--log-level loud", nil, `--log-level "loud" is not one of debug, info, warn, error, none`},
		{"--log-format xml", nil, `--log-format "xml" is neither console nor json`},
	} {
		t.Run(c.args+c.want, func(t *testing.T) {
			_, err := configOf(t, strings.Fields(c.args), c.env)
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n got %v\nwant %s", err, c.want)
			}
		})
	}
}
