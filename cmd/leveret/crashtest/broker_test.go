package crashtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// broker is a running child.
type broker struct {
	t       *testing.T
	cmd     *exec.Cmd
	started time.Time
	ready   struct {
		AMQP []string
		HTTP string
	}
	tookReady time.Duration
	exited    chan struct{} // closed when it is gone and its log is read
	code      int           // once exited

	mu    sync.Mutex
	lines []string
}

// startTimeout is long, because the machine may be busy with other tests.
const startTimeout = 2 * time.Minute

// run starts the program and returns when it says ready, or is gone.
func run(t *testing.T, dir string, args ...string) (b *broker, ready bool) {
	t.Helper()
	noteSources(t)
	args = append([]string{"serve", "--log-format=json", "--amqp-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--metrics-listen=none", "--data-dir", dir}, args...)
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = environment()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	b = &broker{t: t, cmd: cmd, started: time.Now(), exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // an error means that it is gone already
		<-b.exited
	})
	isReady := make(chan struct{})
	go b.read(stderr, isReady)
	select {
	case <-isReady:
		b.tookReady = time.Since(b.started)
		return b, true
	case <-b.exited:
		return b, false
	case <-time.After(startTimeout):
		cmd.Process.Signal(syscall.SIGQUIT)
		<-b.exited
		t.Fatalf("the broker is not ready after %v:\n%s", startTimeout, b.log())
		return nil, false
	}
}

// start is run of a broker that must come up.
func start(t *testing.T, dir string, args ...string) *broker {
	t.Helper()
	b, ready := run(t, dir, args...)
	if !ready {
		t.Fatalf("the broker exited with %d instead of starting:\n%s", b.code, b.log())
	}
	return b
}

// environment is that of the tests without the settings of a broker.
func environment() (all []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LEVERET_") {
			all = append(all, v)
		}
	}
	return append(all, "GOTRACEBACK=all")
}

// read reads the log to its end and then waits for the process.
func (b *broker) read(stderr io.Reader, ready chan<- struct{}) {
	defer close(b.exited)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		b.mu.Lock()
		b.lines = append(b.lines, lines.Text())
		b.mu.Unlock()
		var e struct{ Message string }
		if ready != nil && json.Unmarshal(lines.Bytes(), &e) == nil && e.Message == "ready" {
			json.Unmarshal(lines.Bytes(), &b.ready)
			close(ready)
			ready = nil
		}
	}
	io.Copy(io.Discard, stderr) // a line that was too long
	err := b.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		b.code = exit.ExitCode() // -1 after a signal
	}
}

// log is what it has said so far.
func (b *broker) log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

// said reports whether a line of the log holds all of the words.
func (b *broker) said(words ...string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}

// crashed is the line of a crash of the program's own, or empty.
func (b *broker) crashed() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		for _, mark := range []string{"panic:", "fatal error:", "unexpected fault address", "WARNING: DATA RACE", `"panic":`} {
			if strings.Contains(line, mark) {
				return line
			}
		}
	}
	return ""
}

// alive fails the test if the process is gone.
func (b *broker) alive() {
	b.t.Helper()
	select {
	case <-b.exited:
		b.t.Fatalf("the broker is gone, with exit code %d:\n%s", b.code, b.log())
	default:
	}
}

// kill ends it as kill -9 does.
func (b *broker) kill() {
	b.t.Helper()
	b.alive()
	b.killQuietly()
	b.sound()
}

// killQuietly is for a broker that may have died already.
func (b *broker) killQuietly() {
	b.cmd.Process.Kill() // an error means that it is gone already
	<-b.exited
}

// sound fails the test if the program crashed by itself.
func (b *broker) sound() {
	b.t.Helper()
	if line := b.crashed(); line != "" {
		b.t.Errorf("the broker crashed by itself: %s\n%s", line, b.log())
	}
}

// stop ends it gracefully.
func (b *broker) stop() {
	b.t.Helper()
	b.alive()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
	select {
	case <-b.exited:
	case <-time.After(startTimeout):
		b.cmd.Process.Signal(syscall.SIGQUIT)
		<-b.exited
		b.t.Fatalf("the broker does not stop:\n%s", b.log())
	}
	b.sound()
	if b.code != 0 {
		b.t.Errorf("the broker stopped with exit code %d:\n%s", b.code, b.log())
	}
}

// dial connects as guest.
func (b *broker) dial() (*amqp091.Connection, error) {
	return amqp091.DialConfig("amqp://guest:guest@"+b.ready.AMQP[0]+"/", amqp091.Config{Heartbeat: 30 * time.Second})
}

// connect is dial for the test's own goroutine, with one channel, closed with
// the test.
func (b *broker) connect() (*amqp091.Connection, *amqp091.Channel) {
	b.t.Helper()
	conn, err := b.dial()
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.log())
	}
	b.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		b.t.Fatal(err)
	}
	return conn, ch
}

// tool runs another command of the program.
func tool(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// checkStore verifies a stopped directory with the program's own command. One
// that is damaged is kept by go test -artifacts.
func checkStore(t *testing.T, dir string) {
	t.Helper()
	code, out := tool(t, "store", "check", "--data-dir", dir)
	if code != 0 {
		t.Errorf("store check exits with %d:\n%s", code, out)
		copyDir(t, dir, filepath.Join(t.ArtifactDir(), "data"))
	}
}

// must ends the test's goroutine at an error.
func must(t *testing.T, err error, doing string, args ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(doing, args...), err)
	}
}
