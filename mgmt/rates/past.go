package rates

import (
	"slices"
	"sort"
	"time"
)

// ring is the last samples of an object, oldest first.
type ring struct {
	columns, keep int
	times         []time.Time
	numbers       []int64 // columns for each time
}

// add enters a sample; what is too much goes.
func (r *ring) add(at time.Time, numbers []int64) {
	if over := len(r.times) + 1 - r.keep; over > 0 {
		r.times = append(r.times[:0], r.times[over:]...)
		r.numbers = append(r.numbers[:0], r.numbers[over*r.columns:]...)
	}
	r.times = append(r.times, at)
	r.numbers = append(r.numbers, numbers...)
}

// endsWith reports whether the last sample is these numbers.
func (r *ring) endsWith(numbers []int64) bool {
	return slices.Equal(r.numbers[len(r.numbers)-r.columns:], numbers)
}

// rates are those between the last two samples.
func (r *ring) rates() []float64 {
	n := len(r.times)
	if n < 2 {
		return nil
	}
	seconds := r.times[n-1].Sub(r.times[n-2]).Seconds()
	if seconds <= 0 {
		return nil
	}
	of := make([]float64, r.columns)
	last := r.numbers[(n-1)*r.columns:]
	before := r.numbers[(n-2)*r.columns:]
	for i := range of {
		of[i] = float64(last[i]-before[i]) / seconds
	}
	return of
}

func (r *ring) past() Past {
	return Past{r.columns, r.times[len(r.times)-1], slices.Clone(r.times), slices.Clone(r.numbers)}
}

// Past is the samples of an object. Before the first it was as then.
type Past struct {
	columns int
	now     time.Time
	times   []time.Time
	numbers []int64
}

// Sample is a number at a time.
type Sample struct {
	Number int64
	At     time.Time
}

// Samples returns one number each step, newest first, for age: age/step and one more
// of them, at times that step divides. Both are positive.
func (p Past) Samples(column int, age, step time.Duration) []Sample {
	newest := p.now.Truncate(step)
	list := make([]Sample, 0, age/step+1)
	for back := time.Duration(0); back <= age; back += step {
		at := newest.Add(-back)
		list = append(list, Sample{p.number(column, at), at})
	}
	return list
}

// number is what a column was at a time.
func (p Past) number(column int, at time.Time) int64 {
	if len(p.times) == 0 {
		return 0
	}
	later := sort.Search(len(p.times), func(i int) bool { return p.times[i].After(at) })
	return p.numbers[max(later-1, 0)*p.columns+column]
}

// Average returns the mean of samples, and by how much they grew a second from the
// oldest to the newest, as RabbitMQ works them out. There is at least one.
func Average(list []Sample) (mean, rate float64) {
	var sum int64
	for _, s := range list {
		sum += s.Number
	}
	newest, oldest := list[0], list[len(list)-1]
	if seconds := newest.At.Sub(oldest.At).Seconds(); seconds > 0 {
		rate = float64(newest.Number-oldest.Number) / seconds
	}
	return float64(sum) / float64(len(list)), rate
}

// Zeros is the past of what has always been 0.
func Zeros(now time.Time) Past { return Past{now: now} }
