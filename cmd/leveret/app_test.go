package main

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/server"
)

// outputs runs the program without signals, environment or broker.
func outputs(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(process{
		args:   args,
		env:    func(string) (string, bool) { return "", false },
		stdout: &out,
		stderr: &err,
	})
	return code, out.String(), err.String()
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := outputs("version")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	if !strings.HasPrefix(stdout, "leveret "+server.Version+" (") || !strings.Contains(stdout, runtime.Version()) || strings.Count(stdout, "\n") != 1 {
		t.Errorf("stdout %q", stdout)
	}
}

func TestVersionLine(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	changed := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	tail := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	for _, c := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "(" + tail},
		{&debug.BuildInfo{}, "(" + tail},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{commit, clean}}, "(commit 0123456789ab, " + tail},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{commit, changed}}, "(commit 0123456789ab with changes, " + tail},
	} {
		if got, want := versionLine(c.info), "leveret "+server.Version+" "+c.want; got != want {
			t.Errorf("versionLine = %q, want %q", got, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}, {"serve", "--help"}} {
		code, stdout, stderr := outputs(args...)
		if code != 0 || stderr != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, code, stderr)
		}
		for _, f := range serveFlags() {
			name := f.Names()[0]
			if !strings.Contains(stdout, "--"+name) || !strings.Contains(stdout, "$"+variable(name)) {
				t.Errorf("%q: the help lacks --%s or its variable:\n%s", args, name, stdout)
			}
		}
	}
}

func TestVersionFlag(t *testing.T) {
	if code, stdout, _ := outputs("--version"); code != 0 || !strings.Contains(stdout, server.Version) {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
}

// What is wrong is one sentence on stderr and nothing else.
func TestFailureIsOneSentence(t *testing.T) {
	for _, args := range [][]string{{"--colour"}, {"serve", "--log-level", "loud"}, {"bake"}} {
		code, stdout, stderr := outputs(args...)
		if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "leveret: ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}
