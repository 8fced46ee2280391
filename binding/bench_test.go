package binding

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// manyTopics is 10,000 patterns with wildcards over 100 destinations.
func manyTopics(tb testing.TB) *Topic[int] {
	x := NewTopic[int]()
	for i := range 10_000 {
		p := fmt.Sprintf([]string{"eu.*.s%d.#", "#.s%d", "*.k.s%d", "eu.k.s%d.*"}[i%4], i)
		mustAdd(tb, x, p, nil, i%100)
	}
	return x
}

// manyHeaders is 1,000 bindings that each need two headers.
func manyHeaders(tb testing.TB) *Headers[int] {
	x := NewHeaders[int]()
	for i := range 1000 {
		mustAdd(tb, x, "", table("format", "pdf", "id", int64(i)), i%100)
	}
	return x
}

// someConsistent is n destinations of weight 10.
func someConsistent(tb testing.TB, n int) *Consistent[int] {
	x := NewConsistent(strconv.Itoa)
	for i := range n {
		mustAdd(tb, x, "10", nil, i)
	}
	return x
}

var someHeaders = amqp.Table{{Name: "format", Value: "pdf"}, {Name: "id", Value: int32(42)}, {Name: "other", Value: true}}

func TestMatchDoesNotAllocate(t *testing.T) {
	direct, fanout := NewDirect[int](), NewFanout[int]()
	for i := range 100 {
		mustAdd(t, direct, "k", hiddenArgs(i), i%50)
		mustAdd(t, fanout, "k", nil, i)
	}
	consistent, modulus, random := someConsistent(t, 100), NewModulus(strconv.Itoa), NewRandom[int]()
	for i := range 100 {
		mustAdd(t, modulus, "", nil, i)
		mustAdd(t, random, "", nil, i)
	}
	topics, headers := manyTopics(t), manyHeaders(t)
	mustAdd(t, topics, "#", nil, 1)
	var s Scratch
	dst := make([]int, 0, 100)
	for name, match := range map[string]func() []int{
		"direct":     func() []int { return direct.Match("k", &s, dst) },
		"fanout":     func() []int { return fanout.Match(dst) },
		"topic":      func() []int { return topics.Match("eu.k.s42.x", &s, dst) },
		"headers":    func() []int { return headers.Match(someHeaders, &s, dst) },
		"consistent": func() []int { return consistent.Match(HashText("key4711"), dst) },
		"by value":   func() []int { return consistent.Match(HashValue(someHeaders[1].Value, &s), dst) },
		"modulus":    func() []int { return modulus.Match(HashText("key4711"), dst) },
		"random":     func() []int { return random.Match(dst) },
	} {
		if len(match()) == 0 {
			t.Errorf("%s: no match", name)
		}
		if n := testing.AllocsPerRun(100, func() { match() }); n > 0 {
			t.Errorf("%s: %v allocations a match", name, n)
		}
	}
}

func BenchmarkDirectMatch(b *testing.B) {
	x := NewDirect[int]()
	for i := range 10_000 {
		mustAdd(b, x, fmt.Sprint("key", i), nil, i%100)
	}
	var s Scratch
	var dst []int
	b.ReportAllocs()
	for b.Loop() {
		dst = x.Match("key4711", &s, dst[:0])
	}
}

func BenchmarkTopicMatch10000(b *testing.B) {
	x := manyTopics(b)
	var s Scratch
	var dst []int
	b.ReportAllocs()
	for b.Loop() {
		dst = x.Match("eu.k.s42.x", &s, dst[:0])
	}
}

func BenchmarkHeadersMatch1000(b *testing.B) {
	x := manyHeaders(b)
	var s Scratch
	var dst []int
	b.ReportAllocs()
	for b.Loop() {
		dst = x.Match(someHeaders, &s, dst[:0])
	}
}

func BenchmarkConsistentMatch(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			x := someConsistent(b, n)
			var dst []int
			b.ReportAllocs()
			for h := Hash(0); b.Loop(); h++ {
				dst = x.Match(h, dst[:0])
			}
		})
	}
}

// A destination with 10 bindings comes and goes among a million bindings.
func BenchmarkChurnAmongMillion(b *testing.B) {
	x := NewDirect[int]()
	for i := range 1_000_000 {
		mustAdd(b, x, fmt.Sprint("key", i%200_000), nil, i%1000)
	}
	keys := make([]string, 10)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, key := range keys {
			mustAdd(b, x, key, nil, -1)
		}
		if len(x.RemoveDestination(-1)) != 10 {
			b.Fatal("not all removed")
		}
	}
}
