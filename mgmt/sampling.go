package mgmt

import (
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/mgmt/rates"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

// What is sampled of each kind of object.
var (
	queueColumns      = slices.Concat(queueMessageNames, lengthNames)
	exchangeColumns   = exchangeMessageNames
	connectionColumns = []string{"recv_oct", "send_oct"}
	vhostColumns      = slices.Concat(vhostMessageNames, lengthNames, connectionColumns)
	churnNames        = []string{"connection_created", "connection_closed", "channel_created", "channel_closed",
		"queue_declared", "queue_created", "queue_deleted"}
	storeNames    = []string{"disk_reads", "disk_writes"}
	brokerColumns = slices.Concat(messageNames, storeNames, lengthNames, churnNames)
)

// channelKey tells channels apart.
type channelKey struct {
	connection uint64
	number     uint16
}

// sampler takes a sample of everything each rates.Step. The first one is taken before
// it is asked for anything.
type sampler struct {
	queues      *rates.Group[*queue.Queue]
	exchanges   *rates.Group[*exchange.Exchange]
	vhosts      *rates.Group[*vhost.VHost]
	connections *rates.Group[uint64]
	channels    *rates.Group[channelKey]
	broker      *rates.Long
	node        *rates.Long

	stop, stopped chan struct{}
}

func newSampler() *sampler {
	return &sampler{
		queues:      rates.NewGroup[*queue.Queue](len(queueColumns)),
		exchanges:   rates.NewGroup[*exchange.Exchange](len(exchangeColumns)),
		vhosts:      rates.NewGroup[*vhost.VHost](len(vhostColumns)),
		connections: rates.NewGroup[uint64](len(connectionColumns)),
		channels:    rates.NewGroup[channelKey](len(channelMessageNames)),
		broker:      rates.NewLong(len(brokerColumns)),
		node:        rates.NewLong(len(nodeColumns)),
		stop:        make(chan struct{}),
		stopped:     make(chan struct{}),
	}
}

// sampleAll takes samples until Close, at times that rates.Step divides.
func (a *API) sampleAll() {
	defer close(a.sampler.stopped)
	for {
		now := time.Now()
		next := time.NewTimer(now.Truncate(rates.Step).Add(rates.Step).Sub(now))
		select {
		case <-next.C:
			a.sample(time.Now())
		case <-a.sampler.stop:
			next.Stop()
			return
		}
	}
}

// sample takes one sample of everything: some 100 ns for each queue, exchange,
// connection and channel.
func (a *API) sample(now time.Time) {
	s := a.sampler
	of := a.sampleObjects(now)
	traffic := a.sampleConnections(now)
	s.vhosts.Sample(now, func(put func(*vhost.VHost, []int64)) {
		for v, numbers := range of {
			t := traffic[v.Name()]
			put(v, append(numbers, int64(t.RecvBytes), int64(t.SendBytes)))
		}
	})
	total := make([]int64, len(lengthNames))
	for _, numbers := range of {
		for i := range total {
			total[i] += numbers[len(vhostMessageNames)+i]
		}
	}
	t := a.broker.Totals()
	load := a.load()
	numbers := appendCounts(nil, t.Messages, messageNames)
	numbers = append(numbers, int64(load.MessagesRead), int64(load.MessagesWritten))
	numbers = append(numbers, total...)
	s.broker.Sample(now, append(numbers, churn(&t)...))
	s.node.Sample(now, nodeNumbers(load, &t))
}

// sampleObjects samples queues and exchanges, and returns what those of each vhost come
// to: its messages and lengths.
func (a *API) sampleObjects(now time.Time) map[*vhost.VHost][]int64 {
	of := map[*vhost.VHost][]int64{}
	vhosts := a.vhosts.VHosts()
	counts := make([]server.MessageCounts, len(vhosts))
	lengths := make([][]int64, len(vhosts))
	a.sampler.queues.Sample(now, func(put func(*queue.Queue, []int64)) {
		numbers := make([]int64, 0, len(queueColumns))
		for i, v := range vhosts {
			lengths[i] = make([]int64, len(lengthNames))
			for _, q := range v.Queues() {
				s := q.Stats()
				c := queueCounts(s.Counts)
				addCounts(&counts[i], &c)
				numbers = appendLengths(appendCounts(numbers[:0], c, queueMessageNames), &s)
				put(q, numbers)
				for at, n := range numbers[len(queueMessageNames):] {
					lengths[i][at] += n
				}
			}
		}
	})
	a.sampler.exchanges.Sample(now, func(put func(*exchange.Exchange, []int64)) {
		for i, v := range vhosts {
			counts[i].Publish = 0
			for _, x := range v.Exchanges() {
				in, out := x.Counts()
				counts[i].Publish += in
				put(x, []int64{int64(in), int64(out)})
			}
		}
	})
	for i, v := range vhosts {
		of[v] = append(appendCounts(nil, counts[i], vhostMessageNames), lengths[i]...)
	}
	return of
}

func appendLengths(to []int64, s *queue.Stats) []int64 {
	return append(to, int64(s.Ready+s.Unacked), int64(s.Ready), int64(s.Unacked))
}

// sampleConnections samples connections and channels, and returns what went over those
// of each vhost.
func (a *API) sampleConnections(now time.Time) map[string]server.Traffic {
	traffic := map[string]server.Traffic{}
	a.sampler.connections.Sample(now, func(put func(uint64, []int64)) {
		for _, c := range a.broker.ConnectionInfos() {
			put(c.ID, []int64{int64(c.Traffic.RecvBytes), int64(c.Traffic.SendBytes)})
			t := traffic[c.VHost]
			t.RecvBytes += c.Traffic.RecvBytes
			t.SendBytes += c.Traffic.SendBytes
			traffic[c.VHost] = t
		}
	})
	a.sampler.channels.Sample(now, func(put func(channelKey, []int64)) {
		var numbers []int64
		for _, c := range a.broker.ChannelInfos() {
			numbers = appendCounts(numbers[:0], c.Messages, channelMessageNames)
			put(channelKey{c.Connection.ID, c.Number}, numbers)
		}
	})
	return traffic
}

// churn are the numbers of churnNames.
func churn(t *server.Totals) []int64 {
	return []int64{int64(t.ConnectionsOpened), int64(t.ConnectionsClosed), int64(t.ChannelsOpened), int64(t.ChannelsClosed),
		int64(t.QueuesDeclared), int64(t.QueuesCreated), int64(t.QueuesDeleted)}
}

func addCounts(to, c *server.MessageCounts) {
	to.Publish += c.Publish
	to.PublishIn += c.PublishIn
	to.PublishOut += c.PublishOut
	to.Confirm += c.Confirm
	to.ReturnUnroutable += c.ReturnUnroutable
	to.DropUnroutable += c.DropUnroutable
	to.Deliver += c.Deliver
	to.DeliverNoAck += c.DeliverNoAck
	to.Get += c.Get
	to.GetNoAck += c.GetNoAck
	to.GetEmpty += c.GetEmpty
	to.Redeliver += c.Redeliver
	to.Ack += c.Ack
}

// observe is what a group knows about an object.
func observe[K comparable](r *request, g *rates.Group[K], columns []string, k K) observed {
	o := observed{columns: columns, spans: r.spans}
	if r.spans.hidden() {
		return o
	}
	o.rates = g.Rates(k)
	if r.spans != nil && r.spans.byKind != nil {
		o.past = oncePast(func(time.Duration) rates.Past { return g.Past(k) })
	}
	return o
}

func (a *API) observeQueue(r *request, q *queue.Queue) observed {
	return observe(r, a.sampler.queues, queueColumns, q)
}

func (a *API) observeExchange(r *request, x *exchange.Exchange) observed {
	return observe(r, a.sampler.exchanges, exchangeColumns, x)
}

func (a *API) observeVHost(r *request, v *vhost.VHost) observed {
	return observe(r, a.sampler.vhosts, vhostColumns, v)
}

func (a *API) observeConnection(r *request, id uint64) observed {
	return observe(r, a.sampler.connections, connectionColumns, id)
}

func (a *API) observeChannel(r *request, connection uint64, number uint16) observed {
	return observe(r, a.sampler.channels, channelMessageNames, channelKey{connection, number})
}

func (a *API) observeBroker(r *request) observed {
	return observeLong(r, a.sampler.broker, brokerColumns)
}

func (a *API) observeNode(r *request) observed {
	return observeLong(r, a.sampler.node, nodeColumns)
}

func observeLong(r *request, l *rates.Long, columns []string) observed {
	o := observed{columns: columns, spans: r.spans}
	if !r.spans.hidden() {
		o.rates = l.Rates()
		o.past = oncePast(l.Past)
	}
	return o
}

// vhostNumbers are the messages of a vhost, those of the queues and exchanges that there
// are, and the lengths of its queues together: those of lengthNames. What is deleted
// takes its counts with it.
func vhostNumbers(v *vhost.VHost) (counts server.MessageCounts, lengths []int64) {
	lengths = make([]int64, len(lengthNames))
	for _, q := range v.Queues() {
		s := q.Stats()
		c := queueCounts(s.Counts)
		addCounts(&counts, &c)
		lengths[0] += int64(s.Ready + s.Unacked)
		lengths[1] += int64(s.Ready)
		lengths[2] += int64(s.Unacked)
	}
	counts.Publish = 0
	for _, x := range v.Exchanges() {
		in, _ := x.Counts()
		counts.Publish += in
	}
	return counts, lengths
}
