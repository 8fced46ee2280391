package rates

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is the time of the nth sample.
func at(n int) time.Time { return start.Add(time.Duration(n) * Step) }

// feed samples one object "q" with a column, one sample for each number; -1 is a sample
// without it.
func feed(g *Group[string], from int, numbers ...int64) {
	for i, n := range numbers {
		g.Sample(at(from+i), func(put func(string, []int64)) {
			if n >= 0 {
				put("q", []int64{n, 0})
			}
		})
	}
}

func TestGroupRates(t *testing.T) {
	for _, c := range []struct {
		name    string
		numbers []int64
		rate    float64 // of the last step
		tracked int
	}{
		{"never anything", []int64{0, 0, 0}, 0, 0},
		{"there at the start", []int64{100}, 0, 1},
		{"there at the start, at rest", []int64{100, 100}, 0, 1},
		{"there at the start, busy", []int64{100, 150}, 10, 1},
		{"new and busy at once", []int64{-1, 50}, 10, 1},
		{"first of it", []int64{0, 0, 25}, 5, 1},
		{"goes on", []int64{0, 25, 75}, 10, 1},
		{"stops", []int64{0, 25, 75, 75}, 0, 1},
		{"down", []int64{0, 75, 25}, -10, 1},
		{"gone", []int64{0, 75, -1}, 0, 0},
		{"gone and back", []int64{0, 75, -1, 10}, 2, 1},
		{"busy after a long rest", append(slices.Repeat([]int64{70}, 30), 80), 2, 1},
		{"back to nothing", []int64{0, 5, 0}, -1, 1},
	} {
		g := NewGroup[string](2)
		feed(g, 0, c.numbers...)
		got := 0.0
		if r := g.Rates("q"); r != nil {
			got = r[0]
		}
		if got != c.rate || g.Tracked() != c.tracked {
			t.Errorf("%s: %v a second, %d tracked, want %v and %d", c.name, got, g.Tracked(), c.rate, c.tracked)
		}
	}
}

// What an object at rest leaves behind is its last numbers; a busy one keeps a minute.
func TestGroupMemory(t *testing.T) {
	g := NewGroup[string](2)
	feed(g, 0, 0, 1, 2, 3)
	if o := g.objects["q"]; o.busy == nil || len(o.busy.times) != 4 {
		t.Fatalf("busy: %+v", o)
	}
	feed(g, 4, slices.Repeat([]int64{3}, keptBusy)...)
	if o := g.objects["q"]; o.busy != nil || o.resting != string(pack(nil, []int64{3})) {
		t.Fatalf("at rest: %+v", o)
	}
	var numbers []int64
	for i := range int64(40) {
		numbers = append(numbers, 4+i)
	}
	feed(g, 20, numbers...)
	if n := len(g.objects["q"].busy.times); n != keptBusy {
		t.Fatalf("busy again: %d samples, want %d", n, keptBusy)
	}
	g.Past("q")
	numbers = numbers[:0]
	for i := range int64(130) {
		numbers = append(numbers, 100+i)
	}
	feed(g, 60, numbers[:60]...)
	if n := len(g.objects["q"].busy.times); n != keptBusy+60 {
		t.Fatalf("looked at: %d samples, want %d", n, keptBusy+60)
	}
	feed(g, 120, numbers[60:]...)
	if n := len(g.objects["q"].busy.times); n != keptBusy {
		t.Fatalf("not looked at any more: %d samples, want %d", n, keptBusy)
	}
}

func TestGroupPast(t *testing.T) {
	g := NewGroup[string](2)
	feed(g, 0, 0, 0, 10, 30, 30)
	for _, c := range []struct {
		age, step  time.Duration
		want       []int64
		mean, rate float64
	}{
		{20 * time.Second, 5 * time.Second, []int64{30, 30, 10, 0, 0}, 14, 1.5},
		{20 * time.Second, 10 * time.Second, []int64{30, 10, 0}, 40.0 / 3, 1.5},
		{3 * time.Second, 5 * time.Second, []int64{30}, 30, 0},
		{time.Minute, time.Minute, []int64{0, 0}, 0, 0},
		{40 * time.Second, 20 * time.Second, []int64{30, 0, 0}, 10, 0.75},
	} {
		list := g.Past("q").Samples(0, c.age, c.step)
		var got []int64
		for i, s := range list {
			got = append(got, s.Number)
			if s.At.UnixNano()%int64(c.step) != 0 || i > 0 && list[i-1].At.Sub(s.At) != c.step {
				t.Errorf("%v/%v: sample %d at %v", c.age, c.step, i, s.At)
			}
		}
		mean, rate := Average(list)
		if !slices.Equal(got, c.want) || math.Abs(mean-c.mean) > 1e-9 || rate != c.rate {
			t.Errorf("%v/%v: %v, mean %v, rate %v, want %v, %v, %v", c.age, c.step, got, mean, rate, c.want, c.mean, c.rate)
		}
	}
	if list := g.Past("other").Samples(1, time.Minute, time.Minute); len(list) != 2 || list[0].Number != 0 {
		t.Errorf("an unknown object: %v", list)
	}
}

// An object at rest that somebody looks at has its numbers as they are, and a curve
// from then on.
func TestGroupPastAtRest(t *testing.T) {
	g := NewGroup[string](2)
	feed(g, 0, slices.Repeat([]int64{7}, 3)...)
	if list := g.Past("q").Samples(0, 10*time.Second, Step); len(list) != 3 || list[2].Number != 7 {
		t.Fatalf("at rest: %v", list)
	}
	feed(g, 3, 7, 7, 9)
	if got := g.Past("q").Samples(0, 5*time.Second, Step); got[0].Number != 9 || got[1].Number != 7 {
		t.Fatalf("then: %v", got)
	}
}

func TestLong(t *testing.T) {
	l := NewLong(1)
	if l.Rates() != nil || l.Past(time.Hour).Samples(0, time.Hour, time.Minute)[0].Number != 0 {
		t.Error("there is something before the first sample")
	}
	const day = 24 * 60 * 60 / 5
	for i := range 2 * day {
		l.Sample(at(i), []int64{int64(5 * i)})
	}
	if r := l.Rates(); len(r) != 1 || r[0] != 1 {
		t.Errorf("rates %v, want 1", r)
	}
	last := int64(5 * (2*day - 1))
	for i, kept := range Retention {
		age, step := time.Duration(kept)*time.Second, steps[i]
		list := l.Past(age).Samples(0, age, step)
		newest, oldest := list[0].Number, list[len(list)-1].Number
		if newest < last-int64(step/time.Second) || newest-oldest != int64(kept) {
			t.Errorf("%v: from %d to %d, want up to %d and %d apart", age, oldest, newest, last, kept)
		}
	}
	for i, level := range l.levels {
		if len(level.times) > level.keep || level.keep > 130 {
			t.Errorf("level %d keeps %d samples", i, len(level.times))
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add(int64(0), int64(1), int64(-1))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64), int64(0))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		want := []int64{a, b, c}
		packed := pack(nil, want)
		if got := unpack(string(packed), 3); !slices.Equal(got, want) {
			t.Fatalf("%v comes back as %v", want, got)
		}
		if (len(packed) == 0) != (a == 0 && b == 0 && c == 0) {
			t.Fatalf("%v is packed into %d bytes", want, len(packed))
		}
	})
}

// A sample of 10,000 objects at rest, and of 10,000 that are busy.
func BenchmarkSample(b *testing.B) {
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("busy=%v", busy), func(b *testing.B) {
			g := NewGroup[int](12)
			numbers := make([]int64, 12)
			n := 0
			for b.Loop() {
				n++
				g.Sample(at(n), func(put func(int, []int64)) {
					for k := range 10_000 {
						if numbers[0] = int64(k); busy {
							numbers[1] = int64(n)
						}
						put(k, numbers)
					}
				})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/object")
		})
	}
}
