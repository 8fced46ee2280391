package packaging

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"
)

// program is where the program is built.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "leveret")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "leveret")
	m.Run()
	os.RemoveAll(dir)
}

var build = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", program, "github.com/leveretmq/leveret/cmd/leveret").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

// leveret runs the program.
func leveret(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	return string(out), err
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// instructions are what a Dockerfile may say.
var instructions = []string{"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD"}

func TestDockerfile(t *testing.T) {
	help, err := leveret(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]string{}
	for line := range strings.Lines(read(t, "Dockerfile")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if !slices.Contains(instructions, word) {
			t.Errorf("%q is no instruction", line)
		}
		if len(seen) == 0 && word != "FROM" {
			t.Errorf("it begins with %q", line)
		}
		seen[word] = append(seen[word], rest)
	}
	last := func(word string) string {
		if len(seen[word]) == 0 {
			t.Fatalf("there is no %s", word)
		}
		return seen[word][len(seen[word])-1]
	}
	if last("FROM") != "scratch" || last("USER") != "65532:65532" {
		t.Errorf("it ends from %q as %q, want scratch and a user who is not root", last("FROM"), last("USER"))
	}
	for _, m := range regexp.MustCompile(`((?:LEVERET|RABBITMQ)_\w+)=(\S+)`).FindAllStringSubmatch(last("ENV"), -1) {
		if !strings.Contains(help, "$"+m[1]) {
			t.Errorf("the program does not know %s", m[1])
		}
		if !slices.ContainsFunc(seen["COPY"], func(c string) bool { return strings.HasSuffix(c, " "+m[2]+"/") }) {
			t.Errorf("nothing is copied to %s, which is %s", m[2], m[1])
		}
	}
	for _, port := range []string{"5671", "5672", "15671", "15672", "15692"} {
		if !slices.Contains(strings.Fields(last("EXPOSE")), port) {
			t.Errorf("port %s is not exposed", port)
		}
	}
	if !strings.HasSuffix(last("HEALTHCHECK"), `CMD ["/usr/local/bin/leveret", "ctl", "ping"]`) || last("ENTRYPOINT") != `["/usr/local/bin/leveret"]` {
		t.Errorf("health is checked by %q, and it starts by %q", last("HEALTHCHECK"), last("ENTRYPOINT"))
	}
	if out, err := leveret(t, "ctl", "ping", "--help"); err != nil {
		t.Errorf("ctl ping --help: %v\n%s", err, out)
	}
}

// TestImageDefaults: guest may come from elsewhere, unless a file beside says otherwise.
func TestImageDefaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(pattern string) {
		t.Helper()
		out, err := leveret(t, "config", "effective", "--config", dir)
		if err != nil || strings.Contains(out, "leveret:") || !regexp.MustCompile(pattern).MatchString(out) {
			t.Errorf("want %s: %v\n%s", pattern, err, out)
		}
	}
	write("10-defaults.conf", read(t, "10-defaults.conf"))
	want(`(?m)^log-format +json [^\0]*^loopback-users +none `)
	write("20-mine.conf", "loopback_users.guest = true\n")
	want(`(?m)^loopback-users +guest +\S+20-mine.conf:1$`)
}

func TestSystemdUnit(t *testing.T) {
	keys, section := map[string]string{}, ""
	in := bufio.NewScanner(strings.NewReader(read(t, "leveret.service")))
	for in.Scan() {
		line := in.Text()
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = line
		case !ok || section == "":
			t.Errorf("%q is no setting of a section", line)
		default:
			keys[section+key] = value
		}
	}
	if keys["[Service]Type"] != "notify" || keys["[Service]WatchdogSec"] == "" || keys["[Install]WantedBy"] == "" {
		t.Errorf("the unit is %v", keys)
	}
	args := strings.Fields(keys["[Service]ExecStart"])
	if len(args) < 2 || args[0] != "/usr/bin/leveret" || args[1] != "serve" {
		t.Fatalf("it starts %q", args)
	}
	// The program itself says whether it would start so.
	if out, err := leveret(t, append([]string{"config", "effective"}, args[2:]...)...); err != nil {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
}

// TestSystemdAnalyze asks systemd what it thinks of the unit, where there is one.
func TestSystemdAnalyze(t *testing.T) {
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	unit := strings.Replace(read(t, "leveret.service"), "/usr/bin/leveret", "/bin/true", 1)
	file := filepath.Join(t.TempDir(), "leveret.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	// Without a running systemd it may fail, but not say anything of the unit.
	out, _ := exec.Command(path, "verify", file).CombinedOutput()
	if strings.Contains(string(out), "leveret.service") {
		t.Errorf("%s", out)
	}
}

// documents are the YAML documents of a file.
func documents(t *testing.T, name string) (all []map[string]any) {
	t.Helper()
	in := yaml.NewDecoder(strings.NewReader(read(t, name)))
	for {
		var doc map[string]any
		switch err := in.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, doc)
	}
}

// at goes down a tree by names and places.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok || m[step] == nil {
				t.Fatalf("there is no %v of %v", step, path)
			}
			v = m[step]
		case int:
			list, ok := v.([]any)
			if !ok || len(list) <= step {
				t.Fatalf("there is no place %d of %v", step, path)
			}
			v = list[step]
		}
	}
	return v
}

func TestKubernetes(t *testing.T) {
	kinds := map[string]map[string]any{}
	for _, doc := range documents(t, "kubernetes.yaml") {
		kinds[at(t, doc, "kind").(string)] = doc
		at(t, doc, "apiVersion")
		if at(t, doc, "metadata", "name") != "leveret" {
			t.Errorf("%v has another name", doc["kind"])
		}
	}
	set := kinds["StatefulSet"]
	container := at(t, set, "spec", "template", "spec", "containers", 0)
	if at(t, set, "spec", "selector", "matchLabels", "app") != at(t, set, "spec", "template", "metadata", "labels", "app") {
		t.Error("the set does not select its own pods")
	}
	ports := map[string]int{}
	for _, p := range at(t, container, "ports").([]any) {
		ports[at(t, p, "name").(string)] = at(t, p, "containerPort").(int)
	}
	for _, p := range at(t, kinds["Service"], "spec", "ports").([]any) {
		if name := at(t, p, "name").(string); ports[name] != at(t, p, "port") {
			t.Errorf("port %s of the service is not one of the container", name)
		}
	}
	// The configuration is one that the program takes.
	conf := filepath.Join(t.TempDir(), "rabbitmq.conf")
	if err := os.WriteFile(conf, []byte(at(t, kinds["ConfigMap"], "data", "rabbitmq.conf").(string)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := leveret(t, "config", "effective", "--config", conf)
	if err != nil || strings.Contains(out, "leveret:") || !regexp.MustCompile(`loopback-users +none `).MatchString(out) {
		t.Errorf("%v\n%s", err, out)
	}
	// So are the arguments, with that file where the volume puts it.
	var args []string
	for _, arg := range at(t, container, "args").([]any) {
		args = append(args, strings.Replace(arg.(string), "/etc/leveret/rabbitmq.conf", conf, 1))
	}
	if out, err := leveret(t, append([]string{"config", "effective"}, args[1:]...)...); args[0] != "serve" || err != nil {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
	if mount := at(t, container, "volumeMounts", 1, "mountPath"); !strings.Contains(read(t, "Dockerfile"), "LEVERET_DATA_DIR="+mount.(string)) {
		t.Errorf("the data are at %v, and the image has them elsewhere", mount)
	}
}

// TestProbes asks a broker what the probes would.
func TestProbes(t *testing.T) {
	var set map[string]any
	for _, doc := range documents(t, "kubernetes.yaml") {
		if doc["kind"] == "StatefulSet" {
			set = doc
		}
	}
	container := at(t, set, "spec", "template", "spec", "containers", 0)
	url := run(t)
	for _, probe := range []string{"startupProbe", "readinessProbe"} {
		if port := at(t, container, probe, "httpGet", "port"); port != "http" {
			t.Errorf("the %s asks port %v", probe, port)
		}
		path := at(t, container, probe, "httpGet", "path").(string)
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the %s gets %d from %s", probe, answer.StatusCode, path)
		}
	}
	var args []string
	for _, arg := range at(t, container, "livenessProbe", "exec", "command").([]any) {
		args = append(args, arg.(string))
	}
	if !slices.Equal(args, []string{"leveret", "ctl", "ping"}) {
		t.Fatalf("the livenessProbe is %q", args)
	}
	if out, err := leveret(t, "ctl", "--uri", url, "ping"); err != nil {
		t.Errorf("ctl ping: %v\n%s", err, out)
	}
}

// run starts a broker and returns where its API is.
func run(t *testing.T) (url string) {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(program, "--in-memory", "--log-format", "json", "--amqp-listen", "127.0.0.1:0",
		"--http-listen", "127.0.0.1:0", "--metrics-listen", "none", "--default-user", "ann", "--default-pass", "secret")
	log, err := broker.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		broker.Process.Kill()
		_, _ = io.Copy(io.Discard, log)
		_ = broker.Wait() // it was killed
	})
	in := bufio.NewScanner(log)
	for in.Scan() {
		var e struct{ Message, HTTP string }
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			t.Fatalf("%q: %v", in.Text(), err)
		}
		if e.Message == "ready" {
			return "http://" + e.HTTP
		}
	}
	t.Fatal("it does not get ready")
	return ""
}

func TestCompose(t *testing.T) {
	compose := documents(t, "docker-compose.yaml")[0]
	build := at(t, compose, "services", "leveret", "build")
	top, err := filepath.Abs(at(t, build, "context").(string))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(top, at(t, build, "dockerfile").(string))); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(top, "go.mod")); err != nil {
		t.Error(err)
	}
	if got := at(t, compose, "services", "prometheus", "depends_on", "leveret", "condition"); got != "service_healthy" {
		t.Errorf("Prometheus waits for %v", got)
	}
	for name := range at(t, compose, "volumes").(map[string]any) {
		if mount := at(t, compose, "services", "leveret", "volumes", 0); mount != name+":/var/lib/leveret" {
			t.Errorf("the data are at %v", mount)
		}
	}
	volume := at(t, compose, "services", "prometheus", "volumes", 0).(string)
	file, _, _ := strings.Cut(volume, ":")
	prometheus := documents(t, file)[0]
	if got := at(t, prometheus, "scrape_configs", 0, "static_configs", 0, "targets", 0); got != "leveret:15692" {
		t.Errorf("Prometheus scrapes %v", got)
	}
}
