package binding

import "github.com/leveretmq/leveret/amqp"

// Scratch is the memory that a match needs, kept so that the next match need
// not allocate. The zero value is ready. It may be used with any indexes, by
// one goroutine at a time. It holds on to no destination.
type Scratch struct {
	found  smallSet // slots of destinations that the match has named
	hashes smallSet // '#' nodes that the match has reached
	active []uint32 // trie nodes reached with the words so far
	next   []uint32 // and with one word more
	header headerScratch
	value  []byte // that is being hashed
}

// headerScratch is a message's headers in the form that filters compare.
type headerScratch struct {
	fields amqp.Table // sorted by name
	keys   []byte     // of all fields, see appendName and appendValue
	ends   []int      // where the key of each field ends in keys
}

// smallSetLimit is how many members a smallSet looks through one by one.
const smallSetLimit = 16

// smallSet is a set of small numbers. While it has few members, they are in a
// list; when they are many, in an array with a mark for each number, so that
// a member costs the same however many there are. To empty it is to take a new
// mark.
type smallSet struct {
	list  []uint32
	marks []uint32 // marks[n] == mark: n is a member
	mark  uint32
	many  bool
}

func (s *smallSet) reset() { s.list, s.many = s.list[:0], false }

// add adds n and reports whether it is new.
func (s *smallSet) add(n uint32) bool {
	if s.many {
		return s.addMark(n)
	}
	for _, m := range s.list {
		if m == n {
			return false
		}
	}
	if len(s.list) < smallSetLimit {
		s.list = append(s.list, n)
		return true
	}
	s.many = true
	if s.mark++; s.mark == 0 { // after 2^32 rounds old marks would count again
		clear(s.marks)
		s.mark = 1
	}
	for _, m := range s.list {
		s.addMark(m)
	}
	return s.addMark(n)
}

func (s *smallSet) addMark(n uint32) bool {
	if int(n) >= len(s.marks) {
		marks := make([]uint32, max(2*len(s.marks), int(n)+1))
		copy(marks, s.marks)
		s.marks = marks
	}
	if s.marks[n] == s.mark {
		return false
	}
	s.marks[n] = s.mark
	return true
}
