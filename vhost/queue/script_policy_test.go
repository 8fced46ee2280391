package queue

import "strconv"

// policy applies one that says these keys and values: numbers are numbers.
func (s *stage) policy(args []string) {
	_, opts := options(args)
	def := map[string]any{}
	for k, v := range opts {
		def[k] = v
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			def[k] = n
		}
	}
	s.queue.SetPolicy(Applied{Policy: "p", Definition: def}, &s.fx)
}

func activeConsumers(q *Queue) (names []string) {
	for _, c := range q.Consumers() {
		if c.Active() {
			names = append(names, c.Key.Tag)
		}
	}
	return names
}
