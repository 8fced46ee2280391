package mgmt

import (
	"errors"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
)

// The answers are RabbitMQ 3.10.8's for a node that has these listeners, but for what
// came later.
func TestHealthChecks(t *testing.T) {
	b := newBed(t)
	const (
		ok     = `{"status":"ok"}`
		single = `{"status":"ok","reason":"single node cluster"}`
		unit   = `{"error":"bad_request","reason":"Time unit not recognised. Supported units: days, weeks, months, years."}`
		number = `{"error":"bad_request","reason":"Invalid expiration value."}`
	)
	none := func(name string) string {
		return `{"status":"failed","reason":"No active listener","missing":"` + name + `","protocols":["amqp","http","http/prometheus"]}`
	}
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"alarms", 200, ok},
		{"local-alarms", 200, ok},
		{"virtual-hosts", 200, ok},
		{"certificate-expiration/1/weeks", 200, ok},
		{"certificate-expiration/1/WEEKS", 200, ok},
		{"certificate-expiration/-1/days", 200, ok},
		{"certificate-expiration/999999999999/years", 200, ok},
		{"certificate-expiration/x/weeks", 400, number},
		{"certificate-expiration/1/seconds", 400, unit},
		{"port-listener/5672", 200, `{"status":"ok","port":5672}`},
		{"port-listener/1", 503, `{"status":"failed","reason":"No active listener","missing":1,"ports":[5672,15672,15692]}`},
		{"port-listener/-1", 503, `{"status":"failed","reason":"No active listener","missing":-1,"ports":[5672,15672,15692]}`},
		{"port-listener/x", 400, `{"error":"bad_request","reason":"Invalid port"}`},
		{"protocol-listener/amqp", 200, `{"status":"ok","protocol":"amqp"}`},
		{"protocol-listener/AMQP0-9-1", 200, `{"status":"ok","protocol":"amqp"}`},
		{"protocol-listener/amqps", 503, none("amqp/ssl")},
		{"protocol-listener/nope", 503, none("nope")},
		{"protocol-listener/amqps,http", 200, `{"status":"ok","protocol":"http"}`},
		{"protocol-listener/mqtt,stomp", 503, none("mqtt,stomp")},
		{"protocol-listener/http%2Fprometheus", 200, `{"status":"ok","protocol":"http/prometheus"}`},
		{"node-is-quorum-critical", 200, single},
		{"node-is-mirror-sync-critical", 200, single},
		{"is-in-service", 200, ok},
		{"ready-to-serve-clients", 200, ok},
		{"below-node-connection-limit", 200, `{"status":"ok","limit":"infinity","connections":0}`},
		{"reached-target-cluster-size", 200, ok},
		{"metadata-store/initialized", 200, ok},
		{"metadata-store/initialized/with-data", 200, ok},
		{"quorum-queues-without-elected-leaders/all-vhosts/", 200, ok},
		{"quorum-queues-without-elected-leaders/vhost/%2F/pattern/.*", 200, ok},
		{"quorum-queues-without-elected-leaders/vhost/nope", 404, notFoundBody},
	} {
		if status, body := b.ask("GET", "/api/health/checks/"+c.path, "guest", ""); status != c.status || body != c.body {
			t.Errorf("%s: %d %s, want %d %s", c.path, status, body, c.status, c.body)
		}
	}
	for path, status := range map[string]int{"node": 200, "node/leveret@test": 200, "node/nope": 404} {
		b.want(status, "GET", "/api/healthchecks/"+path, "guest", "")
	}
}

func TestHealthChecks_Alarms(t *testing.T) {
	b := newBed(t)
	b.server.SetAlarm(server.AlarmMemory, true)
	b.server.SetAlarm(server.AlarmDisk, true)
	for path, reason := range map[string]string{
		"alarms": "There are alarms in effect in the cluster", "local-alarms": "There are alarms in effect on the node",
	} {
		want := `{"status":"failed","reason":"` + reason + `","alarms":[{"node":"leveret@test","resource":"disk"},{"node":"leveret@test","resource":"memory"}]}`
		if body := b.want(503, "GET", "/api/health/checks/"+path, "guest", ""); body != want {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
	var node struct {
		MemAlarm  bool `json:"mem_alarm"`
		DiskAlarm bool `json:"disk_free_alarm"`
	}
	if b.get("/api/nodes/leveret@test", &node); !node.MemAlarm || !node.DiskAlarm {
		t.Errorf("the node has %+v", node)
	}
	// Nobody waits for the end of an alarm to publish.
	if body := b.want(400, "GET", "/api/aliveness-test/%2F", "guest", ""); body == "" {
		t.Error("no reason")
	}
	b.server.SetAlarm(server.AlarmMemory|server.AlarmDisk, false)
	b.want(200, "GET", "/api/health/checks/alarms", "guest", "")
}

// Which of the listeners' certificates end within a time.
func TestHealthChecks_Certificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newQuietBed(t)
		end := time.Now().Add(10 * 24 * time.Hour)
		b.api.opts.Listeners = []Listener{
			{Protocol: "amqp", Address: &net.TCPAddr{Port: 5672}},
			{Protocol: "amqp/ssl", Address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5671}, TLS: true, Expires: func() time.Time { return end }},
		}
		for path, status := range map[string]int{"9/days": 200, "11/days": 503, "1/weeks": 200, "2/weeks": 503, "1/months": 503, "99999/years": 503} {
			body := b.want(status, "GET", "/api/health/checks/certificate-expiration/"+path, "guest", "")
			want := `{"status":"failed","reason":"Certificates expiring","expired":[{"node":"leveret@test","protocol":"amqp/ssl","interface":"127.0.0.1",` +
				`"port":5671,"certfile_expires_on":["2000-01-11 00:00:00"],"cacertfile_expires_on":[]}]}`
			if status == 503 && body != want {
				t.Errorf("%s: %s, want %s", path, body, want)
			}
		}
	})
}

func TestHealthChecks_OutOfService(t *testing.T) {
	for _, c := range []struct {
		path, body string
		o          Options
		state      error
	}{
		{"is-in-service", `{"status":"failed","reason":"closing"}`, Options{}, errors.New("closing")},
		{"ready-to-serve-clients", `{"status":"failed","reason":"the rabbit node is not currently available to serve"}`, Options{}, errors.New("closing")},
		{"ready-to-serve-clients", `{"status":"failed","reason":"no active listeners for AMQP/AMQPS"}`, Options{}, nil},
	} {
		h := newTroubled(t, c.o, func() error { return c.state })
		for method, body := range map[string]string{"GET": c.body, "HEAD": c.body} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, "/api/health/checks/"+c.path, nil))
			if w.Code != 503 || w.Body.String() != body {
				t.Errorf("%s %s: %d %s, want %s", method, c.path, w.Code, w.Body, body)
			}
		}
	}
}

// crowded is a broker with some connections.
type crowded struct {
	*server.Server
	connections int
}

func (c *crowded) Totals() server.Totals {
	t := c.Server.Totals()
	t.Connections = c.connections
	return t
}

func TestHealthChecks_ConnectionLimit(t *testing.T) {
	b := newQuietBed(t)
	c := &crowded{Server: b.server, connections: 1}
	b.api.broker = c
	b.api.opts.Resources = func() Resources { return Resources{ConnectionLimit: 2} }
	const below, ready = "/api/health/checks/below-node-connection-limit", "/api/health/checks/ready-to-serve-clients"
	if body := b.want(200, "GET", below, "", ""); body != `{"status":"ok","limit":2,"connections":1}` {
		t.Error(body)
	}
	b.want(200, "GET", ready, "", "")
	c.connections = 2
	if body := b.want(503, "GET", below, "", ""); body != `{"status":"failed","reason":"node connection limit is reached","limit":2,"connections":2}` {
		t.Error(body)
	}
	if body := b.want(503, "GET", ready, "", ""); body != `{"status":"failed","reason":"node connection limit is reached","connections":2}` {
		t.Error(body)
	}
}
