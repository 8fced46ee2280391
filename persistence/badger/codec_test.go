package badger

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// randomNote makes a note, often of few bytes.
func randomNote(rng *rand.Rand) persistence.Note {
	switch rng.IntN(4) {
	case 0:
		return persistence.Note{Returns: rng.Uint32(), Due: int64(rng.Uint64())}
	case 1:
		return persistence.Note{Returns: uint32(rng.IntN(3)), Due: 1_900_000_000_000_000_000 + rng.Int64N(1e12)}
	case 2:
		return persistence.Note{Due: []int64{1, math.MaxInt64, math.MinInt64}[rng.IntN(3)]}
	}
	return persistence.Note{Returns: rng.Uint32()}
}

// randomRecord makes a record with places that have something of everything.
func randomRecord(rng *rand.Rand, n int) *persistence.Record {
	m := amqp.NewMessage("x", []byte("key"), []byte{0, 0}, 100)
	m.AppendBody(make([]byte, rng.IntN(100)))
	m.Priority = uint8(rng.IntN(3) * 100)
	r := persistence.NewRecord(m)
	for i := range 1 + rng.IntN(1+rng.IntN(80)) {
		p := persistence.Place{Queue: persistence.QueueID(rng.IntN(5) + 1), Seq: uint64(n)}
		switch rng.IntN(6) {
		case 0:
			p.Seq, p.Queue = rng.Uint64(), persistence.QueueID(rng.Uint64())
		case 1:
			p.Expires, p.Returns = int64(rng.Uint64()), rng.Uint32()
		case 2:
			p.Expires = math.MinInt64 + int64(i)
		case 3:
			p.Due, p.Returns = randomNote(rng).Due, uint32(rng.IntN(2))
		}
		r.Add(p)
	}
	for range rng.IntN(3) {
		if place := rng.IntN(len(r.Places)); r.State.Count() < len(r.Places)-1 {
			r.State.Settle(place)
		}
	}
	if rng.IntN(3) == 0 {
		r.State.Return(rng.IntN(len(r.Places)), randomNote(rng))
	}
	return r
}

func TestIndexComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	l := limits{}.withDefaults()
	for round := range 200 {
		w := newChunkWriter(uint64(round+1), round%2 == 0, nil)
		var all []*persistence.Record
		var refs []persistence.Ref
		for n := range 1 + rng.IntN(60) {
			r := randomRecord(rng, n)
			all = append(all, r)
			refs = append(refs, w.add(r))
		}
		ops := operations{threshold: int(l.valueThreshold)}
		c := w.finish(&ops, &l)
		data, key, value := ops.list[0].value[1:], ops.list[1].key, ops.list[1].value
		p, err := unseal(key, value)
		if err != nil {
			t.Fatal(err)
		}
		var x index
		if err := x.decode(p); err != nil {
			t.Fatal(err)
		}
		if x.transient != w.transient || x.parts != 1 || int(c.places) != x.places || int(c.records) != len(all) || c.bytes != int64(len(data)) {
			t.Fatalf("header is %+v, the chunk %+v", x.indexHeader, c)
		}
		place, live := 0, 0
		for i, r := range all {
			m, err := decodeRecord(data, &x.recs[i])
			if err != nil || !bytes.Equal(m.Body, r.Message.Body) || x.recs[i].priority != m.Priority || int(x.recs[i].size) != len(m.Body) {
				t.Fatalf("record %d: %v, index %+v", i, err, x.recs[i])
			}
			if refs[i] != ref(w.id, x.recs[i].first) || !c.begins(place) {
				t.Fatalf("record %d begins at %d, is told %v", i, x.recs[i].first, refs[i])
			}
			for k, want := range r.Places {
				if n, ok := r.State.Returns[k]; ok {
					n.Apply(&want)
				}
				got := x.all[place]
				if got.Place != want || got.settled != r.State.IsSettled(k) || int(got.record) != i || c.settled.has(place) != got.settled {
					t.Fatalf("place %d of record %d is %+v, want %+v", k, i, got, want)
				}
				if !got.settled {
					live++
				}
				place++
			}
		}
		if live != int(c.live) {
			t.Fatalf("%d live places, the chunk says %d", live, c.live)
		}
	}
}

// begins reports whether a record begins with the place.
func (c *chunk) begins(place int) bool {
	return c.more == nil || c.more.starts == nil || c.more.starts.has(place)
}

// chunkSettles is what a value with settles says of a chunk.
type chunkSettles struct {
	chunk   uint64
	settled []uint32
	notes   []note
}

func decodeAllSettles(p []byte) (all []chunkSettles, err error) {
	total := 0
	err = decodeSettles(p, settlesVisitor{
		chunk: func(chunk uint64) { all = append(all, chunkSettles{chunk: chunk}) },
		settled: func(from, to uint32) {
			c := &all[len(all)-1]
			for ; from < to && total < 1e6; from++ { // a fuzzer may say 4 billion
				c.settled = append(c.settled, from)
				total++
			}
		},
		noted: func(n note) {
			c := &all[len(all)-1]
			c.notes = append(c.notes, n)
		},
	})
	return all, err
}

func encodeAllSettles(all []chunkSettles) []byte {
	var e settlesEncoder
	for _, c := range all {
		e.add(c.chunk, c.settled, c.notes)
	}
	return e.buf
}

func TestSettlesComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		var all []chunkSettles
		chunk := uint64(0)
		for range rng.IntN(10) {
			chunk += 1 + rng.Uint64N(1000)
			c := chunkSettles{chunk: chunk}
			for p := range uint32(rng.IntN(300)) {
				switch rng.IntN(4) {
				case 0:
					c.notes = append(c.notes, note{p, randomNote(rng)})
				case 1, 2:
					c.settled = append(c.settled, p)
				}
			}
			if rng.IntN(10) == 0 {
				c.settled = append(c.settled, math.MaxUint32-1)
			}
			all = append(all, c)
		}
		got, err := decodeAllSettles(encodeAllSettles(all))
		if err != nil || !reflect.DeepEqual(got, all) {
			t.Fatalf("settles come back as %+v, %v, want %+v", got, err, all)
		}
	}
}

func TestJournalComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		var list []operation
		for range rng.IntN(40) {
			op := operation{key: make([]byte, 1+rng.IntN(20))}
			if rng.IntN(3) > 0 {
				op.value = make([]byte, rng.IntN(200_000))
			}
			list = append(list, op)
		}
		var got []operation
		for _, piece := range journalPieces(list) {
			p, err := unseal(piece.key, piece.value)
			if err == nil {
				got, err = decodeJournal(p, got)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.EqualFunc(got, list, func(a, b operation) bool {
			return bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) && (a.value == nil) == (b.value == nil)
		}) {
			t.Fatalf("%d operations come back as %d, or others", len(list), len(got))
		}
	}
}

func TestSealedValuesAreTheirs(t *testing.T) {
	key, other := keyN(keyIndex, 1), keyN(keyIndex, 2)
	value := seal(key, append(unsealed(nil), "content"...))
	if p, err := unseal(key, value); err != nil || string(p) != "content" {
		t.Fatalf("unseal: %q, %v", p, err)
	}
	if _, err := unseal(other, value); err == nil {
		t.Error("a value is taken under another key")
	}
	for i := range value {
		for bit := range 8 {
			bad := bytes.Clone(value)
			bad[i] ^= 1 << bit
			if _, err := unseal(key, bad); err == nil {
				t.Errorf("bit %d of byte %d is flipped and nobody sees it", bit, i)
			}
		}
		if _, err := unseal(key, value[:i]); err == nil {
			t.Errorf("only %d bytes are there and nobody sees it", i)
		}
	}
}

func FuzzIndex(f *testing.F) {
	rng := rand.New(rand.NewPCG(4, 4))
	l := limits{}.withDefaults()
	for range 5 {
		w := newChunkWriter(1, false, nil)
		for n := range 5 {
			w.add(randomRecord(rng, n))
		}
		ops := operations{threshold: int(l.valueThreshold)}
		w.finish(&ops, &l)
		p, _ := unseal(ops.list[1].key, ops.list[1].value)
		f.Add(p)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		var x index
		if x.decode(p) != nil {
			return
		}
		if len(x.recs) != x.records || len(x.all) != x.places {
			t.Fatalf("%d records and %d places of %+v", len(x.recs), len(x.all), x.indexHeader)
		}
		next, bytes := uint32(0), uint64(0)
		for i, r := range x.recs {
			if r.first != next || r.places == 0 || uint64(r.offset) != bytes || r.size > r.length {
				t.Fatalf("record %d is %+v", i, r)
			}
			next, bytes = next+r.places, bytes+uint64(r.length)
			for k := r.first; k < next; k++ {
				if int(x.all[k].record) != i {
					t.Fatalf("place %d is of record %d, want %d", k, x.all[k].record, i)
				}
			}
		}
		if bytes != x.bytes || int(next) != x.places {
			t.Fatalf("%d bytes and %d places, the header says %+v", bytes, next, x.indexHeader)
		}
	})
}

func FuzzSettles(f *testing.F) {
	f.Add(encodeAllSettles([]chunkSettles{
		{1, []uint32{0, 1, 2, 9}, []note{{3, persistence.Note{Returns: 1}}, {5, persistence.Note{Returns: 9, Due: 1_900_000_000_000_000_000}}}},
		{700, nil, []note{{0, persistence.Note{Returns: 1}}, {1, persistence.Note{Returns: math.MaxUint32, Due: -1}}}},
	}))
	f.Add([]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		all, err := decodeAllSettles(p)
		if err != nil {
			return
		}
		for _, c := range all {
			if !slices.IsSorted(c.settled) || !slices.IsSortedFunc(c.notes, func(a, b note) int { return int(int64(a.place) - int64(b.place)) }) {
				t.Fatalf("not in order: %+v", c)
			}
		}
		for i := range all { // what is read is written as something that is read as the same
			if i > 0 && all[i].chunk <= all[i-1].chunk {
				return
			}
		}
		if again, err := decodeAllSettles(encodeAllSettles(all)); err != nil || !reflect.DeepEqual(again, all) {
			t.Fatalf("%+v comes back as %+v, %v", all, again, err)
		}
	})
}

func FuzzJournal(f *testing.F) {
	for _, piece := range journalPieces([]operation{{[]byte("key"), []byte("value")}, {[]byte("gone"), nil}, {[]byte("e"), []byte{}}}) {
		p, _ := unseal(piece.key, piece.value)
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		list, err := decodeJournal(p, nil)
		if err != nil {
			return
		}
		for _, op := range list {
			if len(op.key) == 0 {
				t.Fatal("an operation without a key")
			}
		}
	})
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte{0x40, 0, 1, 1, 0, 'k', 'v', 0, 0, 0, 0})
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, p []byte) {
		if n := logEntry(p); n < 0 || n > len(p) {
			t.Fatalf("an entry of %d bytes in %d", n, len(p))
		}
		if key := entryKey(p); len(key) > len(p) {
			t.Fatalf("a key of %d bytes in %d", len(key), len(p))
		}
		soundDiscards(p)
	})
}
