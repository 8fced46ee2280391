package ctl

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// record makes the answers of the API anew, and where we differ, by asking the broker
// that it names:
//
//	go test -run Transcript -record http://127.0.0.1:15672
//
// The broker must be as it was when transcript.txt was made.
var record = flag.String("record", "", "URI of a RabbitMQ to record from")

const (
	transcriptFile = "testdata/transcript.txt"
	answersFile    = "testdata/answers.json"
)

// entry is a command of the transcript: what RabbitMQ's tool made of it and, if we
// differ, what we do.
type entry struct {
	comments     []string
	args         []string
	theirs, ours outcome // ours is zero if we do not differ
}

type outcome struct {
	code           string
	stdout, stderr []string
}

func (o outcome) String() string {
	return fmt.Sprintf("= %s\n| %s\n! %s", o.code, strings.Join(o.stdout, "\n| "), strings.Join(o.stderr, "\n! "))
}

// same compares outcomes. RabbitMQ lists in no order.
func (o outcome) same(other outcome) bool {
	sorted := func(lines []string) []string {
		lines = slices.Clone(lines)
		for i := range lines {
			// An array has its commas before all elements but the first.
			lines[i] = strings.TrimPrefix(lines[i], ",{")
			lines[i] = strings.TrimPrefix(lines[i], "{")
		}
		return slices.Sorted(slices.Values(lines))
	}
	return o.code == other.code && slices.Equal(sorted(o.stdout), sorted(other.stdout)) && slices.Equal(o.stderr, other.stderr)
}

// readTranscript reads the file: a command is a line of "$", then come its exit code
// after "=", its output after "|" and its errors after "!". Ours have the sign twice.
func readTranscript(t *testing.T) (entries []entry) {
	content, err := os.ReadFile(transcriptFile)
	if err != nil {
		t.Fatal(err)
	}
	var comments []string
	for line := range strings.Lines(string(content)) {
		sign, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if sign == "#" {
			comments = append(comments, rest)
			continue
		}
		if sign == "$" {
			e := entry{comments: comments}
			if err := json.Unmarshal([]byte(rest), &e.args); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			entries, comments = append(entries, e), nil
			continue
		}
		e := &entries[len(entries)-1]
		o := &e.theirs
		if len(sign) == 2 {
			o = &e.ours
		}
		switch sign[0] {
		case '=':
			o.code = rest
		case '|':
			o.stdout = append(o.stdout, rest)
		case '!':
			o.stderr = append(o.stderr, rest)
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return entries
}

func writeTranscript(t *testing.T, entries []entry) {
	var b strings.Builder
	lines := func(sign string, lines []string) {
		for _, l := range lines {
			b.WriteString(strings.TrimRight(sign+" "+l, " ") + "\n")
		}
	}
	for _, e := range entries {
		args, err := compact(e.args)
		if err != nil {
			t.Fatal(err)
		}
		lines("#", e.comments)
		lines("$", []string{string(args)})
		lines("=", []string{e.theirs.code})
		lines("|", e.theirs.stdout)
		lines("!", e.theirs.stderr)
		if e.ours.code != "" {
			lines("==", []string{e.ours.code})
			lines("||", e.ours.stdout)
			lines("!!", e.ours.stderr)
		}
	}
	if err := os.WriteFile(transcriptFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// exchange is a request and what RabbitMQ's API answered.
type exchange struct {
	Method   string `json:"method"`
	Path     string `json:"path"`
	Request  string `json:"request,omitempty"`
	Login    string `json:"login,omitempty"`
	Status   int    `json:"status"`
	Response string `json:"response,omitempty"`
}

func requestOf(r *http.Request) exchange {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	user, _, _ := r.BasicAuth()
	return exchange{Method: r.Method, Path: r.URL.RequestURI(), Request: strings.TrimSpace(string(body)), Login: user}
}

// outcomeOf carries out a command with a URI of the API.
func outcomeOf(args []string, uri string) outcome {
	var stdout, stderr bytes.Buffer
	code := RunAlias(Env{Stdout: &stdout, Stderr: &stderr, Lookup: func(name string) (string, bool) {
		return map[string]string{"LEVERET_CTL_URI": uri}[name], name == "LEVERET_CTL_URI"
	}}, args)
	// The usage is ours.
	complaint, _, _ := strings.Cut(stderr.String(), "\n\nUsage\n")
	return outcome{strconv.Itoa(code), linesOf(stdout.String()), linesOf(complaint)}
}

func linesOf(s string) (lines []string) {
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		lines = append(lines, strings.TrimRight(line, " \t\r"))
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}

// TestTranscript holds what we print against what rabbitmqctl printed, the API's
// answers being those of the same RabbitMQ.
func TestTranscript(t *testing.T) {
	entries := readTranscript(t)
	if *record != "" {
		recordTranscript(t, entries)
		return
	}
	content, err := os.ReadFile(answersFile)
	if err != nil {
		t.Fatal(err)
	}
	var answers [][]exchange
	if err := json.Unmarshal(content, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(entries) {
		t.Fatalf("%d commands and answers for %d", len(entries), len(answers))
	}
	for i, e := range entries {
		t.Run(fmt.Sprintf("%d_%s", i, strings.Join(e.args[3:], "_")), func(t *testing.T) {
			left := answers[i]
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got := requestOf(r)
				if len(left) == 0 {
					t.Errorf("asks %+v and should ask no more", got)
					w.WriteHeader(http.StatusTeapot)
					return
				}
				want := left[0]
				got.Status, got.Response = want.Status, want.Response
				if got != want {
					t.Errorf("asks\n%+v and should ask\n%+v", got, want)
				}
				left = left[1:]
				w.WriteHeader(want.Status)
				io.WriteString(w, want.Response)
			}))
			defer api.Close()
			want := e.theirs
			if e.ours.code != "" {
				want = e.ours
			}
			if got := outcomeOf(e.args, api.URL); !got.same(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if len(left) > 0 {
				t.Errorf("did not ask %+v", left)
			}
		})
	}
}

func recordTranscript(t *testing.T, entries []entry) {
	target, err := url.Parse(*record)
	if err != nil {
		t.Fatal(err)
	}
	var seen []exchange
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // so that answers are text
		},
		ModifyResponse: func(res *http.Response) error {
			body, err := io.ReadAll(res.Body)
			res.Body = io.NopCloser(bytes.NewReader(body))
			last := &seen[len(seen)-1]
			last.Status, last.Response = res.StatusCode, string(body)
			return err
		},
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, requestOf(r))
		proxy.ServeHTTP(w, r)
	}))
	defer api.Close()
	var answers [][]exchange
	for i := range entries {
		e := &entries[i]
		seen = []exchange{}
		got := outcomeOf(e.args, api.URL)
		answers = append(answers, seen)
		e.ours = outcome{}
		if !got.same(e.theirs) {
			e.ours = got
			t.Logf("%q\n%s\nbut RabbitMQ\n%s", e.args[3:], got, e.theirs)
		}
	}
	writeTranscript(t, entries)
	content, err := json.MarshalIndent(answers, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(answersFile, append(content, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
