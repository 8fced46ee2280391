package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/rs/zerolog"
)

// fakeBroker accepts and does nothing else.
type fakeBroker struct {
	*server.Server // for those who only look
	opts           server.Options
	serveErr       chan error    // what a Serve returns before its time
	stopping       chan struct{} // closed by Shutdown
	release        chan struct{} // Shutdown waits for it
	stopErr        error         // what Shutdown returns
	closed         chan struct{} // closed by Close
	alarms         chan alarmCall

	store *memory.Store // the next to be opened; nil = openStore fails
}

// alarmCall is a call of SetAlarm.
type alarmCall struct {
	alarm server.Alarm
	on    bool
}

func newFakeBroker() *fakeBroker {
	srv, err := server.Open(server.Options{})
	if err != nil {
		panic(err)
	}
	f := &fakeBroker{
		Server:   srv,
		serveErr: make(chan error, 1),
		stopping: make(chan struct{}),
		release:  make(chan struct{}),
		closed:   make(chan struct{}),
		alarms:   make(chan alarmCall, 10),
		store:    memory.New(),
	}
	close(f.release)
	return f
}

func (f *fakeBroker) ServeWith(l net.Listener, _ server.ListenOptions) error {
	defer l.Close()
	select {
	case err := <-f.serveErr:
		return err
	case <-f.stopping:
		return server.ErrServerClosed
	}
}

func (f *fakeBroker) Shutdown(context.Context) error {
	close(f.stopping)
	<-f.release
	return f.stopErr
}

func (f *fakeBroker) Close() error {
	close(f.closed)
	return nil
}

func (f *fakeBroker) SetAlarm(a server.Alarm, on bool) { f.alarms <- alarmCall{a, on} }

// openStore is process.openStore.
func (f *fakeBroker) openStore(dir string, _ config, _ *zerolog.Logger) (persistence.Store, error) {
	if f.store == nil {
		return nil, errors.New("no store in " + filepath.Base(dir))
	}
	return f.store, nil
}

func (f *fakeBroker) InService() error {
	select {
	case <-f.stopping:
		return errors.New("shutting down")
	default:
		return nil
	}
}

// program is a run in this process.
type program struct {
	t       *testing.T
	signals chan os.Signal
	code    chan int
	log     *logReader
}

func start(t *testing.T, f *fakeBroker, args ...string) *program {
	t.Helper()
	r, w := io.Pipe()
	p := &program{t: t, signals: make(chan os.Signal, 2), code: make(chan int, 1), log: readLog(t, r)}
	go func() {
		code := run(process{
			args:      append([]string{"--log-format=json", "--amqp-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--metrics-listen=none"}, args...),
			env:       func(string) (string, bool) { return "", false },
			stdout:    w,
			stderr:    w,
			signals:   p.signals,
			openStore: f.openStore,
			open: func(o server.Options) (broker, error) {
				f.opts = o
				return f, nil
			},
		})
		w.Close()
		p.code <- code
	}()
	return p
}

// end waits for the exit code; the log is read to its end.
func (p *program) end() int {
	p.t.Helper()
	for p.log.next() != nil {
	}
	return <-p.code
}

// line is one event of the log.
type line struct {
	Level, Message, HTTP, Error string
	AMQP                        []string
	DataDir                     string `json:"data_dir"`
	NodeID                      string `json:"node_id"`
	InMemory                    bool   `json:"in_memory"`
	Time, Version               string
}

type logReader struct {
	t     *testing.T
	lines *bufio.Scanner
	all   []string
}

func readLog(t *testing.T, r io.Reader) *logReader {
	return &logReader{t: t, lines: bufio.NewScanner(r)}
}

// next returns the next event, nil at the end of the log.
func (l *logReader) next() *line {
	l.t.Helper()
	if !l.lines.Scan() {
		return nil
	}
	l.all = append(l.all, l.lines.Text())
	var e line
	if err := json.Unmarshal(l.lines.Bytes(), &e); err != nil {
		l.t.Errorf("log line %q: %v", l.lines.Text(), err)
	}
	return &e
}

// until returns the first event whose message begins so.
func (l *logReader) until(message string) line {
	l.t.Helper()
	for e := l.next(); e != nil; e = l.next() {
		if strings.HasPrefix(e.Message, message) {
			return *e
		}
	}
	l.t.Fatalf("the log ends without %q:\n%s", message, strings.Join(l.all, "\n"))
	return line{}
}

func health(t *testing.T, address string) int {
	t.Helper()
	res, err := http.Get("http://" + address + "/api/health/checks/is-in-service")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestServeInMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	f := newFakeBroker()
	f.release = make(chan struct{})
	p := start(t, f, "--in-memory", "--amqp-listen=127.0.0.1:0", "--max-message-size=4096", "--default-user=root", "--loopback-users=ann")
	first := p.log.next()
	if first == nil || first.Message != "ready" {
		t.Fatalf("the first line is %+v, want ready", first)
	}
	if len(first.AMQP) != 2 || first.AMQP[0] == first.AMQP[1] || !first.InMemory || first.Version != server.Version || first.Time == "" {
		t.Errorf("ready says %+v", first)
	}
	for _, a := range append(first.AMQP, first.HTTP) {
		c, err := net.Dial("tcp", a)
		if err != nil {
			t.Errorf("cannot reach what ready names: %v", err)
			continue
		}
		c.Close()
	}
	if f.opts.MaxMessageSize != 4096 || f.opts.Log == nil || f.opts.Store != nil || f.opts.MessageMemory != 0 {
		t.Errorf("opened with %+v", f.opts)
	}
	if u := f.opts.FirstUser; !reflect.DeepEqual(u, server.FirstUser{Name: "root"}) || len(f.opts.LoopbackUsers) != 1 || f.opts.LoopbackUsers[0] != "ann" {
		t.Errorf("opened with first user %+v, from here only %q", u, f.opts.LoopbackUsers)
	}
	if got := health(t, first.HTTP); got != 200 {
		t.Errorf("health check answers %d while it runs", got)
	}

	p.signals <- syscall.SIGTERM
	p.log.until("shutting down")
	<-f.stopping
	if got := health(t, first.HTTP); got != 503 {
		t.Errorf("health check answers %d while it shuts down", got)
	}
	close(f.release)
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, a := range append(first.AMQP, first.HTTP) {
		if c, err := net.Dial("tcp", a); err == nil {
			c.Close()
			t.Errorf("%s is still open", a)
		}
	}
	if _, err := os.Stat("leveret-data"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("--in-memory made a data directory: %v", err)
	}
}

func TestServeWithADataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	f := newFakeBroker()
	p := start(t, f, "--data-dir", dir, "--http-listen=none", "--memory-limit=1GiB")
	ready := p.log.until("ready")
	if ready.DataDir != dir || len(ready.NodeID) != 32 || ready.HTTP != "" {
		t.Errorf("ready says %+v", ready)
	}
	if f.opts.Store != f.store || f.opts.MessageMemory != 448<<20 {
		t.Errorf("opened with %+v", f.opts)
	}

	second := start(t, newFakeBroker(), "--data-dir", dir)
	if second.log.lines.Scan(); !strings.Contains(second.log.lines.Text(), "is in use by another process (") {
		t.Errorf("a second broker says %q", second.log.lines.Text())
	}
	if code := second.end(); code != 1 {
		t.Errorf("a second broker exits with %d", code)
	}

	p.signals <- os.Interrupt
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := f.store.Err(); !errors.Is(err, persistence.ErrClosed) {
		t.Errorf("the store was not closed: %v", err)
	}
	third := start(t, newFakeBroker(), "--data-dir", dir)
	if again := third.log.until("ready"); again.NodeID != ready.NodeID {
		t.Errorf("node id %s became %s", ready.NodeID, again.NodeID)
	}
	third.signals <- os.Interrupt
	third.end()
}

func TestDiskAlarmReachesTheBroker(t *testing.T) {
	f := newFakeBroker()
	p := start(t, f, "--data-dir", filepath.Join(t.TempDir(), "data"), "--disk-free-limit=1000000TiB")
	if e := p.log.until("disk alarm"); e.Level != "warn" {
		t.Errorf("logged %+v", e)
	}
	if got := <-f.alarms; got != (alarmCall{server.AlarmDisk, true}) {
		t.Errorf("the broker got %+v", got)
	}
	p.signals <- os.Interrupt
	p.end()
}

func TestMemoryAlarmReachesTheBroker(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	hog := make([]byte, 80<<20)
	for i := 0; i < len(hog); i += 4096 {
		hog[i] = 1
	}
	f := newFakeBroker()
	p := start(t, f, "--in-memory", "--memory-limit=64MiB")
	if e := p.log.until("memory alarm"); e.Level != "warn" {
		t.Errorf("logged %+v", e)
	}
	if got := <-f.alarms; got != (alarmCall{server.AlarmMemory, true}) {
		t.Errorf("the broker got %+v", got)
	}
	if got := debug.SetMemoryLimit(-1); got != 60<<20 {
		t.Errorf("the runtime's limit is %d", got)
	}
	runtime.KeepAlive(hog)
	p.signals <- os.Interrupt
	p.end()
}

// It goes on for the sake of consumers, and says at the end that something was
// wrong.
func TestFailedStoreIsAFailure(t *testing.T) {
	f := newFakeBroker()
	p := start(t, f, "--data-dir", filepath.Join(t.TempDir(), "data"))
	ready := p.log.until("ready")
	f.store.Fail(errors.New("the disk is gone"))
	if got := health(t, ready.HTTP); got != 200 { // the fake broker does not mind
		t.Errorf("health check answers %d", got)
	}
	p.signals <- os.Interrupt
	if e := p.log.until("the store has failed"); e.Level != "error" || !strings.Contains(e.Error, "the disk is gone") {
		t.Errorf("logged %+v", e)
	}
	if code := p.end(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestStoreThatCannotBeOpened(t *testing.T) {
	f := newFakeBroker()
	f.store = nil
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, f, "--data-dir", dir)
	const want = "leveret: no store in store"
	if p.log.lines.Scan(); p.log.lines.Text() != want {
		t.Errorf("it says %q, want %q", p.log.lines.Text(), want)
	}
	if code := p.end(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	// The directory was given up, and is as good as before.
	again := start(t, newFakeBroker(), "--data-dir", dir)
	again.log.until("ready")
	again.signals <- os.Interrupt
	again.end()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	f := newFakeBroker()
	f.release = make(chan struct{})
	defer close(f.release)
	p := start(t, f, "--in-memory")
	p.log.until("ready")
	p.signals <- os.Interrupt
	p.log.until("shutting down")
	p.signals <- os.Interrupt
	if code := p.end(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

func TestClientsThatDoNotCloseAreCut(t *testing.T) {
	f := newFakeBroker()
	f.stopErr = context.DeadlineExceeded
	p := start(t, f, "--in-memory")
	p.log.until("ready")
	p.signals <- syscall.SIGTERM
	if e := p.log.until("clients that did not close"); e.Level != "warn" || e.Error == "" {
		t.Errorf("logged %+v", e)
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	<-f.closed
}

func TestFailedListenerEndsIt(t *testing.T) {
	f := newFakeBroker()
	p := start(t, f, "--in-memory")
	p.log.until("ready")
	f.serveErr <- errors.New("the wire was cut")
	if e := p.log.until("a listener failed"); e.Level != "error" || e.Error != "AMQP listener: the wire was cut" {
		t.Errorf("logged %+v", e)
	}
	if code := p.end(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestOpenFailureClosesTheSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var stderr strings.Builder
	code := run(process{
		args:   []string{"--in-memory", "--amqp-listen", address, "--http-listen=none"},
		env:    func(string) (string, bool) { return "", false },
		stdout: io.Discard,
		stderr: &stderr,
		open:   func(server.Options) (broker, error) { return nil, errors.New("no broker today") },
	})
	if code != 1 || stderr.String() != "leveret: no broker today\n" {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatalf("the socket is still bound: %v", err)
	}
	l.Close()
}
