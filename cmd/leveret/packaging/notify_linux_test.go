package packaging

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNotify plays systemd: it hears of the broker that it is ready, alive, and ending.
func TestNotify(t *testing.T) {
	if err := build(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	broker := exec.Command(program, "--in-memory", "--amqp-listen", "127.0.0.1:0", "--http-listen", "none", "--metrics-listen", "none")
	broker.Env = append(broker.Environ(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=40000")
	var log strings.Builder
	broker.Stderr = &log
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			broker.Process.Kill()
			_ = broker.Wait() // it was killed
		}
	}()
	hear := func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := hear(); got != want {
			t.Fatalf("it says %q, want %q", got, want)
		}
	}
	if err := broker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got := hear()
	for got == "WATCHDOG=1" {
		got = hear()
	}
	if got != "STOPPING=1" {
		t.Errorf("at the end it says %q", got)
	}
	ended = true
	if err := broker.Wait(); err != nil {
		t.Errorf("it ends with %v\n%s", err, log.String())
	}
}
