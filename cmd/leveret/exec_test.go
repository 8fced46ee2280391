package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "leveret-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Other users must be able to run it, for the test of permissions.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "leveret")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// command is the binary in an empty directory and without LEVERET_ variables.
// It is killed when it outlives a minute or the test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LEVERET_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// runs executes a command to its end.
func runs(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return exitCode(t, cmd.Run()), out.String(), errs.String()
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// child is a running broker.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   *logReader
	ready line
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	cmd := command(t, append([]string{"serve", "--log-format=json", "--amqp-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--metrics-listen=none"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, log: readLog(t, stderr)}
	c.ready = c.log.until("ready")
	return c
}

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// end waits for the exit code.
func (c *child) end() int {
	c.t.Helper()
	for c.log.next() != nil {
	}
	return exitCode(c.t, c.cmd.Wait())
}

func (c *child) url() string { return "amqp://guest:guest@" + c.ready.AMQP[0] + "/" }

func TestSignalClosesClientsAndExits0(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			c := startChild(t, "--in-memory")
			conn, err := amqp091.Dial(c.url())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
			if got := health(t, c.ready.HTTP); got != 200 {
				t.Errorf("health check answers %d", got)
			}

			c.signal(sig)
			reason := <-closed
			if reason == nil || reason.Code != 320 || !strings.HasPrefix(reason.Reason, "CONNECTION_FORCED - ") {
				t.Errorf("the client was closed with %v, want 320 CONNECTION_FORCED", reason)
			}
			if code := c.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if c, err := net.Dial("tcp", c.ready.AMQP[0]); err == nil {
				c.Close()
				t.Error("the port is still open")
			}
		})
	}
}

// muteConn is a connection that falls silent without closing.
type muteConn struct {
	net.Conn
	mute atomic.Bool
}

func (c *muteConn) Write(p []byte) (int, error) {
	if c.mute.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *muteConn) Close() error {
	if c.mute.Load() {
		return nil
	}
	return c.Conn.Close()
}

func TestSecondSignalDoesNotWaitForClients(t *testing.T) {
	c := startChild(t, "--in-memory")
	var silent *muteConn
	conn, err := amqp091.DialConfig(c.url(), amqp091.Config{
		Dial: func(network, address string) (net.Conn, error) {
			nc, err := net.Dial(network, address)
			silent = &muteConn{Conn: nc}
			return silent, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Conn.Close()
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	silent.mute.Store(true)

	c.signal(syscall.SIGTERM)
	<-closed // asked to close; its answer never goes out
	c.signal(syscall.SIGTERM)
	if code := c.end(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if all := strings.Join(c.log.all, "\n"); strings.Contains(all, "stopped") {
		t.Errorf("it waited for the client:\n%s", all)
	}
}

// What it cannot start with is one sentence on stderr, exit code 1, and nothing
// else.
func TestCannotStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	foreign := t.TempDir()
	notes := filepath.Join(foreign, "notes.txt")
	if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "leveret.json"), []byte(`{"format":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"--amqp-listen=127.0.0.1:0", "--http-listen=none", "--metrics-listen=none"}

	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"busy AMQP port", []string{"--in-memory", "--amqp-listen", taken}, "cannot listen for AMQP on " + taken + ": address already in use"},
		{"busy HTTP port", []string{"--in-memory", "--amqp-listen=127.0.0.1:0", "--http-listen", taken}, "cannot listen for HTTP on " + taken + ": address already in use"},
		{"one port twice", []string{"--in-memory", "--amqp-listen=127.0.0.1:0", "--amqp-listen", taken}, "cannot listen for AMQP on " + taken + ": address already in use"},
		{"bad flag", []string{"serve", "--colour"}, "there is no flag --colour: see leveret --help"},
		{"bad value", []string{"serve", "--log-level=loud"}, `--log-level "loud" is not one of debug, info, warn, error, none`},
		{"foreign directory", append(free, "--data-dir", foreign), foreign + ` is not a Leveret data directory: it holds "notes.txt" but no leveret.json`},
		{"directory of a newer version", append(free, "--data-dir", newer), "data directory " + newer + ": it was written by a newer version of Leveret (format 99; this version knows up to 1)"},
		{"bad limit", []string{"--in-memory", "--memory-limit=lots"}, `--memory-limit "lots" is neither a number of bytes like 512MiB nor a percentage like 40%`},
		{"no directory", append(free, "--data-dir", notes), "data directory " + notes + " is not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := runs(t, command(t, c.args...))
			if code != 1 || stdout != "" {
				t.Errorf("exit code %d, stdout %q", code, stdout)
			}
			if want := "leveret: " + c.want + "\n"; stderr != want {
				t.Errorf("stderr\n got %swant %s", stderr, want)
			}
		})
	}
	for _, dir := range []string{foreign, newer} {
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s holds %d entries now", dir, len(entries))
		}
	}
}

func TestDataDirectoryInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := startChild(t, "--data-dir", dir)
	cmd := command(t, "--data-dir", dir, "--amqp-listen=127.0.0.1:0", "--http-listen=none")
	code, stdout, stderr := runs(t, cmd)
	name := ""
	if processName() != "" {
		name = "leveret, "
	}
	want := fmt.Sprintf("leveret: data directory %s is in use by another process (%spid %d)\n", dir, name, first.cmd.Process.Pid)
	if code != 1 || stdout != "" || stderr != want {
		t.Errorf("exit code %d, stdout %q, stderr\n got %swant %s", code, stdout, stderr, want)
	}

	// A crash leaves nothing that keeps the next start from working.
	first.signal(syscall.SIGKILL)
	first.end()
	again := startChild(t, "--data-dir", dir)
	if again.ready.NodeID != first.ready.NodeID {
		t.Errorf("node id %s became %s", first.ready.NodeID, again.ready.NodeID)
	}
	again.signal(syscall.SIGTERM)
	if code := again.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestEnvironment(t *testing.T) {
	cmd := command(t)
	cmd.Env = append(cmd.Env, "LEVERET_AMQP_LISTEN=127.0.0.1:0,nonsense")
	code, _, stderr := runs(t, cmd)
	want := `leveret: LEVERET_AMQP_LISTEN "nonsense" is not an address like 127.0.0.1:5672 or :5672` + "\n"
	if code != 1 || stderr != want {
		t.Errorf("exit code %d, stderr\n got %swant %s", code, stderr, want)
	}
}
