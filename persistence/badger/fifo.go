package badger

// fifo is a queue in one slice. What is taken from its front costs no more than
// that, however much there is behind. The zero value is empty.
type fifo[T any] struct {
	all  []T
	from int // what comes before was taken
}

func (f *fifo[T]) len() int { return len(f.all) - f.from }

func (f *fifo[T]) push(more ...T) { f.all = append(f.all, more...) }

// front returns the first n, which are good until drop or push.
func (f *fifo[T]) front(n int) []T { return f.all[f.from : f.from+n] }

// drop takes the first n away.
func (f *fifo[T]) drop(n int) {
	clear(f.front(n))
	f.from += n
	if f.from < f.len() {
		return
	}
	left := copy(f.all, f.all[f.from:])
	clear(f.all[left:])
	f.all, f.from = f.all[:left], 0
}
