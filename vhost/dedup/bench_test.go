package dedup

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/leveretmq/leveret/persistence/memory"
)

func numbered(n int) (k Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

func TestAllocations(t *testing.T) {
	m := message(DefaultHeader, "a key of thirty-two bytes or so.")
	var n notes
	at := 0
	for _, c := range []struct {
		name string
		w    *Window
		most float64
		do   func(w *Window)
	}{
		{"a duplicate", New(Config{}), 2, func(w *Window) { // the value of the header
			s, _ := w.Of(m)
			w.Enter(s)
		}},
		{"a new key in memory", New(Config{}), 1, func(w *Window) {
			at++
			e, _ := w.Enter(Subject{Key: numbered(at)})
			e.Keep(&n)
		}},
		{"a new key that is stored", New(Config{Owner: 1, Store: memory.New()}), 2, func(w *Window) {
			at++
			e, _ := w.Enter(Subject{Key: numbered(at)})
			e.Keep(&n)
			n.Reset()
			e.Done(nil, nil)
		}},
	} {
		if c.name == "a duplicate" {
			s, _ := c.w.Of(m)
			e, _ := c.w.Enter(s)
			e.Keep(&n)
		}
		for range 1000 { // until the window is full
			c.do(c.w)
		}
		if got := testing.AllocsPerRun(1000, func() { c.do(c.w) }); got > c.most {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.most)
		}
	}
}

// A key takes about 100 bytes, and the room for all of them is made as they come.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := New(Config{Options: Options{Size: MaxSize}})
	var n notes
	for i := range 200_000 {
		e, _ := w.Enter(Subject{Key: numbered(i)})
		e.Keep(&n)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (after.HeapAlloc - before.HeapAlloc) / 200_000; each > 150 {
		t.Errorf("a key takes %d bytes", each)
	}
	runtime.KeepAlive(w)
}

func BenchmarkEnter(b *testing.B) {
	for _, c := range []struct {
		name string
		w    *Window
	}{
		{"memory", New(Config{Options: Options{Size: 100_000}})},
		{"stored", New(Config{Options: Options{Size: 100_000}, Owner: 1, Store: memory.New()})},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var n notes
			for i := 0; b.Loop(); i++ {
				e, _ := c.w.Enter(Subject{Key: numbered(i)})
				e.Keep(&n)
				if n.Reset(); e != nil {
					e.Done(nil, nil)
				}
			}
		})
	}
}

func BenchmarkDuplicate(b *testing.B) {
	w := New(Config{})
	m := message("other", int32(1), DefaultHeader, "a key of thirty-two bytes or so.")
	s, _ := w.Of(m)
	e, _ := w.Enter(s)
	e.Keep(&notes{})
	b.ReportAllocs()
	for b.Loop() {
		s, _ := w.Of(m)
		if _, duplicate := w.Enter(s); !duplicate {
			b.Fatal("not a duplicate")
		}
	}
}
