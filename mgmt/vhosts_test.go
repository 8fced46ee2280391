package mgmt

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

func TestVHosts(t *testing.T) {
	const named = "/api/vhosts/lev-v?columns=name,description,tags,metadata,tracing,default_queue_type"
	row := func(description, tags, more, kind string, tracing string) string {
		return `{"name":"lev-v","description":` + description + `,"tags":` + tags + `,"default_queue_type":"` + kind +
			`","metadata":{"description":` + description + `,"tags":` + tags + more + `},"tracing":` + tracing + `}`
	}
	take(t, []step{
		{"GET", "/api/vhosts/lev-v", "", 404, nothingThere, 0},
		{"DELETE", "/api/vhosts/lev-v", "", 404, nothingThere, 0},
		{"PUT", "/api/vhosts/lev-v", `{`, 400, badReason(`"not_json"`), 0},
		{"PUT", "/api/vhosts/lev-v", `{"tracing":"x"}`, 400, badReason(`["not_boolean","x"]`), 0},
		{"PUT", "/api/vhosts/lev-v", `{"tracing":null}`, 400, badReason(`["not_boolean",null]`), 0},
		{"PUT", "/api/vhosts/lev-v", `{"tags":5}`, 400, badReason(`"tags should be a text or a list of texts, actually was 5"`), 500},
		{"GET", "/api/vhosts/lev-v", "", 404, nothingThere, 0},
		{"PUT", "/api/vhosts/lev-v", ``, 201, ``, 0},
		{"GET", named, "", 200, row(`""`, `[]`, "", "undefined", "false"), 0},
		{"GET", "/api/permissions/lev-v/guest", "", 200, `{"user":"guest","vhost":"lev-v","configure":".*","write":".*","read":".*"}`, 0},
		{"PUT", "/api/vhosts/lev-v", `{"description":"d","tags":"a, b"}`, 204, ``, 0},
		{"GET", named, "", 200, row(`"d"`, `["a","b"]`, "", "undefined", "false"), 0},
		{"PUT", "/api/vhosts/lev-v", `{"tags":["x","y"],"tracing":true}`, 204, ``, 0},
		{"GET", named, "", 200, row(`""`, `["x","y"]`, "", "undefined", "true"), 0},
		{"PUT", "/api/vhosts/lev-v", `{"tracing":"false"}`, 204, ``, 0},
		{"GET", named, "", 200, row(`""`, `[]`, "", "undefined", "false"), 0},
		{"GET", "/api/vhosts?columns=name,metadata.tags", "", 200, `~{"metadata":{"tags":[]},"name":"lev-v"}`, 200}, // RabbitMQ shows all metadata
		{"GET", "/api/vhosts?page=1&page_size=1&name=lev-v&columns=name", "", 200, `~"filtered_count":1,"item_count":1,"items":[{"name":"lev-v"}],"page":1,"page_count":1`, 0},
		{"POST", "/api/vhosts/lev-v/start/nowhere", "", 400, badReason(`"Request to node nowhere failed with nodedown"`), 0},
		{"DELETE", "/api/vhosts/lev-v", "", 204, ``, 0},
		{"GET", "/api/permissions/lev-v/guest", "", 404, nothingThere, 0},
	})
}

// What RabbitMQ 3.10 does not know yet.
func TestVHostMetadataOf4(t *testing.T) {
	b := newBed(t)
	for _, s := range []step{
		{"PUT", "/api/vhosts/v", `{"default_queue_type":"nope"}`, 400, badReason(`"default_queue_type 'nope' is not supported: it should be classic or quorum"`), 0},
		{"PUT", "/api/vhosts/v", `{"default_queue_type":"stream"}`, 400, badReason(`"default_queue_type 'stream' is not supported: it should be classic or quorum"`), 0},
		{"GET", "/api/vhosts/v", "", 404, nothingThere, 0},
		{"PUT", "/api/vhosts/v", `{"default_queue_type":"quorum","protected_from_deletion":true}`, 201, ``, 0},
		{"GET", "/api/vhosts/v?columns=default_queue_type,protected_from_deletion,metadata", "", 200,
			`{"default_queue_type":"quorum","protected_from_deletion":true,"metadata":{"description":"","tags":[],"default_queue_type":"quorum","protected_from_deletion":true}}`, 0},
		{"DELETE", "/api/vhosts/v", "", 412, `{"error":"precondition_failed","reason":"Refusing to delete virtual host 'v' because it is protected from deletion"}`, 0},
		{"DELETE", "/api/vhosts/v/deletion/protection", "", 204, ``, 0},
		{"POST", "/api/vhosts/v/deletion/protection", "", 204, ``, 0},
		{"DELETE", "/api/vhosts/v", "", 412, ``, 0},
		{"PUT", "/api/vhosts/v", `{"description":"kept"}`, 204, ``, 0},
		{"GET", "/api/vhosts/v?columns=default_queue_type,protected_from_deletion", "", 200, `{"default_queue_type":"quorum","protected_from_deletion":true}`, 0},
		{"PUT", "/api/vhosts/v", `{"protected_from_deletion":false}`, 204, ``, 0},
		{"POST", "/api/vhosts/v/start/" + b.api.opts.NodeName, "", 204, ``, 0},
		{"DELETE", "/api/vhosts/v", "", 204, ``, 0},
		{"POST", "/api/vhosts/v/deletion/protection", "", 404, ``, 0},
		{"POST", "/api/vhosts/v/start/" + b.api.opts.NodeName, "", 404, ``, 0},
		{"DELETE", "/api/vhosts/%2F", "", 400, badReason(`"vhost '/' cannot be deleted"`), 0},
		{"PUT", "/api/vhosts/a%00b", "", 400, badReason(`"name of vhost must not contain a null character"`), 0},
	} {
		if status, body := b.ask(s.method, s.path, "guest", s.body); status != s.status || s.want != "" && !answers(body, s.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", s.method, s.path, s.body, status, body, s.status, s.want)
		}
	}
}

// The members of a vhost are those of RabbitMQ 3.10, and protected_from_deletion of 4.
func TestVHostMembers(t *testing.T) {
	b := newBed(t)
	var v map[string]json.RawMessage
	b.get("/api/vhosts/%2F", &v)
	want := []string{"cluster_state", "default_queue_type", "description", "messages", "messages_details", "messages_ready",
		"messages_ready_details", "messages_unacknowledged", "messages_unacknowledged_details", "metadata", "name",
		"protected_from_deletion", "recv_oct", "recv_oct_details", "send_oct", "send_oct_details", "tags", "tracing"}
	got := make([]string, 0, len(v))
	for name := range v {
		if name != "message_stats" { // there once there was a message
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("members %q\nwant    %q", got, want)
	}
	var few map[string]json.RawMessage
	b.get("/api/vhosts/%2F?disable_stats=true", &few)
	for _, name := range []string{"messages", "messages_details", "recv_oct", "message_stats"} {
		if few[name] != nil {
			t.Errorf("%s is there, though no numbers were wanted", name)
		}
	}
}

// Who sees which vhosts: monitors all, others those they may log in to.
func TestVisibleVHosts(t *testing.T) {
	b := newBed(t)
	for user, want := range map[string]string{
		"guest":       `[{"name":"/"},{"name":"private"}]`,
		"monitoring":  `[{"name":"/"},{"name":"private"}]`,
		"management":  `[{"name":"/"}]`,
		"policymaker": `[{"name":"/"}]`,
	} {
		if body := b.want(200, "GET", "/api/vhosts?columns=name", user, ""); body != want {
			t.Errorf("%s sees %s", user, body)
		}
	}
}
