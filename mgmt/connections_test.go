package mgmt

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// listen lets clients in by AMQP, and returns where.
func (b *bed) listen() string {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	go func() { _ = b.server.Serve(l) }() // until the broker is closed
	return l.Addr().String()
}

// dial opens a connection of a user to the vhost /.
func (b *bed) dial(address, user string) *amqp091.Connection {
	b.t.Helper()
	c, err := amqp091.DialConfig("amqp://"+user+":"+user+"@"+address+"/", amqp091.Config{
		Properties: amqp091.Table{"connection_name": "of " + user, "nested": amqp091.Table{"x": true}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	return c
}

// nameOf is what the broker calls a connection.
func nameOf(c *amqp091.Connection) string {
	return fmt.Sprintf("%s -> %s", c.LocalAddr(), c.RemoteAddr())
}

// must stops the test if something has failed.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// busy is a broker with a connection of guest's that has two channels: on the first
// are consumers, the second is in confirm mode and has published.
func busy(t *testing.T) (*bed, *amqp091.Connection) {
	t.Helper()
	b := newBed(t)
	c := b.dial(b.listen(), "guest")
	consuming, publishing := must[*amqp091.Channel](t)(c.Channel()), must[*amqp091.Channel](t)(c.Channel())
	if err := consuming.Qos(7, 0, false); err != nil {
		t.Fatal(err)
	}
	declare := func(name string, durable, exclusive bool, args amqp091.Table) {
		t.Helper()
		must[amqp091.Queue](t)(consuming.QueueDeclare(name, durable, false, exclusive, false, args))
	}
	declare("cq", true, false, amqp091.Table{"x-max-length": int32(100)})
	declare("ex", false, true, nil)
	declare("sac", false, false, amqp091.Table{"x-single-active-consumer": true})
	declare("exc", false, false, nil)
	declare("qq", true, false, amqp091.Table{"x-queue-type": "quorum"})
	for _, q := range []struct {
		queue, tag       string
		noAck, exclusive bool
		args             amqp091.Table
	}{
		{"cq", "tag1", false, false, amqp091.Table{"x-priority": int32(5)}}, {"sac", "tagS1", true, false, nil},
		{"sac", "tagS2", true, false, nil}, {"exc", "tagX", false, true, nil},
	} {
		must[<-chan amqp091.Delivery](t)(consuming.Consume(q.queue, q.tag, q.noAck, q.exclusive, false, false, q.args))
	}
	if err := publishing.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for i := range 13 {
		key := "cq"
		if i == 12 {
			key = "nowhere"
		}
		m := amqp091.Publishing{Body: []byte("hello"), DeliveryMode: 2}
		must[*amqp091.DeferredConfirmation](t)(publishing.PublishWithDeferredConfirm("", key, false, false, m)).Wait()
	}
	return b, c
}

// shown is an object as RabbitMQ 3.10 shows it: members in a line, each with the kind of
// its value.
func checkShown(t *testing.T, what, body, members string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%s: %s: %v", what, body, err)
	}
	for _, m := range strings.Fields(members) {
		name, kind, _ := strings.Cut(m, ":")
		v, ok := got[name]
		is := map[string]string{"string": "s", "float64": "n", "bool": "b", "<nil>": "null", "map[string]interface {}": "o", "[]interface {}": "l"}[fmt.Sprintf("%T", v)]
		if !ok || !slices.Contains(strings.Split(kind, "|"), is) {
			t.Errorf("%s: %s is %v (%s, there: %v), want %s", what, name, v, is, ok, kind)
		}
	}
}

const (
	shownConnection = `auth_mechanism:s channel_max:n channels:n client_properties:o connected_at:n frame_max:n garbage_collection:o host:s name:s node:s
		peer_cert_issuer:null peer_cert_subject:null peer_cert_validity:null peer_host:s peer_port:n port:n protocol:s recv_cnt:n recv_oct:n
		recv_oct_details:o reductions:n reductions_details:o send_cnt:n send_oct:n send_oct_details:o send_pend:n ssl:b ssl_cipher:null ssl_hash:null
		ssl_key_exchange:null ssl_protocol:null state:s timeout:n type:s user:s user_provided_name:s user_who_performed_action:s vhost:s`
	shownChannel = `acks_uncommitted:n confirm:b connection_details:o consumer_count:n garbage_collection:o global_prefetch_count:n message_stats:o
		messages_unacknowledged:n messages_uncommitted:n messages_unconfirmed:n name:s node:s number:n pending_raft_commands:n prefetch_count:n
		reductions:n reductions_details:o state:s transactional:b user:s user_who_performed_action:s vhost:s`
	shownConsumer = `arguments:o ack_required:b active:b activity_status:s channel_details:o consumer_tag:s exclusive:b prefetch_count:n queue:o`
	shownQueue    = `arguments:o auto_delete:b consumer_capacity:n consumer_utilisation:n consumers:n durable:b effective_policy_definition:o exclusive:b
		garbage_collection:o memory:n message_bytes:n message_bytes_persistent:n message_bytes_ram:n message_bytes_ready:n message_bytes_unacknowledged:n
		messages:n messages_details:o messages_persistent:n messages_ram:n messages_ready:n messages_ready_details:o messages_unacknowledged:n
		messages_unacknowledged_details:o name:s node:s operator_policy:null policy:null reductions:n reductions_details:o state:s type:s vhost:s`
	shownClassic = shownQueue + ` backing_queue_status:o exclusive_consumer_tag:s|null head_message_timestamp:null message_bytes_paged_out:n
		messages_paged_out:n messages_ready_ram:n messages_unacknowledged_ram:n recoverable_slaves:null single_active_consumer_tag:s|null`
	shownQuorum   = shownQueue + ` leader:s members:l message_bytes_dlx:n messages_dlx:n online:l open_files:o single_active_consumer_ctag:null`
	shownExchange = `arguments:o auto_delete:b durable:b incoming:l internal:b message_stats:o name:s outgoing:l type:s user_who_performed_action:s vhost:s`
)

// Each object has what it has in RabbitMQ 3.10, of the same kinds.
func TestShownObjects(t *testing.T) {
	b, c := busy(t)
	name := nameOf(c)
	for _, o := range []struct{ path, members string }{
		{"/api/connections/" + url.PathEscape(name), shownConnection},
		{"/api/channels/" + url.PathEscape(name+" (1)"), shownChannel + " consumer_details:l deliveries:l publishes:l"},
		{"/api/queues/%2F/cq", shownClassic + " consumer_details:l deliveries:l incoming:l message_stats:o"},
		{"/api/queues/%2F/ex", shownClassic + " owner_pid_details:o"},
		{"/api/queues/%2F/qq", shownQuorum},
		{"/api/exchanges/%2F/amq.default", shownExchange},
	} {
		checkShown(t, o.path, b.want(200, "GET", o.path, "guest", ""), o.members)
	}
	for _, l := range []struct {
		path, members string
		n             int
	}{
		{"/api/connections", shownConnection, 1}, {"/api/channels", shownChannel, 2}, {"/api/consumers/%2F", shownConsumer, 4},
		{"/api/queues?name=e&sort=name", shownQueue, 5},
	} {
		var list []json.RawMessage
		b.get(l.path, &list)
		if len(list) != l.n {
			t.Errorf("%s lists %d, want %d", l.path, len(list), l.n)
		}
		for _, item := range list {
			checkShown(t, l.path, string(item), l.members)
		}
	}
	if status, body := b.ask("GET", "/api/queues/%2F?disable_stats=true&enable_queue_totals=true&page=1&page_size=1", "guest", ""); status != 200 ||
		!strings.Contains(body, `[{"arguments":{"x-max-length":100},"auto_delete":false,"durable":true,"exclusive":false,"messages":12,"messages_ready":5,"messages_unacknowledged":7,"name":"cq","node":"leveret@test","state":"running","type":"classic","vhost":"/"}]`) {
		t.Errorf("without stats: %d %s", status, body)
	}
}

// What the objects of a busy broker say, as RabbitMQ 3.10 says it.
func TestShownValues(t *testing.T) {
	b, c := busy(t)
	name := nameOf(c)
	client, broker := c.LocalAddr().(*net.TCPAddr).Port, c.RemoteAddr().(*net.TCPAddr).Port
	channel := fmt.Sprintf(`{"connection_name":%q,"name":"%s (1)","node":"leveret@test","number":1,"peer_host":"127.0.0.1","peer_port":%d,"user":"guest"}`, name, name, client)
	details := fmt.Sprintf(`{"name":%q,"peer_host":"127.0.0.1","peer_port":%d}`, name, client)
	consumer := func(args, ack, active, status, tag, exclusive, queue string) string {
		return `{"arguments":` + args + `,"ack_required":` + ack + `,"active":` + active + `,"activity_status":"` + status + `","channel_details":` + channel +
			`,"consumer_tag":"` + tag + `","consumer_timeout":0,"exclusive":` + exclusive + `,"prefetch_count":7,"queue":{"name":"` + queue + `","vhost":"/"}}`
	}
	first := consumer(`{"x-priority":5}`, "true", "true", "up", "tag1", "false", "cq")
	active := consumer(`{}`, "false", "true", "single_active", "tagS1", "false", "sac")
	waiting := consumer(`{}`, "false", "false", "waiting", "tagS2", "false", "sac")
	alone := consumer(`{}`, "true", "true", "up", "tagX", "true", "exc")
	for _, q := range []struct{ path, want string }{
		{"/api/connections?columns=name,user,vhost,state,protocol,type,host,port,peer_host,peer_port,channels,ssl,user_provided_name,auth_mechanism,client_properties.nested",
			fmt.Sprintf(`[{"auth_mechanism":"PLAIN","channels":2,"client_properties":{"nested":{"x":true}},"host":"127.0.0.1","name":%q,"peer_host":"127.0.0.1","peer_port":%d,"port":%d,`+
				`"protocol":"AMQP 0-9-1","ssl":false,"state":"running","type":"network","user":"guest","user_provided_name":"of guest","vhost":"/"}]`, name, client, broker)},
		{"/api/channels?columns=name,number,connection_details,confirm,consumer_count,prefetch_count,messages_unacknowledged,message_stats.publish,message_stats.deliver,message_stats.drop_unroutable",
			fmt.Sprintf(`[{"confirm":false,"connection_details":%s,"consumer_count":4,"message_stats":{"publish":0,"drop_unroutable":0,"deliver":7},"messages_unacknowledged":7,"name":"%s (1)","number":1,"prefetch_count":7},`+
				`{"confirm":true,"connection_details":%s,"consumer_count":0,"message_stats":{"publish":13,"drop_unroutable":1,"deliver":0},"messages_unacknowledged":0,"name":"%s (2)","number":2,"prefetch_count":0}]`,
				details, name, details, name)},
		{"/api/consumers?sort=consumer_tag", "[" + first + "," + active + "," + waiting + "," + alone + "]"},
		{"/api/queues/%2F/sac?columns=consumer_details,single_active_consumer_tag,exclusive_consumer_tag",
			`{"consumer_details":[` + active + "," + waiting + `],"exclusive_consumer_tag":null,"single_active_consumer_tag":"tagS1"}`},
		{"/api/queues/%2F/exc?columns=consumer_details,single_active_consumer_tag,exclusive_consumer_tag",
			`{"consumer_details":[` + alone + `],"exclusive_consumer_tag":"tagX","single_active_consumer_tag":null}`},
		{"/api/channels/" + url.PathEscape(name+" (1)") + "?columns=consumer_details.consumer_tag,number",
			`{"number":1,"consumer_details":[{"consumer_tag":"tag1"},{"consumer_tag":"tagX"},{"consumer_tag":"tagS1"},{"consumer_tag":"tagS2"}]}`},
		{"/api/queues/%2F/ex?columns=owner_pid_details,exclusive,durable", `{"owner_pid_details":` + details + `,"durable":false,"exclusive":true}`},
		{"/api/queues/%2F/cq?columns=messages,messages_ready,messages_unacknowledged,messages_persistent,message_bytes,message_bytes_ready,message_bytes_unacknowledged,message_stats.publish,message_stats.deliver,message_stats.deliver_get,consumers",
			`{"consumers":1,"message_bytes":60,"message_bytes_ready":25,"message_bytes_unacknowledged":35,"message_stats":{"publish":12,"deliver":7,"deliver_get":7},"messages":12,"messages_persistent":12,"messages_ready":5,"messages_unacknowledged":7}`},
		{"/api/queues?sort=messages&sort_reverse=true&columns=name,messages&page=1&page_size=1", `{"filtered_count":5,"item_count":1,"items":[{"messages":12,"name":"cq"}],"page":1,"page_count":5,"page_size":1,"total_count":5}`},
		{"/api/queues/%2F/qq?columns=type,leader,members,online", `{"leader":"leveret@test","members":["leveret@test"],"online":["leveret@test"],"type":"quorum"}`},
		{"/api/exchanges/%2F/amq.default?columns=message_stats.publish_in,message_stats.publish_out", `{"message_stats":{"publish_in":13,"publish_out":12}}`},
	} {
		if body := b.want(200, "GET", q.path, "guest", ""); body != q.want {
			t.Errorf("%s:\n%s\nwant\n%s", q.path, body, q.want)
		}
	}
}

// Whoever is no monitor sees their own connections, and closes no others.
func TestWhoseConnections(t *testing.T) {
	b := newBed(t)
	at := b.listen()
	theirs, ours := b.dial(at, "guest"), b.dial(at, "management")
	for _, c := range []*amqp091.Connection{theirs, ours} {
		must[*amqp091.Channel](t)(c.Channel())
	}
	guests, own := "/api/connections/"+url.PathEscape(nameOf(theirs)), "/api/connections/"+url.PathEscape(nameOf(ours))
	channels := func(c *amqp091.Connection) string { return "/api/channels/" + url.PathEscape(nameOf(c)+" (1)") }
	const notYours = `{"error":"not_authorised","reason":"User not authorised to access object"}`
	mine, all := `[{"user":"management"}]`, `[{"user":"guest"},{"user":"management"}]`
	for _, c := range []struct {
		user, method, path string
		status             int
		want               string // empty: whatever
	}{
		{"management", "GET", "/api/connections?columns=user", 200, mine},
		{"management", "GET", "/api/vhosts/%2F/connections?columns=user", 200, mine},
		{"management", "GET", "/api/channels?columns=user", 200, mine},
		{"management", "GET", "/api/vhosts/%2F/channels?columns=user", 200, mine},
		{"management", "GET", guests, 401, notYours},
		{"management", "GET", guests + "/channels", 401, notYours},
		{"management", "GET", channels(theirs), 401, notYours},
		{"management", "GET", own + "?columns=user", 200, `{"user":"management"}`},
		{"management", "GET", own + "/channels?columns=user", 200, mine},
		{"management", "GET", channels(ours) + "?columns=user", 200, `{"user":"management"}`},
		{"management", "GET", "/api/connections/username/guest", 200, `[]`},
		{"management", "GET", "/api/connections/username/management?columns=user", 200, mine},
		{"management", "DELETE", guests, 401, notYours},
		{"management", "DELETE", "/api/connections/username/guest", 401, notYours},
		{"monitoring", "GET", "/api/connections?columns=user&sort=user", 200, all},
		{"monitoring", "GET", "/api/channels?columns=user&sort=user", 200, all},
		{"monitoring", "GET", guests + "?columns=user", 200, `{"user":"guest"}`},
		{"monitoring", "GET", channels(theirs) + "?columns=user", 200, `{"user":"guest"}`},
		{"monitoring", "DELETE", guests, 401, notYours},
		{"monitoring", "GET", "/api/vhosts/private/connections", 200, `[]`},
		{"management", "GET", "/api/vhosts/private/channels", 401, ``},
		{"guest", "GET", "/api/connections/username/nobody", 200, `[]`},
		{"guest", "GET", "/api/connections/nope", 404, nothingThere},
		{"guest", "GET", "/api/connections/nope/channels", 404, nothingThere}, // RabbitMQ: 500
		{"guest", "GET", "/api/channels/nope", 404, nothingThere},
		{"guest", "DELETE", "/api/connections/nope", 404, nothingThere},
		{"guest", "GET", "/api/vhosts/nope/connections", 404, nothingThere},
		{"guest", "DELETE", "/api/connections/username/nobody", 204, ``},
	} {
		if status, body := b.ask(c.method, c.path, c.user, ""); status != c.status || c.want != "" && body != c.want {
			t.Errorf("%s: %s %s: %d %s, want %d %s", c.user, c.method, c.path, status, body, c.status, c.want)
		}
	}
}

// A client whose connection is closed hears why.
func TestCloseConnection(t *testing.T) {
	b := newBed(t)
	at := b.listen()
	for _, c := range []struct{ by, user, reason, want string }{
		{"guest", "/", "because", "CONNECTION_FORCED - because"},
		{"guest", "/", "", "CONNECTION_FORCED - Closed via management plugin"},
		{"management", "/", "", "CONNECTION_FORCED - Closed via management plugin"},
		{"guest", "/username/management", "all of them", "CONNECTION_FORCED - all of them"},
	} {
		conn := b.dial(at, "management")
		closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
		path := "/api/connections" + c.user
		if c.user == "/" {
			path += url.PathEscape(nameOf(conn))
		}
		req := must[*http.Request](t)(http.NewRequest("DELETE", b.url+path, nil))
		req.SetBasicAuth(c.by, c.by)
		if c.reason != "" {
			req.Header.Set("X-Reason", c.reason)
		}
		if res, body := b.send(req); res.StatusCode != 204 || body != "" {
			t.Fatalf("%s: %d %s", path, res.StatusCode, body)
		}
		if err := <-closed; err == nil || err.Code != 320 || err.Reason != c.want {
			t.Errorf("closed with %v, want 320 %s", err, c.want)
		}
	}
}
