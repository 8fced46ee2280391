package mgmt

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/mgmt/definitions"
)

func TestDefinitions(t *testing.T) {
	const queues = `{"queues":[{"name":"lev-q","vhost":"lev-v","durable":true,"auto_delete":false,"arguments":{}}]}`
	take(t, []step{
		{"POST", "/api/definitions", `{`, 400, badReason(`"failed_to_parse_json"`), 0},
		{"POST", "/api/definitions", `[]`, 400, badReason(`"failed_to_parse_json"`), 0},
		{"POST", "/api/definitions", `{"queues":5}`, 400, badReason(`"queues should be a list, actually was 5"`), 500},
		{"POST", "/api/definitions", `{"zzz":[5]}`, 204, ``, 0},
		{"POST", "/api/definitions", queues, 400, badReason(`"queue 'lev-q' in vhost 'lev-v': no vhost 'lev-v'"`), 400},
		{"POST", "/api/definitions/lev-v", queues, 404, `{"error":"not_found","reason":"vhost_not_found"}`, 0},
		{"GET", "/api/definitions/lev-v", "", 400, badReason(`"vhost_not_found"`), 0},
		{"POST", "/api/definitions", `{"vhosts":[{"name":"lev-v"}],` + queues[1:], 204, ``, 0},
		{"POST", "/api/definitions/lev-v", `{"users":[{"name":"lev-u","tags":""}],"queues":[{"name":"lev-2","durable":true,"auto_delete":false,"arguments":{"x-message-ttl":5}}]}`, 204, ``, 0},
		{"GET", "/api/users/lev-u", "", 404, nothingThere, 0},
		{"POST", "/api/definitions/lev-v", `{"queues":[{"name":"lev-3","durable":true,"auto_delete":false,"arguments":{"x-message-ttl":"no"}}]}`, 400,
			badReason(`"precondition_failed: invalid arg 'x-message-ttl' for queue 'lev-3' in vhost 'lev-v': \"expected integer, got longstr\""`), 0},
		{"GET", "/api/definitions", "", 200, `~"global_parameters":[`, 0},
		{"GET", "/api/all-configuration", "", 200, `~"topic_permissions":[`, 0},
		{"GET", "/api/definitions/lev-v", "", 200, `~"arguments":{"x-message-ttl":5}`, 0},
		{"POST", "/api/all-configuration", `{}`, 204, ``, 0},
		{"PUT", "/api/definitions", `{}`, 405, ``, 0},
		{"DELETE", "/api/vhosts/lev-v", "", 204, ``, 0},
	})
}

// postForm posts a form with these fields, in pairs.
func postForm(t *testing.T, b *bed, path string, fields ...string) *http.Response {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		part, err := form.CreateFormFile(fields[i], "x.json")
		if err == nil {
			_, err = io.WriteString(part, fields[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	form.Close()
	req, err := http.NewRequest("POST", b.url+path, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.SetBasicAuth("guest", "guest")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestDefinitionsByForm(t *testing.T) {
	b := newBed(t)
	const file = `{"vhosts":[{"name":"v"}]}`
	if res := postForm(t, b, "/api/definitions", "other", "x", "file", file); res.StatusCode != 204 {
		t.Errorf("status %d", res.StatusCode)
	}
	b.want(200, "GET", "/api/vhosts/v", "guest", "")
	res := postForm(t, b, "/api/definitions", "file", file, "redirect", "../#/import-succeeded")
	if res.StatusCode != 303 || res.Header.Get("Location") != "../#/import-succeeded" {
		t.Errorf("status %d, location %q", res.StatusCode, res.Header.Get("Location"))
	}
	for _, fields := range [][]string{{"other", file}, {}, {"file", "{"}} {
		if res := postForm(t, b, "/api/definitions", fields...); res.StatusCode != 400 {
			t.Errorf("%q: status %d", fields, res.StatusCode)
		}
	}
	for kind, want := range map[string]int{"": 204, "text/plain": 415, "multipart/form-data": 400, "multipart/form-data; boundary=x": 400, "application/json; charset=utf-8": 204} {
		req, err := http.NewRequest("POST", b.url+"/api/definitions", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("guest", "guest")
		req.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("content type %q: status %d, want %d", kind, res.StatusCode, want)
		}
	}
}

func TestDefinitionsDownload(t *testing.T) {
	b := newBed(t)
	for path, want := range map[string]string{
		"/api/definitions":                       "",
		"/api/definitions?download=rabbit.json":  "attachment; filename=rabbit.json",
		"/api/definitions/%2F?download=a%20b":    `attachment; filename="a b"`,
		"/api/definitions?download=a%0D%0Ab%3A1": "attachment; filename*=utf-8''a%0D%0Ab%3A1",
	} {
		res, _ := b.do("GET", path, "guest", "")
		if got := res.Header.Get("Content-Disposition"); res.StatusCode != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", path, res.StatusCode, got, want)
		}
	}
}

func TestDefinitionsReportAndUnsupported(t *testing.T) {
	b := newBed(t)
	data, err := os.ReadFile("../testdata/definitions/rabbitmq-4.json")
	if err != nil {
		t.Fatal(err)
	}
	if body := b.want(400, "POST", "/api/definitions", "guest", string(data)); !strings.Contains(body, "not supported: ") || !strings.Contains(body, "component shovel") {
		t.Errorf("refused with %s", body)
	}
	b.want(404, "GET", "/api/vhosts/shop", "guest", "")
	var rep definitions.Report
	body := b.want(200, "POST", "/api/definitions?skip_unsupported=true&report=true", "guest", string(data))
	if err := json.Unmarshal([]byte(body), &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Queues != (definitions.Count{Created: 2}) || rep.VHosts.Created != 1 || len(rep.Skipped) != 6 {
		t.Errorf("report %s", body)
	}
}

// What the API exports it imports again, on an empty broker, and exports the same.
func TestDefinitionsRoundTrip(t *testing.T) {
	data, err := os.ReadFile("../testdata/definitions/rabbitmq-3.10.json")
	if err != nil {
		t.Fatal(err)
	}
	from, to := newBed(t), newBed(t)
	from.want(204, "POST", "/api/definitions", "guest", string(data))
	first := from.want(200, "GET", "/api/definitions", "guest", "")
	to.want(204, "POST", "/api/definitions", "guest", first)
	if second := to.want(200, "GET", "/api/definitions", "guest", ""); !reflect.DeepEqual(decoded(t, second), decoded(t, first)) {
		t.Errorf("went out:\n%s\ncame back:\n%s", first, second)
	}
}

func decoded(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
