package queue

// returned holds items that came back, as a binary heap by place in line.
type returned []item

func (h *returned) push(it item) {
	*h = append(*h, it)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent].seq <= s[i].seq {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

// drop removes the item that is first in line; there must be one.
func (h *returned) drop() {
	s := *h
	last := len(s) - 1
	s[0] = s[last]
	s[last] = item{}
	s = s[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if s[child].seq < s[least].seq {
				least = child
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	if len(s) == 0 && cap(s) > segmentMax {
		s = nil
	}
	*h = s
}
