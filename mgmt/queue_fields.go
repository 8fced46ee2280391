package mgmt

import (
	"math"
	"slices"
	"time"

	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost/queue"
)

// queueItem is a queue as it is listed. What its fields have in common is worked out
// once, when the first of them is asked for.
type queueItem struct {
	api       *API
	request   *request
	vhost     string
	queue     *queue.Queue
	numbers   *queue.Stats
	observed  *observed
	consuming []*queue.Consumer
	asked     bool // for consuming
}

// stats are the numbers of the queue.
func (i *queueItem) stats() *queue.Stats {
	if i.numbers == nil {
		stats := i.queue.Stats()
		i.numbers = &stats
	}
	return i.numbers
}

// seen is what the sampler knows about the queue.
func (i *queueItem) seen() observed {
	if i.observed == nil {
		o := i.api.observeQueue(i.request, i.queue)
		i.observed = &o
	}
	return *i.observed
}

// consumers are those of the queue.
func (i *queueItem) consumers() []*queue.Consumer {
	if !i.asked {
		i.consuming, i.asked = i.queue.Consumers(), true
	}
	return i.consuming
}

func (i *queueItem) kind() string   { return queue.Type(i.queue.Options().Arguments) }
func (i *queueItem) isQuorum() bool { return i.kind() == queue.TypeQuorum }

// queueShape is a queue in a list.
var queueShape = shape[*queueItem]{
	{"arguments", func(i *queueItem) any { return definitions.TableObject(i.queue.Options().Arguments) }},
	{"auto_delete", func(i *queueItem) any { return i.queue.Options().AutoDelete }},
	{"backing_queue_status", onlyClassic((*queueItem).backing)},
	{"consumer_capacity", (*queueItem).capacity},
	{"consumer_utilisation", (*queueItem).capacity},
	{"consumers", func(i *queueItem) any { return i.stats().Consumers }},
	{"delivery_limit", onlyQuorum((*queueItem).deliveryLimit)},
	{"durable", func(i *queueItem) any { return i.queue.Options().Durable }},
	{"effective_policy_definition", (*queueItem).policyDefinition},
	{"exclusive", func(i *queueItem) any { return i.queue.Options().Owner != 0 }},
	{"exclusive_consumer_tag", onlyClassic((*queueItem).exclusiveTag)},
	{"garbage_collection", func(*queueItem) any { return noGarbage }},
	{"head_message_timestamp", onlyClassic((*queueItem).headTimestamp)},
	{"idle_since", onlyClassic((*queueItem).idleSince)},
	{"internal", func(*queueItem) any { return false }},
	{"leader", onlyQuorum(func(i *queueItem) any { return i.api.opts.NodeName })},
	{"members", onlyQuorum(func(i *queueItem) any { return []string{i.api.opts.NodeName} })},
	{"memory", (*queueItem).memory},
	{"message_bytes", func(i *queueItem) any { return i.bytes() }},
	{"message_bytes_dlx", onlyQuorum(func(i *queueItem) any { return i.stats().HeldBytes })},
	{"message_bytes_paged_out", onlyClassic(func(i *queueItem) any { return i.bytes() - i.bytesInMemory() })},
	{"message_bytes_persistent", func(i *queueItem) any { return i.stats().PersistentBytes }},
	{"message_bytes_ram", func(i *queueItem) any { return i.bytesInMemory() }},
	{"message_bytes_ready", func(i *queueItem) any { return i.stats().ReadyBytes }},
	{"message_bytes_unacknowledged", func(i *queueItem) any { return i.stats().UnackedBytes }},
	{"message_stats", func(i *queueItem) any {
		return messageStats(queueCounts(i.stats().Counts), i.seen(), queueMessageNames...)
	}},
	{"messages", func(i *queueItem) any { return i.messages() }},
	{"messages_details", func(i *queueItem) any { return i.seen().details("messages") }},
	{"messages_dlx", onlyQuorum(func(i *queueItem) any { return i.stats().Held })},
	{"messages_paged_out", onlyClassic(func(i *queueItem) any { return i.stats().PagedOut })},
	{"messages_persistent", func(i *queueItem) any { return i.stats().Persistent }},
	{"messages_ram", func(i *queueItem) any { return i.messages() - i.stats().PagedOut }},
	{"messages_ready", func(i *queueItem) any { return i.stats().Ready }},
	{"messages_ready_details", func(i *queueItem) any { return i.seen().details("messages_ready") }},
	{"messages_ready_ram", onlyClassic(func(i *queueItem) any { return i.stats().Ready - i.stats().PagedOut })},
	{"messages_unacknowledged", func(i *queueItem) any { return i.stats().Unacked }},
	{"messages_unacknowledged_details", func(i *queueItem) any { return i.seen().details("messages_unacknowledged") }},
	{"messages_unacknowledged_ram", onlyClassic(func(i *queueItem) any { return i.stats().Unacked })},
	{"name", func(i *queueItem) any { return i.queue.Name() }},
	{"node", func(i *queueItem) any { return i.api.opts.NodeName }},
	{"online", onlyQuorum(func(i *queueItem) any { return []string{i.api.opts.NodeName} })},
	{"open_files", onlyQuorum(func(i *queueItem) any { return object{{i.api.opts.NodeName, 0}} })},
	{"operator_policy", func(i *queueItem) any { return orNull(i.queue.Policy().OperatorPolicy) }},
	{"policy", func(i *queueItem) any { return orNull(i.queue.Policy().Policy) }},
	{"recoverable_slaves", onlyClassic(func(*queueItem) any { return nil })},
	{"reductions", func(*queueItem) any { return 0 }},
	{"reductions_details", func(i *queueItem) any { return i.seen().details("reductions") }},
	{"single_active_consumer_ctag", onlyQuorum((*queueItem).singleActiveTag)},
	{"single_active_consumer_tag", (*queueItem).singleActiveTag},
	{"state", func(*queueItem) any { return "running" }},
	{"storage_version", onlyClassic(func(*queueItem) any { return 2 })},
	{"type", func(i *queueItem) any { return i.kind() }},
	{"vhost", func(i *queueItem) any { return i.vhost }},
}

// oneQueueShape is a queue that was asked for by name.
var oneQueueShape = slices.Concat(shape[*queueItem]{
	{"consumer_details", (*queueItem).consumerDetails},
	{"deliveries", func(*queueItem) any { return []any{} }},
	{"incoming", func(*queueItem) any { return []any{} }},
	{"owner_pid_details", (*queueItem).owner},
}, queueShape)

// plainQueueShape is a queue in a list without what is counted.
var plainQueueShape, totalsQueueShape = plainQueue(), plainQueue("messages", "messages_ready", "messages_unacknowledged")

func plainQueue(more ...string) shape[*queueItem] {
	names := append([]string{"arguments", "auto_delete", "durable", "exclusive", "name", "node", "state", "type", "vhost"}, more...)
	return slices.DeleteFunc(slices.Clone(queueShape), func(f field[*queueItem]) bool { return !slices.Contains(names, f.name) })
}

// queueShapeFor is what a request wants of queues: with disable_stats=true less, but
// with enable_queue_totals=true how many messages there are.
func queueShapeFor(r *request) shape[*queueItem] {
	switch {
	case !r.statsDisabled():
		return queueShape
	case r.wantsTotals():
		return totalsQueueShape
	}
	return plainQueueShape
}

// onlyClassic and onlyQuorum leave a field out for queues of the other type.
func onlyClassic(value func(*queueItem) any) func(*queueItem) any {
	return func(i *queueItem) any {
		if i.isQuorum() {
			return absent
		}
		return value(i)
	}
}

func onlyQuorum(value func(*queueItem) any) func(*queueItem) any {
	return func(i *queueItem) any {
		if !i.isQuorum() {
			return absent
		}
		return value(i)
	}
}

// orNull is null for an empty text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// noGarbage is of what Erlang has and this broker has not.
var noGarbage = object{{"fullsweep_after", 0}, {"max_heap_size", 0}, {"min_bin_vheap_size", 0}, {"min_heap_size", 0}, {"minor_gcs", 0}}

func (i *queueItem) messages() int { return i.stats().Ready + i.stats().Unacked }
func (i *queueItem) bytes() int64  { return i.stats().ReadyBytes + i.stats().UnackedBytes }

// bytesInMemory is about the part of bytes that is not in the store only.
func (i *queueItem) bytesInMemory() int64 {
	s := i.stats()
	if s.Ready == 0 {
		return s.UnackedBytes
	}
	return s.UnackedBytes + int64(float64(s.ReadyBytes)*float64(s.Ready-s.PagedOut)/float64(s.Ready))
}

// queueCost is about what a queue takes in memory without messages, in bytes.
const queueCost = 4 << 10

func (i *queueItem) memory() any {
	return max(i.stats().Memory, i.bytesInMemory()) + queueCost
}

// capacity is the part of the time in which consumers take what comes at once.
func (i *queueItem) capacity() any {
	if s := i.stats(); s.Consumers > 0 {
		return s.ConsumerCapacity
	}
	return 0
}

// idleAfter is how long nothing must have happened in a queue for it to be idle.
const idleAfter = 5 * time.Second

func (i *queueItem) idleSince() any {
	if since := i.stats().IdleSince; time.Since(since) >= idleAfter {
		return moment(since)
	}
	return absent
}

func (i *queueItem) policyDefinition() any {
	if d := i.queue.Policy().Definition; d != nil {
		return d
	}
	return object{}
}

func (i *queueItem) deliveryLimit() any {
	if n := i.queue.Limits().DeliveryLimit; n != queue.Unlimited {
		return n
	}
	return "unlimited"
}

func (i *queueItem) backing() any {
	s := i.stats()
	return object{
		{"avg_ack_egress_rate", 0.0}, {"avg_ack_ingress_rate", 0.0}, {"avg_egress_rate", 0.0}, {"avg_ingress_rate", 0.0},
		{"delta", []any{"delta", "undefined", 0, 0, "undefined"}}, {"len", s.Ready}, {"mode", "default"},
		{"next_deliver_seq_id", s.Delivered + s.DeliveredNoAck + s.Got + s.GotNoAck}, {"next_seq_id", s.Published},
		{"q1", 0}, {"q2", 0}, {"q3", s.PagedOut}, {"q4", s.Ready - s.PagedOut}, {"target_ram_count", "infinity"}, {"version", 2},
	}
}

func (i *queueItem) exclusiveTag() any {
	for _, c := range i.consumers() {
		if c.Exclusive {
			return c.Key.Tag
		}
	}
	return nil
}

func (i *queueItem) singleActiveTag() any {
	if !i.queue.Limits().SingleActive {
		return nil
	}
	for _, c := range i.consumers() {
		if c.Active() {
			return c.Key.Tag
		}
	}
	return nil
}

func (i *queueItem) headTimestamp() any {
	m := i.queue.Head()
	if m == nil {
		return nil
	}
	// It was valid when it was published.
	if p, err := m.Properties.Decode(); err == nil && p.Timestamp != 0 && p.Timestamp < math.MaxInt64 {
		return int64(p.Timestamp)
	}
	return nil
}

func (i *queueItem) consumerDetails() any {
	list := []object{}
	for _, c := range i.consumers() {
		list = append(list, consumerShape.object(i.api.consumer(i, c)))
	}
	return list
}

func (i *queueItem) owner() any {
	id := i.queue.Options().Owner
	if id == 0 {
		return absent
	}
	ref, ok := i.api.broker.ConnectionRef(id)
	if !ok {
		return absent // it is just closing, and the queue goes with it
	}
	return connectionDetails(ref)
}
