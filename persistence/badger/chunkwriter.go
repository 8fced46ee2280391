package badger

import (
	"hash/crc32"

	"github.com/leveretmq/leveret/persistence"
)

// chunkWriter builds a chunk: the value with its messages, and its index.
type chunkWriter struct {
	id        uint64
	transient bool
	body      []byte // the value of the first part: the version, then messages
	entries   indexEncoder
	starts    bitset
	settled   bitset
	header    indexHeader
	live      int
}

func newChunkWriter(id uint64, transient bool, buffer []byte) *chunkWriter {
	return &chunkWriter{id: id, transient: transient, body: append(buffer[:0], valueVersion)}
}

// What a record and a place take in an index at most, and an index besides.
const (
	recordIndex = 20
	placeIndex  = 48
	indexFrame  = 64
)

// fits reports whether a message that takes n bytes should go into this chunk. An
// index stays out of the value log, if it can: there it could come back after it
// was deleted (see again.go), and with it the whole chunk.
func (w *chunkWriter) fits(n, places int, l *limits) bool {
	index := indexFrame + len(w.entries.buf) + recordIndex + placeIndex*places
	return w.header.records == 0 ||
		n <= l.ownChunk && len(w.body)+n <= l.chunkBytes && w.header.places+places <= l.chunkPlaces &&
			int64(index) < l.valueThreshold
}

// add appends a record that is being written, and returns where its first place
// is. What happened to it before, its State says.
func (w *chunkWriter) add(r *persistence.Record) persistence.Ref {
	start := len(w.body)
	w.body = persistence.AppendMessage(w.body, r.Message)
	at := persistence.Ref{Chunk: w.id, Index: uint32(w.header.places)}
	flags := r.State.Count() > 0 || len(r.State.Returns) > 0
	for i := range r.Places {
		if p := &r.Places[i]; p.Expires != 0 || p.Returns != 0 || p.Due != 0 {
			flags = true
			break
		}
	}
	w.record(start, indexRecord{
		sum: crc32.Checksum(w.body[start:], castagnoli), size: uint32(len(r.Message.Body)),
		priority: r.Message.Priority, places: uint32(len(r.Places)),
	}, flags)
	for i, p := range r.Places {
		if n, ok := r.State.Returns[i]; ok {
			n.Apply(&p)
		}
		w.place(p, flags, r.State.IsSettled(i))
	}
	return at
}

// addRaw appends the live places of a record of another chunk. It returns where
// the first is.
func (w *chunkWriter) addRaw(raw []byte, r indexRecord, places []persistence.Place) (first uint32) {
	start := len(w.body)
	w.body = append(w.body, raw...)
	first = uint32(w.header.places)
	r.places = uint32(len(places))
	w.record(start, r, true)
	for _, p := range places {
		w.place(p, true, false)
	}
	return first
}

// record appends the index of the message that begins at start.
func (w *chunkWriter) record(start int, r indexRecord, flags bool) {
	r.length = uint32(len(w.body) - start)
	w.starts.grow(w.header.places)
	w.header.records++
	w.entries.record(r, flags)
}

func (w *chunkWriter) place(p persistence.Place, flags, settled bool) {
	if settled {
		w.settled.grow(w.header.places)
		w.header.gaps = true
	} else {
		w.live++
	}
	w.header.places++
	w.entries.place(p, flags, settled)
}

// finish adds the values of the chunk to ops, and returns what is to be known
// of it.
func (w *chunkWriter) finish(ops *operations, l *limits) *chunk {
	data := w.body[1:]
	w.header.transient = w.transient
	w.header.bytes = uint64(len(data))
	w.header.parts = max(1, (len(data)+l.partBytes-1)/l.partBytes)
	if w.header.parts == 1 {
		ops.set(partKey(w.id, 0), w.body)
	} else {
		for part := range w.header.parts {
			piece := data[part*l.partBytes : min((part+1)*l.partBytes, len(data))]
			ops.set(partKey(w.id, part), append([]byte{valueVersion}, piece...))
		}
	}
	key := keyN(keyIndex, w.id)
	value := append(appendHeader(unsealed(make([]byte, 0, len(w.entries.buf)+40)), w.header), w.entries.buf...)
	ops.set(key, seal(key, value))

	c := &chunk{
		id: w.id, bytes: int64(len(data)), parts: uint16(w.header.parts), transient: w.transient,
		places: uint32(w.header.places), live: uint32(w.live),
		records: uint32(w.header.records), intact: uint32(w.header.records),
	}
	if w.header.gaps {
		for len(w.settled) < (w.header.places+63)/64 {
			w.settled = append(w.settled, 0)
		}
		c.settled = w.settled
	}
	if w.header.places != w.header.records {
		c.more = &chunkMore{starts: w.starts}
	}
	return c
}
