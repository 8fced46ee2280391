package perf

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestConfirms(t *testing.T) {
	type confirm struct {
		tag           uint64
		multiple, ack bool
	}
	for _, c := range []struct {
		name      string
		published int
		confirms  []confirm
		confirmed []int64 // stamps, which are tag × 10
		want      faults
	}{
		{"one by one", 3, []confirm{{1, false, true}, {2, false, true}, {3, false, true}}, []int64{10, 20, 30}, faults{}},
		{"backwards", 3, []confirm{{3, false, true}, {2, false, true}, {1, false, true}}, []int64{30, 20, 10}, faults{}},
		{"multiple", 4, []confirm{{2, false, true}, {3, true, true}}, []int64{20, 10, 30}, faults{Unconfirmed: 1}},
		{"multiple, all", 3, []confirm{{0, true, true}}, []int64{10, 20, 30}, faults{}},
		{"refused", 3, []confirm{{2, true, false}, {3, false, true}}, []int64{30}, faults{Refused: 2}},
		{"twice", 2, []confirm{{2, false, true}, {2, false, true}}, []int64{20}, faults{Unconfirmed: 1, BadConfirms: 1}},
		{"long ago", 2, []confirm{{1, false, true}, {1, true, true}}, []int64{10}, faults{Unconfirmed: 1, BadConfirms: 1}},
		{"never published", 1, []confirm{{2, false, true}, {9, true, true}}, nil, faults{Unconfirmed: 1, BadConfirms: 2}},
		{"tag 0", 1, []confirm{{0, false, true}}, nil, faults{Unconfirmed: 1, BadConfirms: 1}},
	} {
		g := newGate(10, 1)
		for n := range c.published {
			g.publishLocked(1, int64(n+1)*10)
		}
		var confirmed []int64
		for _, k := range c.confirms {
			g.confirmLocked(1, k.tag, k.multiple, k.ack, func(at int64) { confirmed = append(confirmed, at) })
		}
		if !slices.Equal(confirmed, c.confirmed) {
			t.Errorf("%s: confirmed %v, want %v", c.name, confirmed, c.confirmed)
		}
		if got := g.faults(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestConfirmOfAnUnknownChannel(t *testing.T) {
	g := newGate(1, 2)
	for _, ch := range []uint16{0, 3} {
		g.confirmLocked(ch, 1, false, true, func(int64) { t.Error("confirmed") })
	}
	if g.bad != 2 {
		t.Errorf("%d bad confirms", g.bad)
	}
}

func TestWindow(t *testing.T) {
	g := newGate(3, 2)
	room := func() string {
		s := ""
		for ch := range uint16(2) {
			s += map[bool]string{true: "y", false: "n"}[g.roomLocked(ch+1)]
		}
		return s
	}
	ignore := func(int64) {}
	g.publishLocked(1, 1)
	g.publishLocked(1, 1)
	if got := room(); got != "yy" {
		t.Errorf("2 of 3 under way: %s", got)
	}
	g.publishLocked(2, 1)
	if got := room(); got != "nn" {
		t.Errorf("3 of 3 under way, over both channels: %s", got)
	}
	g.confirmLocked(2, 1, false, true, ignore)
	// The first of channel 1 stays unconfirmed: its ring of 16 fills up.
	g.confirmLocked(1, 2, false, true, ignore)
	for tag := uint64(3); tag <= 16; tag++ {
		if got := room(); got != "yy" {
			t.Fatalf("tag %d: %s", tag, got)
		}
		g.publishLocked(1, 1)
		g.confirmLocked(1, tag, false, true, ignore)
	}
	if got := room(); got != "ny" {
		t.Errorf("16 after the one that is not confirmed: %s", got)
	}
	g.confirmLocked(1, 1, false, true, ignore)
	if got := room(); got != "yy" {
		t.Errorf("all confirmed: %s", got)
	}
}

func TestGateWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(0, 1)
		g.block(true)
		passed := make(chan bool, 2)
		go func() {
			for range 2 {
				g.mu.Lock()
				passed <- g.passLocked(1)
				g.mu.Unlock()
			}
		}()
		synctest.Wait()
		if len(passed) > 0 {
			t.Fatal("something passed a blocked gate")
		}
		g.block(false)
		if !<-passed {
			t.Error("the gate was not opened")
		}
		<-passed
		g.block(true)
		go func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			passed <- g.passLocked(1)
		}()
		synctest.Wait()
		g.stop()
		g.stop()
		if <-passed {
			t.Error("something passed a gate that is closed for good")
		}
	})
}

func TestPace(t *testing.T) {
	p := pace{start: 1000, rate: 1e9 / 250}
	for _, c := range []struct {
		now  int64
		want uint64
	}{{0, 0}, {999, 0}, {1000, 1}, {1249, 1}, {1250, 2}, {2000, 5}} {
		if got := p.due(c.now); got != c.want {
			t.Errorf("due at %d: %d, want %d", c.now, got, c.want)
		}
	}
	if got := p.at(4, 99999); got != 2000 {
		t.Errorf("message 4 is due at %d", got)
	}
	if all := (pace{}); all.due(7) < 1<<62 || all.at(3, 7) != 7 {
		t.Error("without a rate all is due at once")
	}
}

func TestPaceWaits(t *testing.T) {
	c := clock{time.Now()}
	p := pace{start: 0, rate: 50}
	p.wait(1, c, nil)
	if now := c.now(); now < 20e6 {
		t.Errorf("waited %d ns for message 1 of 50 a second", now)
	}
	stop := make(chan struct{})
	close(stop)
	pace{rate: 1e-6}.wait(1, c, stop) // must return
}
