package diskguard

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

const mib = 1 << 20

// disk is a file system of which only the ballast is real.
type disk struct {
	dir string
	log bytes.Buffer

	mu    sync.Mutex
	room  int64 // free without the ballast
	err   error
	looks int
}

func newDisk(t *testing.T, room int64) *disk {
	return &disk{dir: t.TempDir(), room: room}
}

func (d *disk) free(string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return d.room - ballastIn(d.dir).size(), d.err
}

func (d *disk) set(room int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room, d.err = room, err
}

func (d *disk) looked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looks
}

func (d *disk) options() Options {
	log := zerolog.New(&d.log)
	return Options{Dir: d.dir, Limit: 512 * mib, Free: d.free, Log: &log}
}

func (d *disk) open(t *testing.T) *Guard {
	t.Helper()
	g, err := Open(d.options())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (d *disk) hasBallast() bool { return ballastIn(d.dir).size() == ballastSize }

// alarm counts, and checks that no call repeats the one before.
type alarm struct {
	t     *testing.T
	on    bool
	calls int
}

func (a *alarm) set(on bool) {
	if on == a.on {
		a.t.Errorf("the alarm is set to %v twice", on)
	}
	a.on = on
	a.calls++
}

func TestAlarmComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, 1000*mib)
		g := d.open(t)
		a := &alarm{t: t}
		g.Watch(a.set)
		defer g.Close()
		for _, step := range []struct {
			room int64
			on   bool
		}{
			{576 * mib, false}, // 512 beside the ballast
			{576*mib - 1, true},
			{600 * mib, true}, // hysteresis
			{639 * mib, true},
			{640 * mib, false},
			{600 * mib, false},
			{100 * mib, true},
			{10000 * mib, false},
		} {
			d.set(step.room, nil)
			time.Sleep(time.Second)
			synctest.Wait()
			if a.on != step.on {
				t.Errorf("with %d MiB free the alarm is %v", step.room>>20, a.on)
			}
		}
		if a.calls != 4 {
			t.Errorf("%d calls, want 4", a.calls)
		}
		log := d.log.String()
		for _, want := range []string{`"level":"warn","free":536870911,"limit":536870912`, `"level":"info","free":603979776,"limit":536870912`} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %s:\n%s", want, log)
			}
		}
	})
}

func TestAlarmAtOnce(t *testing.T) {
	d := newDisk(t, 300*mib)
	g := d.open(t)
	a := &alarm{t: t}
	g.Watch(a.set)
	g.Close()
	if !a.on {
		t.Error("no alarm when Watch returns")
	}
	if d.hasBallast() {
		t.Error("the ballast was made on a disk that is under its limit")
	}
}

// Between two looks no disk can go from above the limit to dangerously low.
func TestLooksOftenerTheLessThereIs(t *testing.T) {
	for _, c := range []struct {
		spare int64
		want  time.Duration
	}{
		{1 << 62, seldom},
		{2 << 30, seldom},
		{1 << 30, seldom},
		{512 * mib, seldom / 2},
		{102 * mib, 99609375 * time.Nanosecond},
		{40 * mib, often},
		{0, often},
		{-500 * mib, often},
	} {
		if got := wait(c.spare); got != c.want {
			t.Errorf("with %d MiB above the limit it waits %v, want %v", c.spare>>20, got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, 100<<30)
		g := d.open(t)
		g.Watch(func(bool) { t.Error("alarm") })
		before := d.looked()
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		g.Close()
		if got := d.looked() - before; got != 10 {
			t.Errorf("%d looks in 10 s, want 10", got)
		}
	})
}

func TestUnknownSpaceKeepsTheAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, 300*mib)
		g := d.open(t)
		a := &alarm{t: t}
		g.Watch(a.set)
		defer g.Close()
		d.set(1000*mib, errors.New("no disk"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !a.on {
			t.Error("the alarm went when nothing was known")
		}
		d.set(1000*mib, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if a.on {
			t.Error("the alarm stays")
		}
		if n := strings.Count(d.log.String(), "no disk"); n != 1 {
			t.Errorf("%d lines about one failure:\n%s", n, d.log.String())
		}
	})
}

func TestBallastIsMadeAndKept(t *testing.T) {
	d := newDisk(t, 1000*mib)
	d.open(t)
	if !d.hasBallast() {
		t.Fatal("no ballast")
	}
	made, err := os.Stat(ballastIn(d.dir).path)
	if err != nil {
		t.Fatal(err)
	}
	d.open(t)
	if again, err := os.Stat(ballastIn(d.dir).path); err != nil || !os.SameFile(made, again) {
		t.Errorf("the ballast was made anew: %v", err)
	}
	// What a crash left half done is made whole.
	if err := os.Truncate(ballastIn(d.dir).path, mib); err != nil {
		t.Fatal(err)
	}
	d.open(t)
	if !d.hasBallast() {
		t.Error("a short ballast stays short")
	}
}

func TestBallastMakesAStartPossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, 1000*mib)
		d.open(t)
		d.set(70*mib, nil) // 6 beside the ballast
		g := d.open(t)
		if d.hasBallast() {
			t.Error("the ballast is still there")
		}
		if log := d.log.String(); !strings.Contains(log, "the ballast was removed to make room") {
			t.Errorf("the log does not say so:\n%s", log)
		}
		a := &alarm{t: t}
		g.Watch(a.set)
		defer g.Close()
		if !a.on {
			t.Error("no alarm")
		}
		d.set(600*mib, nil) // room for the ballast, but with it for little else
		time.Sleep(time.Second)
		synctest.Wait()
		if d.hasBallast() {
			t.Error("the ballast came back too early")
		}
		d.set(700*mib, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if !d.hasBallast() || a.on {
			t.Errorf("with space again: ballast %v, alarm %v", d.hasBallast(), a.on)
		}
	})
}

func TestOpenRefusesAFullDisk(t *testing.T) {
	d := newDisk(t, 40*mib)
	if err := os.WriteFile(ballastIn(d.dir).path, make([]byte, 10*mib), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(d.options())
	want := "the disk of " + d.dir + " has only 30 MiB free, and 64 MiB is the least to start with: make room there first"
	if err == nil || err.Error() != want {
		t.Errorf("Open = %v, want %s", err, want)
	}
	if ballastIn(d.dir).size() != 10*mib {
		t.Error("the ballast was removed in vain")
	}
	d.set(74*mib, nil)
	d.open(t)
	if ballastIn(d.dir).size() != 10*mib {
		t.Error("the ballast was removed without need")
	}
}

func TestBallastIsGivenUpForAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, 1000*mib)
		g := d.open(t)
		a := &alarm{t: t}
		g.Watch(a.set)
		defer g.Close()
		d.set(64*mib+acute, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if !d.hasBallast() || !a.on {
			t.Errorf("with %d MiB: ballast %v, alarm %v", acute>>20, d.hasBallast(), a.on)
		}
		d.set(64*mib+acute-1, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if d.hasBallast() {
			t.Error("the ballast is kept to the end")
		}
		if log := d.log.String(); !strings.Contains(log, "make room on the disk now") {
			t.Errorf("the log does not say so:\n%s", log)
		}
	})
}

func TestOpenRefusesALowLimit(t *testing.T) {
	d := newDisk(t, 1000*mib)
	o := d.options()
	o.Limit = LeastLimit - 1
	if _, err := Open(o); err == nil {
		t.Error("opened")
	}
}

func TestFree(t *testing.T) {
	n, err := free(t.TempDir())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || n <= 0 {
		t.Errorf("free = %d, %v", n, err)
	}
	if _, err := free(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a directory that is not there has free space")
	}
}

// The noise must be worth its bytes: no block like another.
func TestFill(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(fill(f, 2*mib+5), f.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || len(got) != 2*mib+5 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if bytes.Equal(got[:mib], got[mib:2*mib]) {
		t.Error("the blocks are the same")
	}
}

func TestBallastThatIsNoFile(t *testing.T) {
	d := newDisk(t, 1000*mib)
	if err := os.MkdirAll(filepath.Join(d.dir, ballastName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.open(t)
	if log := d.log.String(); !strings.Contains(log, "the ballast could not be made") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}
