package ctl

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

func TestMessages(t *testing.T) {
	const page = `{"messages":[{"id":17,"state":"unacked","age_ms":90500,"exchange":"x","routing_key":"k","payload_bytes":300,"redelivered":true,"payload":"abc","payload_encoding":"string","payload_truncated":true,
	 "owner":{"connection":"10.0.0.1:5 -> h:5672","channel":2,"consumer_tag":"ct"}}`
	for _, c := range []struct {
		args    []string
		answers map[string]answer
		code    int
		want    string // somewhere in what is printed
	}{
		{[]string{"browse", "q", "-s", "--formatter", "table"}, map[string]answer{"GET /leveret/queues/%2F/q/messages?limit=50&truncate=200": {200, page + `]}`}}, 0,
			"17\tunacked\t1m30s\tx\tk\t300\ttrue\t10.0.0.1:5 -> h:5672 (2) ct\tabc…\n"},
		{[]string{"browse", "q", "--limit", "501", "--format", "json", "--payload", "0"}, map[string]answer{
			"GET /leveret/queues/%2F/q/messages?limit=500&truncate=0":            {200, page + `],"next_cursor":"a b"}`},
			"GET /leveret/queues/%2F/q/messages?cursor=a+b&limit=500&truncate=0": {200, `{"messages":[{"id":18}]}`}}, 0, `{"id":18}]`},
		{[]string{"browse", "q", "--header", "a=1", "--header", "b", "--older", "2h", "--state", "ready", "--exchange", "x", "--routing-key", "k", "--match-key", "^k"}, map[string]answer{
			"GET /leveret/queues/%2F/q/messages?age_min_ms=7200000&exchange=x&header=a%3A1&header=b&limit=50&routing_key=k&routing_key_pattern=%5Ek&state=ready&truncate=200": {200, `{"messages":[]}`}}, 0, "id"},
		{[]string{"browse", "q", "--older", "yesterday"}, nil, 64, "--older must be an age"},
		{[]string{"browse", "q", "--limit", "0"}, nil, 64, "--limit must be 1 or more"},
		{[]string{"browse", "q"}, map[string]answer{"GET /leveret/queues/%2F/q/messages?limit=50&truncate=200": {404, ""}}, 69, "Queue not found"},
		{[]string{"move", "q", "--to-queue", "r", "--all"}, map[string]answer{
			`POST /leveret/queues/%2F/q/messages/move {"all":true,"dry_run":false,"to":{"queue":"r"}}`: {200, `{"matched":5,"moved":3,"unroutable":0,"refused":2}`}}, 0,
			"3 of 5 matching messages moved, left: 2 refused\n"},
		{[]string{"copy", "q", "--to-exchange", "x", "--to-key", "", "--id", "17", "--id", "18", "--dry-run", "--limit", "1"}, map[string]answer{
			`POST /leveret/queues/%2F/q/messages/copy {"dry_run":true,"ids":[17,18],"limit":1,"to":{"exchange":"x","routing_key":""}}`: {200, `{"matched":1,"copied":1}`}}, 0, "(nothing was done: --dry-run)"},
		{[]string{"delete_messages", "q", "--header", "n=1", "--header", `s="1"`, "--header", "b=true", "--header", "t=a=b", "--header", "any"}, map[string]answer{
			`POST /leveret/queues/%2F/q/messages/delete {"dry_run":false,"filter":{"headers":{"any":null,"b":true,"n":1,"s":"1","t":"a=b"}}}`: {200, `{"matched":0,"deleted":0}`}}, 0, "0 of 0 matching messages deleted"},
		{[]string{"delete_messages", "q"}, nil, 64, "say which messages"},
		{[]string{"move", "q", "--all"}, nil, 64, "one of --to-queue and --to-exchange"},
		{[]string{"move", "q", "--all", "--to-queue", "a", "--to-exchange", "b"}, nil, 64, "one of --to-queue and --to-exchange"},
		{[]string{"move", "q", "--all", "--to-queue", "a", "--to-key", "b"}, nil, 64, "--to-key goes with --to-exchange"},
		{[]string{"move", "q", "--id", "x", "--to-queue", "a"}, nil, 64, "--id must be the number"},
	} {
		uri, asked := newFake(t, c.answers)
		got := run(uri, c.args...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) || len(asked()) != len(c.answers) {
			t.Errorf("%q: %+v\nasked %q", c.args, got, asked())
		}
	}
}

func TestRedrive(t *testing.T) {
	const running = `{"id":"7","queue":"dlq","state":"running","total":10,"scanned":4}`
	const done = `{"id":"7","queue":"dlq","state":"done","total":10,"scanned":10,"redriven":9,"no_origin":1,"targets":[{"queue":"q","exchange":"","routing_key":"q","messages":9}]}`
	start := func(body string) string { return "POST /leveret/queues/%2F/dlq/redrive " + body }
	for _, c := range []struct {
		args    []string
		answers map[string]answer
		code    int
		want    string
	}{
		{[]string{"redrive", "dlq"}, map[string]answer{start(`{"dry_run":false}`): {202, running}, "GET /leveret/redrives/7": {200, done}}, 0,
			"Redriven 9 of 10 messages, left: 1 no origin (redrive 7, done)\nqueue  exchange  routing_key  messages\nq                q            9\n"},
		{[]string{"redrive", "dlq", "--format", "json"}, map[string]answer{start(`{"dry_run":false}`): {202, done}}, 0, `"redriven":9`},
		{[]string{"redrive", "dlq", "--no-wait", "--dry-run", "--rate", "5", "--limit", "3", "--by", "exchange", "--death", "last", "--to-queue", "lost", "--state", "ready"},
			map[string]answer{start(`{"by":"exchange","death":"last","dry_run":true,"fallback":{"queue":"lost"},"filter":{"state":"ready"},"limit":3,"rate":5}`): {202, running}}, 0, "(redrive 7, running)"},
		{[]string{"redrive", "dlq"}, map[string]answer{start(`{"dry_run":false}`): {202, `{"id":"7","state":"failed","reason":"the disk"}`}}, 69, "redrive 7 is failed: the disk"},
		{[]string{"redrive", "dlq"}, map[string]answer{start(`{"dry_run":false}`): {409, `{"error":"conflict","reason":"one runs"}`}}, 69, "one runs"},
		{[]string{"redrive", "dlq", "--rate", "-1"}, nil, 64, "must not be negative"},
		{[]string{"list_redrives", "-s", "--formatter", "table"}, map[string]answer{"GET /leveret/redrives": {200, "[" + done + "]"}}, 0, "7\t\tdlq\tdone\t"},
		{[]string{"cancel_redrive", "7"}, map[string]answer{"DELETE /leveret/redrives/7": {204, ""}}, 0, ""},
		{[]string{"cancel_redrive", "8"}, map[string]answer{"DELETE /leveret/redrives/8": {404, ""}}, 69, "there is no redrive 8"},
	} {
		uri, asked := newFake(t, c.answers)
		got := run(uri, c.args...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) || len(asked()) != len(c.answers) {
			t.Errorf("%q: %+v\nasked %q", c.args, got, asked())
		}
	}
}

func TestScheduledAndPlans(t *testing.T) {
	const scheduled = "GET /leveret/exchanges/%2F/later/scheduled?limit="
	for _, c := range []struct {
		args    []string
		answers map[string]answer
		code    int
		want    string
	}{
		{[]string{"scheduled", "list", "later", "-s", "--formatter", "table"}, map[string]answer{
			scheduled + "50&offset=0&truncate=200": {200, `{"total":1,"messages":[{"id":3,"due":"2026-01-01T00:00:00Z","routing_key":"k","payload_bytes":1,"payload":"eA==","payload_encoding":"base64"}]}`},
			scheduled + "49&offset=1&truncate=200": {200, `{"total":1,"messages":[]}`}}, 0, "3\t2026-01-01T00:00:00Z\tk\t1\tbase64:eA==\n"},
		{[]string{"scheduled", "list", "later"}, map[string]answer{scheduled + "50&offset=0&truncate=200": {404, ""}}, 69, "no exchange 'later' in vhost '/' that delays"},
		{[]string{"scheduled", "cancel", "later", "3", "4"}, map[string]answer{
			"DELETE /leveret/exchanges/%2F/later/scheduled/3": {204, ""}, "DELETE /leveret/exchanges/%2F/later/scheduled/4": {404, ""}}, 69, "message 4 is not there any more"},
		{[]string{"scheduled", "cancel", "later", "3", "x"}, nil, 64, `"x" is not the id`},
		{[]string{"scheduled", "drop", "later"}, nil, 64, "scheduled takes list"},
		{[]string{"routes", "", "k", "-s", "--formatter", "table", "--header", "a=1"}, map[string]answer{
			`POST /leveret/exchanges/%2F/amq.default/reach {"headers":{"a":1},"routing_key":"k"}`: {200, `{"routed":true,"queues":[{"name":"q","via":[{"exchange":"","binding_key":"k"},{"exchange":"y","binding_key":"#","alternate":true}]}]}`}}, 0,
			"q\t(default) [k] > y [#] (alternate)\n"},
		{[]string{"routes", "x", "k"}, map[string]answer{`POST /leveret/exchanges/%2F/x/reach {"routing_key":"k"}`: {200, `{"routed":false,"queues":[]}`}}, 0, "No queue would get it."},
		{[]string{"policy_dry_run", "p", "^q", `{"max-length":5}`, "--priority", "2", "--apply-to", "queues", "-s", "--formatter", "table"}, map[string]answer{
			`POST /leveret/policies/%2F/p/dry-run {"apply-to":"queues","definition":{"max-length":5},"pattern":"^q","priority":2}`: {200,
				`{"changes":[{"kind":"queue","name":"q","policy":{"before":null,"after":"p"},"operator_policy":{"before":"o","after":"o"},"definition":{"before":{},"after":{"max-length":5}}}],"unchanged":3,"matched":4}`}}, 0,
			"queue\tq\tnone -> p\to\t{} -> {\"max-length\":5}\n"},
		{[]string{"policy_dry_run", "p", "--delete", "--operator", "--format", "json"}, map[string]answer{
			`POST /leveret/operator-policies/%2F/p/dry-run {"delete":true}`: {200, `{"changes":[],"unchanged":0,"matched":0}`}}, 0, `{"changes":[],"unchanged":0,"matched":0}`},
		{[]string{"policy_dry_run", "p", "^q"}, nil, 64, "takes a name, a pattern and a definition"},
	} {
		uri, asked := newFake(t, c.answers)
		got := run(uri, c.args...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) || len(asked()) != len(c.answers) {
			t.Errorf("%q: %+v\nasked %q", c.args, got, asked())
		}
	}
}

func TestBackup(t *testing.T) {
	content := strings.Repeat("backup ", 100_000)
	var cut atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, content)
		w.(http.Flusher).Flush()
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "b")
	if got := run(srv.URL, "backup", file); got.code != 0 || got.stdout != fmt.Sprintf("Wrote %d bytes to %s\n", len(content), file) {
		t.Errorf("%+v", got)
	}
	if got := run(srv.URL, "backup", "-"); got.code != 0 || got.stdout != content {
		t.Errorf("%d bytes, %d, %s", len(got.stdout), got.code, got.stderr)
	}
	checkFile(t, file, content)
	cut.Store(true)
	if got := run(srv.URL, "backup", file); got.code != 69 || !strings.Contains(got.stderr, "the backup was cut off") {
		t.Errorf("%+v", got)
	}
	checkFile(t, file, content) // the old one stays
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("files left: %v", files)
	}
	if got := run(srv.URL, "backup", filepath.Join(dir, "none", "b")); got.code != 65 {
		t.Errorf("%+v", got)
	}
}

func checkFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s: %d bytes, want %d; %v", file, len(got), len(want), err)
	}
	if info, err := os.Stat(file); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("%s: %v %v", file, info.Mode(), err)
	}
}

// TestDefinitions exports from one broker and imports into another.
func TestDefinitions(t *testing.T) {
	from, to := newBroker(t), newBroker(t)
	prepare(t, from)
	file := filepath.Join(t.TempDir(), "d.json")
	if got := run(from, "export_definitions", file, "--format", "json"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	got := run(to, "import_definitions", file)
	if got.code != 0 || !strings.Contains(got.stdout, "definitions") || !strings.Contains(got.stdout, "queues") {
		t.Fatalf("%+v", got)
	}
	one, other := probe(from, "export_definitions", "-"), probe(to, "export_definitions", "-")
	if one.code != 0 || one.stdout != other.stdout {
		t.Errorf("%s\nand\n%s", one.stdout, other.stdout)
	}
	if got := run(to, "-p", "lev_ctl", "export_definitions", "-"); got.code != 0 || strings.Contains(got.stdout, `"users"`) || !strings.Contains(got.stdout, "orders") {
		t.Errorf("of one vhost: %+v", got)
	}
	for content, code := range map[string]int{"{": 65, "[]": 65, `{"queues":[{"name":1}]}`: 69} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := run(to, "import_definitions", file); got.code != code {
			t.Errorf("%s: %+v", content, got)
		}
	}
}

// TestProgress: a bar is drawn on a terminal, never among answers, and goes again.
func TestProgress(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) }))
	defer srv.Close()
	for _, terminal := range []bool{true, false} {
		for _, quiet := range []bool{true, false} {
			var out, errs bytes.Buffer
			env := Env{Stdout: &out, Stderr: &errs, Lookup: only("LEVERET_CTL_URI", srv.URL), Terminal: func() bool { return terminal }}
			args := []string{"backup", "-"}
			if quiet {
				args = append(args, "-q")
			}
			if code := execute(t0, env, own, args); code != 0 || out.Len() != 1<<20 {
				t.Errorf("%d, %d bytes", code, out.Len())
			}
			if drawn := strings.Contains(errs.String(), "backing up"); drawn != (terminal && !quiet) {
				t.Errorf("terminal %v, quiet %v: %q", terminal, quiet, errs.String())
			}
		}
	}
}

// TestStatus asks a Leveret for all that is told of it.
func TestStatus(t *testing.T) {
	uri := newBroker(t)
	for args, wants := range map[string][]string{
		"status":                         {"Runtime", "Product: Leveret", "Node name: leveret@test", "Queue count: 0", "Virtual host count: 1", "Listeners", "port: 5673"},
		"status --format json":           {`"product_name":"Leveret"`, `"virtual_host_count":1`, `"is_under_maintenance":false`},
		"status --unit parsecs":          {"unit 'parsecs' not supported"},
		"cluster_status":                 {"Cluster name:", "leveret@test", "Leveret"},
		"memory_breakdown --unit mb":     {" mb ("},
		"memory_breakdown --format json": {`"percentage":`},
		"report":                         {"=== status", "=== list_queues", "=== list_global_parameters"},
		"list_node_auth_attempt_stats":   {"auth_attempts_failed"},
		"list_feature_flags":             {"enabled"},
		"enable_feature_flag all":        {"Enabling all"},
		"set_cluster_name rabbits":       {"Setting cluster name to rabbits"},
		"list_queues --all":              {"vhost"},
	} {
		got := run(uri, strings.Fields(args)...)
		for _, want := range wants {
			if !strings.Contains(got.stdout+got.stderr, want) {
				t.Errorf("%s has no %q: %+v", args, want, got)
			}
		}
		if wrong := strings.Contains(args, "parsecs"); (got.code != 0) != wrong {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// TestOfOthers: what only Leveret can do is refused in a sentence by RabbitMQ.
func TestOfOthers(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	for _, line := range []string{"browse q", "move q --to-queue r --all", "redrive q", "list_redrives", "cancel_redrive 1", "scheduled list x", "scheduled cancel x 1",
		"routes x k", "policy_dry_run p --delete", "backup -"} {
		got := run(srv.URL, strings.Fields(line)...)
		if got.code != 69 || !strings.Contains(got.stderr, "not supported by this broker") || got.stdout != "" && !strings.Contains(line, "cancel") {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for body, want := range map[string]string{
		`{"amqp-listen":{"value":":5672","from":"default"},"limit":3}`: "amqp-listen\t{\"from\":\"default\",\"value\":\":5672\"}\nlimit\t3\n",
		`[{"name":"a","value":1,"source":"flag"}]`:                     "a\t1\tflag\n",
	} {
		uri, _ := newFake(t, map[string]answer{"GET /config/effective": {200, body}})
		if got := run(uri, "environment", "-s", "--formatter", "table"); got.stdout != want || got.code != 0 {
			t.Errorf("%s: %+v", body, got)
		}
	}
}
