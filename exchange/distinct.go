package exchange

// distinct is a list without doubles. A short one is searched from end to end;
// a longer one has a map to ask, which is made when it is first needed.
type distinct[T comparable] struct {
	list []T
	// members holds the first len(members) of list, if it is in use.
	members map[T]struct{}
	// high is the largest size of members since it was made.
	high int
}

const (
	// searchLimit is up to where searching the list is cheaper than hashing.
	searchLimit = 16
	// keepFactor: a map that was this much larger once is not kept, since to
	// clear it costs as much as its largest size.
	keepFactor = 64
)

// reset empties the list. What it held may stay referenced until overwritten.
func (d *distinct[T]) reset() {
	d.list = d.list[:0]
	if n := len(d.members); n > 0 {
		if d.high = max(d.high, n); d.high > keepFactor*n {
			d.members, d.high = nil, 0
		}
		clear(d.members)
	}
}

// forget is reset that leaves nothing referenced.
func (d *distinct[T]) forget() {
	d.reset()
	clear(d.list[:cap(d.list)])
}

// addNew adds what is known to be new.
func (d *distinct[T]) addNew(v T) { d.list = append(d.list, v) }

// add adds v unless it is there.
func (d *distinct[T]) add(v T) {
	if len(d.list) < searchLimit {
		for _, w := range d.list {
			if w == v {
				return
			}
		}
		d.addNew(v)
		return
	}
	if d.members == nil {
		d.members = make(map[T]struct{})
	}
	for n := len(d.members); n < len(d.list); n++ {
		d.members[d.list[n]] = struct{}{}
	}
	if _, ok := d.members[v]; !ok {
		d.members[v] = struct{}{}
		d.addNew(v)
	}
}
