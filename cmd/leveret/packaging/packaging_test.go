package packaging

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// leveret builds the program once.
func leveret(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "leveret")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/leveretmq/leveret/cmd/leveret").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
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
	bin := leveret(t)
	help, err := exec.Command(bin, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
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
		seen[word] = rest
		if word == "ENV" {
			for _, m := range regexp.MustCompile(`(LEVERET_\w+)=`).FindAllStringSubmatch(rest, -1) {
				if !strings.Contains(string(help), "$"+m[1]) {
					t.Errorf("the program does not know %s", m[1])
				}
			}
		}
	}
	if seen["FROM"] != "scratch" || !strings.HasPrefix(seen["USER"], "65532") {
		t.Errorf("it ends from %q as %q, want scratch and a user who is not root", seen["FROM"], seen["USER"])
	}
	for _, port := range []string{"5672", "15672", "15692"} {
		if !slices.Contains(strings.Fields(seen["EXPOSE"]), port) {
			t.Errorf("port %s is not exposed", port)
		}
	}
	if !strings.Contains(seen["HEALTHCHECK"], `CMD ["/leveret", "ctl", "ping"]`) {
		t.Errorf("health is checked by %q", seen["HEALTHCHECK"])
	}
	if out, err := exec.Command(bin, "ctl", "ping", "--help").CombinedOutput(); err != nil {
		t.Errorf("ctl ping --help: %v\n%s", err, out)
	}
}

func TestSystemdUnit(t *testing.T) {
	keys, section := map[string]string{}, ""
	in := bufio.NewScanner(strings.NewReader(read(t, "leveret.service")))
	for in.Scan() {
		line := in.Text()
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "":
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
	// The program itself says whether it would start so.
	check := append([]string{"config", "effective"}, args[2:]...)
	if out, err := exec.Command(leveret(t), check...).CombinedOutput(); args[0] != "/usr/bin/leveret" || args[1] != "serve" || err != nil {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
	if path, err := exec.LookPath("systemd-analyze"); err == nil {
		unit := strings.Replace(read(t, "leveret.service"), "/usr/bin/leveret", "/bin/true", 1)
		file := filepath.Join(t.TempDir(), "leveret.service")
		if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(path, "verify", file).CombinedOutput(); err != nil {
			t.Logf("systemd-analyze: %v\n%s", err, out) // it needs a running systemd for some of it
		}
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
	if got := at(t, container, "readinessProbe", "httpGet", "path"); got != "/api/health/checks/ready-to-serve-clients" {
		t.Errorf("it is ready by %v", got)
	}
	// The configuration is one that the program takes.
	conf := filepath.Join(t.TempDir(), "rabbitmq.conf")
	if err := os.WriteFile(conf, []byte(at(t, kinds["ConfigMap"], "data", "rabbitmq.conf").(string)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(leveret(t), "config", "effective", "--config", conf).CombinedOutput()
	if err != nil || strings.Contains(string(out), "no meaning") || !regexp.MustCompile(`loopback-users +none `).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
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
	volume := at(t, compose, "services", "prometheus", "volumes", 0).(string)
	file, _, _ := strings.Cut(volume, ":")
	prometheus := documents(t, file)[0]
	if got := at(t, prometheus, "scrape_configs", 0, "static_configs", 0, "targets", 0); got != "leveret:15692" {
		t.Errorf("Prometheus scrapes %v", got)
	}
}
