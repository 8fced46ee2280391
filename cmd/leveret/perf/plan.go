package perf

import "fmt"

// plan is what a config comes to on one broker: names, who publishes where,
// who consumes what, and so which messages must arrive in which queue.
type plan struct {
	exchange string // its name; "" is the default exchange
	queues   []queuePlan
	bindings []bindingPlan
	targets  [][]target // by producer: it publishes to them in turn
	// subscriptions are what each consumer's connection consumes.
	subscriptions [][]subscription
}

// queuePlan is one queue.
type queuePlan struct {
	name      string
	durable   bool
	exclusive bool
	// owner is the consumer whose connection declares the queue, which must
	// be so if it is exclusive; -1: it does not matter.
	owner int
	// competing says that more than one consumer takes from it.
	competing bool
	// arrivals are the messages that it must get, by producer: nil for none.
	arrivals []*arrivals
}

type bindingPlan struct {
	queue int
	key   string
}

// target is where a producer's message goes.
type target struct {
	exchange string
	key      string
	channel  uint16
	queues   []int // that it reaches, ascending
}

type subscription struct {
	queue   int
	channel uint16
}

func (t target) channelNumber() uint16       { return t.channel }
func (s subscription) channelNumber() uint16 { return s.channel }

// arrivals are the messages of one producer that one queue gets: those whose
// number modulo cycle is one of residues. They are counted by position: the
// first that arrives is 0.
type arrivals struct {
	cycle    uint64
	residues []uint64 // ascending
}

// newPlan makes the plan of a valid config. All names start with prefix.
func newPlan(conf config, prefix string) *plan {
	p := &plan{
		queues:        make([]queuePlan, conf.queues),
		targets:       make([][]target, conf.producers),
		subscriptions: make([][]subscription, conf.consumers),
	}
	for i := range p.queues {
		p.queues[i] = queuePlan{
			name:     fmt.Sprintf("%s-%d", prefix, i),
			durable:  conf.persistent,
			owner:    -1,
			arrivals: make([]*arrivals, conf.producers),
		}
	}
	p.subscribe(conf)
	switch conf.exchange {
	case "":
		p.routeDirect(conf)
	case "fanout":
		p.exchange = prefix
		p.routeFanout()
	case "topic":
		p.exchange = prefix
		p.routeTopic(conf)
	}
	for i := range p.targets {
		p.expect(i)
	}
	return p
}

// subscribe deals the queues out to the consumers, or the consumers to the
// queues if there are more of them.
func (p *plan) subscribe(conf config) {
	if conf.consumers == 0 {
		return
	}
	for i := range max(conf.queues, conf.consumers) {
		q, c := i%conf.queues, i%conf.consumers
		s := subscription{queue: q, channel: 1}
		if conf.queues > conf.consumers {
			s.channel = uint16(1 + i/conf.consumers%conf.channels)
		}
		p.subscriptions[c] = append(p.subscriptions[c], s)
		queue := &p.queues[q]
		queue.competing = queue.owner >= 0
		queue.owner = c
	}
	for i := range p.queues {
		q := &p.queues[i]
		q.exclusive = !q.durable && !q.competing && !conf.backlog
		if !q.exclusive {
			q.owner = -1
		}
	}
}

// routeDirect gives each producer its share of the queues, each on one
// channel, so that the order in the queue is the producer's.
func (p *plan) routeDirect(conf config) {
	for i := range max(conf.queues, conf.producers) {
		q, producer := i%conf.queues, i%conf.producers
		p.targets[producer] = append(p.targets[producer], target{
			key:     p.queues[q].name,
			channel: uint16(1 + len(p.targets[producer])%conf.channels),
			queues:  []int{q},
		})
	}
}

func (p *plan) routeFanout() {
	t := target{exchange: p.exchange, channel: 1}
	for i := range p.queues {
		p.bindings = append(p.bindings, bindingPlan{queue: i})
		t.queues = append(t.queues, i)
	}
	for i := range p.targets {
		p.targets[i] = []target{t}
	}
}

func (p *plan) routeTopic(conf config) {
	bindings := topicBindings(conf.bindings, conf.queues)
	for _, b := range bindings {
		p.bindings = append(p.bindings, bindingPlan{b.queue, joinWords(b.words)})
	}
	var all []target
	for _, r := range topicRoutes(bindings, conf.queues) {
		all = append(all, target{exchange: p.exchange, key: r.key, channel: 1, queues: r.queues})
	}
	for i := range p.targets {
		p.targets[i] = all
	}
}

// expect works out what the queues must get from one producer.
func (p *plan) expect(producer int) {
	targets := p.targets[producer]
	for i, t := range targets {
		for _, q := range t.queues {
			a := &p.queues[q].arrivals[producer]
			if *a == nil {
				*a = &arrivals{cycle: uint64(len(targets))}
			}
			(*a).residues = append((*a).residues, uint64(i))
		}
	}
}

// highestChannel is how many channels a connection needs.
func highestChannel[T interface{ channelNumber() uint16 }](list []T) uint16 {
	top := uint16(1)
	for _, t := range list {
		top = max(top, t.channelNumber())
	}
	return top
}
