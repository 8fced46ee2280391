package mgmt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/queue"
)

// deadLetters puts messages into the queue dead that were rejected in the queue work.
func (d *described) deadLetters(n int) {
	d.t.Helper()
	d.bed.want(201, "PUT", "/api/queues/%2F/dead", "guest", `{}`)
	d.bed.want(201, "PUT", "/api/queues/%2F/work", "guest", `{"arguments":{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"dead"}}`)
	for i := range n {
		d.publish("work", `{}`, fmt.Sprint(i))
	}
	d.bed.want(200, "POST", "/api/queues/%2F/work/get", "guest", fmt.Sprintf(`{"count":%d,"ackmode":"reject_requeue_false","encoding":"auto"}`, n))
}

type jobAnswer struct {
	ID, State       string
	Redriven, Total int
	NoOrigin        int `json:"no_origin"`
	Targets         []struct {
		Queue, Exchange string
		Messages        int
	}
}

// redrive starts a job.
func (d *described) redrive(body string) (j jobAnswer) {
	d.t.Helper()
	text := d.want(202, "POST", "/api/leveret/queues/%2F/dead/redrive", "guest", body)
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		d.t.Fatal(err)
	}
	return j
}

// job looks at a job.
func (d *described) job(id string) (j jobAnswer) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.want(200, "GET", "/api/leveret/redrives/"+id, "guest", "")), &j); err != nil {
		d.t.Fatal(err)
	}
	return j
}

// ended waits for the end of a job, in a bubble.
func (d *described) ended(id string) jobAnswer {
	for range 1000 {
		if j := d.job(id); j.State != "running" {
			return j
		}
		<-time.After(time.Second)
		synctest.Wait()
	}
	d.t.Fatal("the job does not end")
	return jobAnswer{}
}

func TestRedriveJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDescribed(t, newQuietBed(t))
		d.deadLetters(30)
		j := d.ended(d.redrive(`{"dry_run":true}`).ID)
		if j.State != "done" || j.Redriven != 30 || j.Total != 30 || len(j.Targets) != 1 || j.Targets[0].Queue != "work" || j.Targets[0].Messages != 30 {
			t.Errorf("dry run: %+v", j)
		}
		slow := d.redrive(`{"rate":1,"limit":10}`)
		if text := d.want(409, "POST", "/api/leveret/queues/%2F/dead/redrive", "guest", `{}`); !strings.Contains(text, "is running") {
			t.Errorf("a second job: %s", text)
		}
		<-time.After(3500 * time.Millisecond)
		synctest.Wait()
		if j = d.job(slow.ID); j.State != "running" || j.Redriven < 3 || j.Redriven > 5 {
			t.Errorf("after 3.5 s: %+v", j)
		}
		if status, _ := d.ask("DELETE", "/api/leveret/redrives/"+slow.ID, "management", ""); status != 401 {
			t.Errorf("another user cancels: %d", status)
		}
		d.want(204, "DELETE", "/api/leveret/redrives/"+slow.ID, "guest", "")
		if j = d.ended(slow.ID); j.State != "cancelled" {
			t.Errorf("cancelled: %+v", j)
		}
		all := d.ended(d.redrive(`{}`).ID)
		if all.State != "done" || all.Redriven+j.Redriven != 30 {
			t.Errorf("the rest: %+v after %+v", all, j)
		}
		var list []jobAnswer
		if err := json.Unmarshal([]byte(d.want(200, "GET", "/api/leveret/redrives", "guest", "")), &list); err != nil || len(list) != 3 || list[0].ID != all.ID {
			t.Errorf("the list: %+v, %v", list, err)
		}
		d.want(204, "DELETE", "/api/leveret/redrives/"+all.ID, "guest", "")
		d.want(404, "GET", "/api/leveret/redrives/"+all.ID, "guest", "")
	})
}

// TestRedriveRights: who may not write to an exchange redrives nothing to it.
func TestRedriveRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDescribed(t, newQuietBed(t))
		d.deadLetters(2)
		perms := auth.Permissions{Read: "dead", Write: "^amq.topic$"}
		if err := d.server.VHosts().SetPermissions("management", "/", perms); err != nil {
			t.Fatal(err)
		}
		const path = "/api/leveret/queues/%2F/dead/"
		for _, c := range []struct{ path, body string }{
			{path + "redrive", `{}`},
			{path + "redrive", `{"by":"exchange","fallback":{"queue":"dead"}}`},
			{path + "messages/move", `{"all":true,"to":{"queue":"dead"}}`},
			{path + "messages/copy", `{"all":true,"to":{"exchange":"amq.direct"}}`},
			{"/api/leveret/queues/%2F/work/messages/delete", `{"all":true}`},
		} {
			d.want(401, "POST", c.path, "management", c.body)
		}
		d.want(401, "GET", "/api/leveret/queues/%2F/work/messages", "management", "")
		d.want(200, "GET", path+"messages", "management", "")
		text := d.want(202, "POST", path+"redrive", "management", `{"by":"exchange"}`)
		var j jobAnswer
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			t.Fatal(err)
		}
		d.ended(j.ID)
		if text := d.want(200, "GET", "/api/leveret/redrives/"+j.ID, "management", ""); !strings.Contains(text, `"forbidden":2`) {
			t.Errorf("%s", text)
		}
	})
}

func TestScheduled(t *testing.T) {
	d := filled(t, 0)
	d.bed.want(201, "PUT", "/api/exchanges/%2F/delayed", "guest", `{"type":"x-delayed-message","arguments":{"x-delayed-type":"direct"}}`)
	for i := range 3 {
		d.bed.want(200, "POST", "/api/exchanges/%2F/delayed/publish", "guest",
			fmt.Sprintf(`{"routing_key":"q","properties":{"headers":{"x-delay":%d}},"payload":"%d","payload_encoding":"string"}`, 1000000*(3-i), i))
	}
	const path = "/api/leveret/exchanges/%2F/delayed/scheduled"
	var a struct {
		Total    int
		Messages []struct {
			ID      uint64
			Payload string
			Due     time.Time
		}
	}
	if err := json.Unmarshal([]byte(d.want(200, "GET", path+"?limit=2", "guest", "")), &a); err != nil {
		t.Fatal(err)
	}
	if a.Total != 3 || len(a.Messages) != 2 || a.Messages[0].Payload != "2" || time.Until(a.Messages[0].Due) < 900*time.Second {
		t.Fatalf("%+v", a)
	}
	d.want(204, "DELETE", fmt.Sprintf("%s/%d", path, a.Messages[0].ID), "guest", "")
	d.want(404, "DELETE", fmt.Sprintf("%s/%d", path, a.Messages[0].ID), "guest", "")
	if text := d.want(200, "GET", path, "guest", ""); !strings.Contains(text, `"total":2`) {
		t.Errorf("%s", text)
	}
}

func TestReachAndDryRun(t *testing.T) {
	d := filled(t, 0)
	d.bed.want(201, "POST", "/api/bindings/%2F/e/amq.topic/q/q", "guest", `{"routing_key":"eu.#"}`)
	d.bed.want(201, "POST", "/api/bindings/%2F/e/amq.headers/q/other", "guest", `{"arguments":{"x-match":"all","n":1}}`)
	for _, c := range []struct{ exchange, body, want string }{
		{"amq.topic", `{"routing_key":"eu.de"}`, `{"routed":true,"queues":[{"name":"q","via":[{"exchange":"amq.topic","alternate":false,"binding_key":"eu.#","arguments":{}}]}],"held_by":[]}`},
		{"amq.topic", `{"routing_key":"us"}`, `{"routed":false,"queues":[],"held_by":[]}`},
		{"amq.headers", `{"headers":{"n":1}}`, `"name":"other"`},
		{"amq.headers", `{"properties":{"headers":{"n":1}}}`, `"name":"other"`},
		{"amq.default", `{"routing_key":"q"}`, `"name":"q"`},
		{"amq.default", `{"headers":{"CC":["q"]}}`, `"name":"q"`},
	} {
		if got := d.want(200, "POST", "/api/leveret/exchanges/%2F/"+c.exchange+"/reach", "guest", c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s, want %s", c.exchange, c.body, got, c.want)
		}
	}
	const policy = `{"pattern":"^q$","definition":{"max-length":5},"apply-to":"queues"}`
	change := `{"changes":[{"kind":"queue","name":"q","type":"classic","policy":{"before":null,"after":"p"},"operator_policy":{"before":null,"after":null},` +
		`"definition":{"before":{},"after":{"max-length":5}}}],"matched":1,`
	if got := d.want(200, "POST", "/api/leveret/policies/%2F/p/dry-run", "guest", policy); !strings.HasPrefix(got, change) {
		t.Errorf("dry run: %s", got)
	}
	if got := d.want(200, "POST", "/api/leveret/operator-policies/%2F/p/dry-run", "guest", policy); !strings.Contains(got, `"operator_policy":{"before":null,"after":"p"}`) {
		t.Errorf("dry run: %s", got)
	}
	d.bed.want(404, "GET", "/api/policies/%2F/p", "guest", "")
	d.bed.want(201, "PUT", "/api/policies/%2F/p", "guest", policy)
	if got := d.want(200, "POST", "/api/leveret/policies/%2F/p/dry-run", "guest", `{"delete":true}`); !strings.Contains(got, `"policy":{"before":"p","after":null}`) {
		t.Errorf("dry run of the end: %s", got)
	}
	d.bed.want(200, "GET", "/api/policies/%2F/p", "guest", "")
}

// backedStore is a store with something to back up.
type backedStore struct {
	persistence.Store
	write func(w io.Writer) error
}

func (s *backedStore) Backup(w io.Writer) error { return s.write(w) }

// TestBackup streams what the store writes, one at a time; what fails in the middle ends
// without its end.
func TestBackup(t *testing.T) {
	store := &backedStore{Store: memory.New()}
	s, err := server.Open(server.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	api := New(s, Options{NodeName: "leveret@te/st"})
	srv := httptest.NewServer(api)
	b := &bed{t: t, server: s, api: api, url: srv.URL}
	t.Cleanup(func() {
		srv.Close()
		api.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b.addUsers()
	d := newDescribed(t, b)
	content := bytes.Repeat([]byte("backup"), 100_000)
	store.write = func(w io.Writer) error {
		if status, text := d.ask("GET", "/api/leveret/backup", "guest", ""); status != 409 {
			t.Errorf("a second backup: %d %s", status, text)
		}
		_, err := w.Write(content)
		return err
	}
	res, text := d.do("GET", "/api/leveret/backup", "guest", "")
	if res.StatusCode != 200 || text != string(content) {
		t.Errorf("%d, %d bytes", res.StatusCode, len(text))
	}
	if name := res.Header.Get("Content-Disposition"); !strings.HasPrefix(name, `attachment; filename="leveret-leveret@te_st-`) || filepath.Ext(strings.Trim(name, `"`)) != ".backup" {
		t.Errorf("Content-Disposition %s", name)
	}
	store.write = func(w io.Writer) error {
		_, _ = w.Write(content)
		return persistence.ErrClosed
	}
	req, _ := http.NewRequest("GET", srv.URL+"/api/leveret/backup", nil)
	req.SetBasicAuth("guest", "guest")
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a backup that failed ends well, after %d bytes", len(got))
	}
	store.write = func(io.Writer) error { return persistence.ErrClosed }
	d.want(401, "GET", "/api/leveret/backup", "monitoring", "")
	if status, _ := d.ask("GET", "/api/leveret/backup", "guest", ""); status != 500 {
		t.Errorf("a backup that does not begin: %d", status)
	}
}

// FuzzFilter: whatever is sent for a filter, it is refused or can be used.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{`{}`, `{"headers":{"a":1,"b":null,"c":1e999}}`, `{"properties":{"type":"x","priority":3}}`, `{"routing_key_pattern":"(a*)*"}`,
		`{"state":"ready,unacked"}`, `{"age_min_ms":9223372036854775807}`, `{"priority_min":-1}`} {
		f.Add(s, "header=a:1&priority_min=3&property=type:x&state=ready")
	}
	f.Fuzz(func(t *testing.T, body, query string) {
		req := httptest.NewRequest("POST", "/", strings.NewReader(body))
		req.URL.RawQuery = query
		r := &request{Request: req}
		var b filterBody
		if err := r.strictly(&b); err == nil {
			if f, err := b.filter(); err == nil {
				use(f)
			} else if no := refusalOf(err); no.status != 400 {
				t.Errorf("%s: %v", body, err)
			}
		}
		b2, err := browsingOf(r)
		if err == nil {
			use(b2.filter)
		} else if no := refusalOf(err); no.status != 400 {
			t.Errorf("%s: %v", query, err)
		}
	})
}

// use asks a filter about a message.
func use(f vhost.Filter) {
	m := amqp.NewMessage("x", []byte("key"), nil, 0)
	f.Pick(&queue.Browsed{ID: 1}, time.Now())
	f.Match(m)
}
