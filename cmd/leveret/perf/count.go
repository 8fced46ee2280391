package perf

import (
	"fmt"
	"time"
)

// What a run counts, while it goes on and at the end.

func (r *run) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

func (r *run) allWritten() bool {
	for _, p := range r.producers {
		select {
		case <-p.wrote:
		default:
			return false
		}
	}
	return true
}

func (r *run) published() uint64 {
	var n uint64
	for _, p := range r.producers {
		n += p.published.Load()
	}
	return n
}

func (r *run) received() uint64 {
	var n uint64
	for _, k := range r.consumers {
		n += k.received.Load()
	}
	return n
}

func (r *run) confirmed() (acked uint64, underWay int) {
	for _, p := range r.producers {
		a, u := p.gate.counts()
		acked, underWay = acked+a, underWay+u
	}
	return acked, underWay
}

func (r *run) lastArrival() int64 {
	var last int64
	for _, k := range r.consumers {
		last = max(last, k.arrival.Load())
	}
	return last
}

// missing is how many messages of those published have not arrived.
func (r *run) missing() uint64 {
	var want uint64
	for i := range r.plan.queues {
		for producer, a := range r.plan.queues[i].arrivals {
			if a != nil {
				want += a.count(r.producers[producer].published.Load())
			}
		}
	}
	return want - min(want, r.received())
}

func (r *run) sample() (sample, error) {
	cpu, err := r.broker.cpu()
	if err != nil {
		return sample{}, err
	}
	return sample{
		at:        r.clock.now(),
		published: r.published(),
		received:  r.received(),
		own:       ownCPU(),
		broker:    cpu,
	}, nil
}

// result sums up. Publishing was measured from begin to full, deliveries from
// drain to end; begin to end is all of it. mem is the broker's at full.
func (r *run) result(begin, full, drain, end sample, mem memory) *result {
	c := r.conf
	res := &result{
		Preset: c.preset, URI: redacted(c.uri), Broker: r.topology.control.broker,
		Producers: c.producers, Consumers: c.consumers, Queues: c.queues, Size: c.size, Backlog: c.backlog,
		Published:       r.published(),
		Delivered:       r.received(),
		PublishRate:     rate(full.published-begin.published, full.at-begin.at),
		DeliverRate:     rate(end.received-drain.received, end.at-drain.at),
		PublishSeconds:  float64(full.at-begin.at) / 1e9,
		DeliverSeconds:  float64(end.at-drain.at) / 1e9,
		BrokerRSS:       mem.resident,
		BrokerAnonymous: mem.anonymous,
	}
	messages := end.received - begin.received
	if c.consumers == 0 {
		messages = end.published - begin.published
	}
	res.BrokerCPU = perMillion(int64(end.broker-begin.broker), messages)
	res.GeneratorCPU = perMillion(int64(end.own-begin.own), messages)
	r.examine(res)
	return res
}

// examine ends the connections, and so their goroutines, and looks at what
// these found.
func (r *run) examine(res *result) {
	// What a consumer leaves unacknowledged goes to the next one.
	for _, k := range r.consumers {
		k.over.Store(true)
	}
	r.hangUp()
	confirms, deliveries := newLatency(), newLatency()
	published := make([]uint64, len(r.producers))
	for i, p := range r.producers {
		published[i] = p.published.Load()
		confirms.merge(&p.latency)
		res.Faults.add(p.gate.faults())
		res.Blocked = res.Blocked || p.gate.hindered
	}
	for _, k := range r.consumers {
		deliveries.merge(&k.latency)
		res.Faults.add(k.faults())
	}
	if len(r.consumers) > 0 {
		for _, l := range r.ledgers {
			res.Faults.Lost += l.lost(published)
		}
	}
	res.Latency, res.ConfirmLatency = deliveries.percentiles(), confirms.percentiles()
}

// showProgress writes a line a second, over the last one.
func (r *run) showProgress(now time.Time) {
	if r.progress == nil || now.Sub(r.shown) < time.Second {
		return
	}
	s := sample{at: r.clock.now(), published: r.published(), received: r.received()}
	if last := r.shownWith; last.at > 0 {
		fmt.Fprintf(r.progress, "\r\x1b[K%5.1fs  published %s msg/s  delivered %s msg/s",
			float64(s.at)/1e9, thousands(rate(s.published-last.published, s.at-last.at)),
			thousands(rate(s.received-last.received, s.at-last.at)))
	}
	r.shown, r.shownWith = now, s
}

func (r *run) clearProgress() {
	if r.progress != nil {
		fmt.Fprint(r.progress, "\r\x1b[K")
	}
}
