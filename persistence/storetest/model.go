package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

var modelTests = []test{
	{"RandomSteps/1", func(b *bed) { randomSteps(b, 1) }},
	{"RandomSteps/2", func(b *bed) { randomSteps(b, 2) }},
	{"RandomSteps/3", func(b *bed) { randomSteps(b, 3) }},
	{"RandomSteps/New", func(b *bed) {
		if testing.Short() {
			b.Skip("a seed of its own each time: not in short mode")
		}
		randomSteps(b, uint64(time.Now().UnixNano()))
	}},
}

// spot names a place in the model.
type spot struct {
	owner persistence.QueueID
	seq   uint64
}

// held is what the model knows of a live place.
type held struct {
	record    *persistence.Record // which may be another after a start
	place     int
	is        persistence.Place // with what was noted last
	message   *amqp.Message
	transient bool
}

// mostPlaces is how many live places the model lets there be, about.
const mostPlaces = 1000

// model is what should be in the store.
type model struct {
	*bed
	rng    *rand.Rand
	owners []persistence.QueueID
	kinds  map[persistence.QueueID]persistence.Kind // of owners
	defs   map[persistence.Kind]map[uint64]persistence.Change
	places map[spot]*held
	spots  []spot // those that are or were in places, to choose from
	n      int    // messages made
	waiter *tally
	owed   []uint64
}

// randomSteps compares the store with plain maps over random batches, reads
// and starts.
func randomSteps(b *bed, seed uint64) {
	b.Logf("seed %d", seed)
	m := &model{
		bed: b, rng: rand.New(rand.NewPCG(seed, seed)), waiter: newTally(),
		kinds:  make(map[persistence.QueueID]persistence.Kind),
		defs:   make(map[persistence.Kind]map[uint64]persistence.Change),
		places: make(map[spot]*held),
	}
	steps := 4000
	if testing.Short() {
		steps = 300
	}
	for step := range steps {
		var batch persistence.Batch
		var first persistence.Batch // to be handed over first
		for range 1 + m.rng.IntN(8) {
			m.change(&batch, &first)
		}
		if m.rng.IntN(10) == 0 {
			batch.Wait(m.waiter, m.owe())
		}
		b.s.Write(&first)
		b.s.Write(&batch)
		switch {
		case m.rng.IntN(8) == 0:
			m.readSome()
		case m.rng.IntN(40) == 0 || step == steps-1:
			m.restart()
		case m.rng.IntN(4) == 0:
			b.barrier()
		}
	}
}

// owe returns the number of something that the waiter must be told.
func (m *model) owe() uint64 {
	m.owed = append(m.owed, uint64(len(m.owed)))
	return m.owed[len(m.owed)-1]
}

// change adds a random change to the batch, and to the model. What goes into
// first is handed over before.
func (m *model) change(batch, first *persistence.Batch) {
	k := m.rng.IntN(100)
	if len(m.places) > mostPlaces {
		k += 50 // so that the comparisons do not take too long
	}
	switch {
	case k < 2 || len(m.owners) == 0:
		id := m.s.NewID()
		kind := []persistence.Kind{persistence.KindQueue, persistence.KindQueue, persistence.KindExchange}[m.rng.IntN(3)]
		m.owners = append(m.owners, persistence.QueueID(id))
		m.kinds[persistence.QueueID(id)] = kind
		m.define(batch, define(kind, id, fmt.Sprint("owner ", id)))
	case k < 3:
		m.deleteOwner(batch)
	case k < 8:
		kind := []persistence.Kind{persistence.KindDuplicate, persistence.KindBinding, persistence.KindUser}[m.rng.IntN(3)]
		id := m.s.NewID()
		if ids := slices.Sorted(maps.Keys(m.defs[kind])); len(ids) > 0 && m.rng.IntN(2) == 0 {
			id = ids[m.rng.IntN(len(ids))]
		}
		c := define(kind, id, fmt.Sprint(m.rng.Uint64()))
		c.Delete = m.rng.IntN(4) == 0
		m.define(batch, c)
	case k < 50:
		m.append(batch, first)
	case k < 60:
		if at, h := m.choose(); h != nil {
			h.is.Returns, h.is.Due = uint32(m.rng.IntN(4)), m.due()
			m.places[at] = h
			batch.Return(h.record, h.place, h.is.Returns, h.is.Due)
		}
	case k < 65: // a dead letter
		if at, h := m.choose(); h != nil {
			batch.Settle(h.record, h.place)
			delete(m.places, at)
			m.append(batch, first)
		}
	default:
		if at, h := m.choose(); h != nil {
			batch.Settle(h.record, h.place)
			delete(m.places, at)
		}
	}
}

func (m *model) define(batch *persistence.Batch, c persistence.Change) {
	batch.Change(c)
	if m.defs[c.Kind] == nil {
		m.defs[c.Kind] = make(map[uint64]persistence.Change)
	}
	if c.Delete {
		delete(m.defs[c.Kind], c.ID)
	} else {
		m.defs[c.Kind][c.ID] = c
	}
}

// due returns when a message is due: often at once.
func (m *model) due() int64 {
	switch m.rng.IntN(5) {
	case 0:
		return int64(m.rng.Uint64())
	case 1, 2:
		return 1_900_000_000_000_000_000 + m.rng.Int64N(int64(time.Hour))
	}
	return 0
}

// deleteOwner deletes an owner, with the settles that belong to it or, as if
// they had been lost, without.
func (m *model) deleteOwner(batch *persistence.Batch) {
	k := m.rng.IntN(len(m.owners))
	q := m.owners[k]
	m.owners = slices.Delete(m.owners, k, k+1)
	settles := m.rng.IntN(2) == 0
	for at, h := range m.places {
		if at.owner != q {
			continue
		}
		if settles {
			batch.Settle(h.record, h.place)
		}
		delete(m.places, at)
	}
	gone := define(m.kinds[q], uint64(q), "")
	gone.Delete = true
	m.define(batch, gone)
}

// append adds a record with one owner, or several.
func (m *model) append(batch, first *persistence.Batch) {
	size := m.rng.IntN(300)
	if m.rng.IntN(200) == 0 {
		size = m.rng.IntN(400 << 10)
	}
	m.n++
	r := persistence.NewRecord(message(m.n, size))
	r.Transient = m.rng.IntN(6) == 0
	owners := slices.Clone(m.owners)
	m.rng.Shuffle(len(owners), func(i, j int) { owners[i], owners[j] = owners[j], owners[i] })
	if most := 1 + m.rng.IntN(4); m.rng.IntN(10) > 0 && most < len(owners) {
		owners = owners[:most]
	}
	var w persistence.Waiter
	var number uint64
	if m.rng.IntN(3) == 0 {
		w, number = m.waiter, m.owe()
	}
	for _, q := range owners {
		p := persistence.Place{
			Queue: q, Seq: uint64(m.n), Expires: m.rng.Int64N(3) * 1_900_000_000_000_000_000,
			Due: m.due(), Returns: uint32(m.rng.IntN(2)),
		}
		place := r.Add(p)
		if m.rng.IntN(6) == 0 { // by a quick consumer, before the router is done
			if m.rng.IntN(2) == 0 {
				first.Settle(r, place)
			} else {
				batch.Settle(r, place)
			}
			continue
		}
		at := spot{q, p.Seq}
		m.places[at] = &held{record: r, place: place, is: p, message: r.Message, transient: r.Transient}
		m.spots = append(m.spots, at)
	}
	batch.Append(r, w, number)
}

// choose returns some place that is live.
func (m *model) choose() (spot, *held) {
	for len(m.spots) > 0 {
		i := m.rng.IntN(len(m.spots))
		at := m.spots[i]
		if h, ok := m.places[at]; ok {
			return at, h
		}
		m.spots[i] = m.spots[len(m.spots)-1]
		m.spots = m.spots[:len(m.spots)-1]
	}
	return spot{}, nil
}

// readSome reads some of the live places that are written.
func (m *model) readSome() {
	m.Helper()
	var refs []persistence.Ref
	var want []*held
	for range m.rng.IntN(30) {
		if _, h := m.choose(); h != nil {
			if at, ok := h.record.Ref(h.place); ok {
				refs, want = append(refs, at), append(want, h)
			}
		}
	}
	m.readAll(refs, want)
}

func (m *model) readAll(refs []persistence.Ref, want []*held) {
	m.Helper()
	for i, r := range m.read(refs...) {
		got := r.Places[0]
		got.Returns, got.Due = want[i].is.Returns, want[i].is.Due // which may be older in what is read
		if got != want[i].is {
			m.Fatalf("read back place %+v, want %+v", r.Places[0], want[i].is)
		}
		wantMessage(m, r.Message, want[i].message)
	}
}

// restart stops and starts the store, and compares all that is in it.
func (m *model) restart() {
	m.Helper()
	m.reopen()
	m.waiter.want(m, nil, m.owed...)
	for at, h := range m.places {
		if h.transient {
			delete(m.places, at)
		}
	}
	var defs []persistence.Change
	for _, kind := range slices.Sorted(maps.Keys(m.defs)) {
		for _, id := range slices.Sorted(maps.Keys(m.defs[kind])) {
			defs = append(defs, m.defs[kind][id])
		}
	}
	m.wantDefinitions(defs...)
	var refs []persistence.Ref
	var want []*held
	for _, p := range m.recover() {
		h := m.places[spot{p.Queue, p.Seq}]
		switch {
		case h == nil:
			m.Fatalf("recovered %+v, which is not live", p)
		case p.Place != h.is || int(p.Size) != len(h.message.Body) || p.Priority != h.message.Priority:
			m.Fatalf("recovered %+v, want place %+v with %d bytes and priority %d", p, h.is, len(h.message.Body), h.message.Priority)
		}
		h.record, h.place = persistence.StoredRecord(nil, p.Place, p.Ref), 0
		refs, want = append(refs, p.Ref), append(want, h)
	}
	if len(refs) != len(m.places) {
		m.Fatalf("recovered %d places, want %d", len(refs), len(m.places))
	}
	if n := m.s.Stats().LivePlaces; n != int64(len(refs)) {
		m.Errorf("Stats count %d live places, want %d", n, len(refs))
	}
	m.rng.Shuffle(len(refs), func(i, j int) {
		refs[i], refs[j], want[i], want[j] = refs[j], refs[i], want[j], want[i]
	})
	m.readAll(refs, want)
}
