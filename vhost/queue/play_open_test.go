package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// Two timers never fire at the same moment, for which goes first is nobody's
// business: all that happens by itself has a fraction of a millisecond of its
// own, and time passes with each operation. These are in nanoseconds.
const (
	tick          = 32
	oddExpires    = 1_005
	oddTimeout    = 101_001
	oddOwnTimeout = 211_003
	oddRetry      = 307_009
)

const ms = time.Millisecond

// open makes a queue as the bytes say.
func (p *play) open(o op) {
	w, x, y, z := o[0], o[1], o[2], o[3]
	l := NoLimits()
	l.Overflow = Overflow(x % 3)
	l.MaxLength = []int64{-1, -1, 0, 1, 3, 8}[x/3%6]
	l.MaxBytes = []int64{-1, -1, 4, 20}[x/18%4]
	l.MaxPriority = []uint8{0, 0, 1, 3, 255}[y%5]
	l.TTL = []time.Duration{-1, -1, -1, 0, 3 * ms, 9 * ms}[y/5%6]
	l.DeliveryLimit = []int64{-1, -1, -1, 0, 2}[y/30%5]
	l.SingleActive = z&3 == 0
	l.DeadLetter = z&12 != 0
	if z&96 == 0 {
		l.Expires = 20*ms + oddExpires
	}
	l.ConsumerTimeout = []time.Duration{0, 0, 5*ms + oddTimeout}[x/24%3]
	l.Retry = retryFor(w)
	if w/8%4 == 3 {
		l.Dedup = &dedup.Options{Enabled: true, Size: 1 + int(y%4), TTL: []time.Duration{0, 5 * ms}[y/4%2]}
	}
	options := Options{VHost: "/", Name: "q", AutoDelete: z&128 != 0 && z&3 == 1, PassesOn: w/32 == 7}
	switch w / 32 {
	case 5:
		l.AtLeastOnce, l.DeadLetter, l.Overflow = true, true, RejectPublish
	case 6:
		options.Durable, options.AutoDelete = true, false
		options.Arguments = table(argType, TypeQuorum)
		if w&1 == 0 {
			options.Arguments = options.Arguments.With(argStrategy, atLeastOnce)
			l.AtLeastOnce, l.Overflow = true, RejectPublish
		}
	}
	l.settle(Type(options.Arguments))
	l.CountDeliveries = l.CountDeliveries || z&16 != 0
	p.begin(options, l, x/72)
}

// retryFor makes a way to retry.
func retryFor(w byte) Retry {
	r := []Retry{3: {Backoff: Constant, Min: 2*ms + oddRetry},
		4: {Backoff: Linear, Min: ms + oddRetry, Max: 4 * ms},
		5: {Backoff: Exponential, Min: oddRetry, Max: 10 * ms, Limited: true, Limit: 3},
		6: {Backoff: Exponential, Min: 900*ms + oddRetry, Max: heldNear + 4*time.Second},
		7: {Backoff: Constant, Min: heldNear + 200*ms + oddRetry}}[w%8]
	r.Failed, r.Returned = w/8%4 != 1, w/8%4 != 2
	return r
}

func (p *play) begin(o Options, l Limits, kind byte) {
	p.shut()
	p.after, p.deliveries = &aftermath{detailed: true}, nil
	p.storage = newStorage(p.t, kind)
	o.Limits, o.Apply = l, p.after.carryOut
	p.queue = New(p.storage.options(o))
	now := time.Now().UnixNano()
	p.model = &model{kind: Type(o.Arguments), arguments: o.Arguments, base: l, limits: l, autoDelete: o.AutoDelete,
		passesOn: o.PassesOn, now: now, lastUsed: now, hurt: map[string]bool{}, getter: &modelConsumer{name: getter}}
	if p.storage.store != nil {
		hurt := p.model.hurt // for as long as there is this store
		p.storage.store.damaged = func(m *amqp.Message) bool { return hurt[m.RoutingKey] }
	}
	p.enter()
}

// policy applies or removes one.
func (p *play) policy(o op) {
	x, y, z := o[1], o[2], int64(o[3])
	def := map[string]any{}
	for _, entry := range []struct {
		on    bool
		key   string
		value any
	}{
		{x&1 == 1, "max-length", z % 9},
		{x&6 == 6, "max-length-bytes", z},
		{x&24 == 24, "message-ttl", z % 7},
		{x&96 == 96, "delivery-limit", z%4 - 1},
		{y&3 == 3, "overflow", []string{"drop-head", "reject-publish", "reject-publish-dlx"}[z%3]},
		{y&4 == 4, "dead-letter-exchange", "x"},
		{y&6 == 6, "dead-letter-strategy", []string{"at-least-once", "at-most-once"}[z/2%2]},
		{y&24 == 24, "retry-backoff", []string{"constant", "linear", "exponential"}[z%3]},
		{y&24 == 24, "retry-min", []int64{1, 3, 700, heldNear/1e6 + 100}[z/3%4]},
		{y&56 == 56, "retry-max", []int64{1, 10, heldNear/1e6 + 3000}[z/12%3]},
		{y&88 == 88, "retry-limit", z % 3},
		{y&24 == 8, "delayed-retry-type", []string{"all", "failed", "returned", "disabled"}[z%4]},
		{y&40 == 40, "delayed-retry-min", []int64{1, 2, heldNear/1e6 + 500}[z/4%3]},
		{y&72 == 72, "delayed-retry-max", []int64{1, 5, heldNear/1e6 + 2000}[z/12%3]},
	} {
		if entry.on && y&128 == 0 {
			def[entry.key] = entry.value
		}
	}
	p.queue.SetPolicy(Applied{Policy: "p", Definition: def}, &p.fx)
	p.model.policy(def)
}
