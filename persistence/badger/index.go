package badger

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/leveretmq/leveret/persistence"
)

// The index of a chunk is a header and then, for each record in the order of
// the chunk, where its message is and which places it has.
//
//	header  flags, parts, records, places, bytes
//	record  head, length, CRC32C (4 bytes), body size,
//	        priority if the head says so, number of places if not one, places
//	place   flags if the head says so, queue, sequence,
//	        expires, returns and due if the flags say so
//
// Numbers are varints; queues, sequences, expiries and due times are
// differences from the place before in the chunk that has one.
const (
	indexTransient = 1 << iota // the chunk is dropped at start
	indexGaps                  // some of its places were settled before it was written
)

const (
	headPriority = 1 << iota
	headPlaces
	headFlags
)

const (
	placeExpires = 1 << iota
	placeReturns
	placeSettled
	placeDue // since format 2
)

// maxChunk is how long a chunk can be.
const maxChunk = math.MaxUint32

// indexHeader is what an index says of the whole chunk.
type indexHeader struct {
	transient, gaps bool
	parts           int // values that the messages take
	records, places int
	bytes           uint64 // of all messages
}

// indexRecord is where a record is in its chunk.
type indexRecord struct {
	offset, length uint32 // of the encoded message, in all parts together
	sum            uint32 // its CRC32C
	size           uint32 // of the body
	first          uint32 // its first place
	places         uint32
	priority       uint8
}

// indexPlace is a place in the order of the chunk.
type indexPlace struct {
	persistence.Place
	record  uint32
	settled bool // before the chunk was written
}

// index is a decoded index.
type index struct {
	indexHeader
	recs []indexRecord
	all  []indexPlace
}

// indexEncoder appends the records of an index to buf.
type indexEncoder struct {
	buf  []byte
	last persistence.Place
}

// record appends a record, without its places.
func (e *indexEncoder) record(r indexRecord, flags bool) {
	var head byte
	if r.priority != 0 {
		head |= headPriority
	}
	if r.places != 1 {
		head |= headPlaces
	}
	if flags {
		head |= headFlags
	}
	b := append(e.buf, head)
	b = binary.AppendUvarint(b, uint64(r.length))
	b = binary.BigEndian.AppendUint32(b, r.sum)
	b = binary.AppendUvarint(b, uint64(r.size))
	if r.priority != 0 {
		b = append(b, r.priority)
	}
	if r.places != 1 {
		b = binary.AppendUvarint(b, uint64(r.places))
	}
	e.buf = b
}

// place appends a place of the record that was appended last.
func (e *indexEncoder) place(p persistence.Place, flags, settled bool) {
	b := e.buf
	var flag byte
	if flags {
		if p.Expires != 0 {
			flag |= placeExpires
		}
		if p.Returns != 0 {
			flag |= placeReturns
		}
		if settled {
			flag |= placeSettled
		}
		if p.Due != 0 {
			flag |= placeDue
		}
		b = append(b, flag)
	}
	b = binary.AppendVarint(b, int64(p.Queue-e.last.Queue))
	b = binary.AppendVarint(b, int64(p.Seq-e.last.Seq))
	e.last.Queue, e.last.Seq = p.Queue, p.Seq
	if flag&placeExpires != 0 {
		b = binary.AppendVarint(b, p.Expires-e.last.Expires)
		e.last.Expires = p.Expires
	}
	if flag&placeReturns != 0 {
		b = binary.AppendUvarint(b, uint64(p.Returns))
	}
	if flag&placeDue != 0 {
		b = binary.AppendVarint(b, p.Due-e.last.Due)
		e.last.Due = p.Due
	}
	e.buf = b
}

// appendHeader appends the header of an index.
func appendHeader(buf []byte, h indexHeader) []byte {
	var flags byte
	if h.transient {
		flags |= indexTransient
	}
	if h.gaps {
		flags |= indexGaps
	}
	buf = append(buf, flags)
	buf = binary.AppendUvarint(buf, uint64(h.parts))
	buf = binary.AppendUvarint(buf, uint64(h.records))
	buf = binary.AppendUvarint(buf, uint64(h.places))
	return binary.AppendUvarint(buf, h.bytes)
}

// decodeHeader reads what an index says of the chunk, and leaves the records.
func decodeHeader(p []byte) (h indexHeader, rest decoder, err error) {
	d := decoder{p: p}
	flags := d.octet()
	h.transient, h.gaps = flags&indexTransient != 0, flags&indexGaps != 0
	parts, records, places := d.uvarint(), d.uvarint(), d.uvarint()
	h.bytes = d.uvarint()
	// A record takes at least 9 bytes of the index and a place 2 of them.
	switch most := uint64(len(d.p)); {
	case d.bad, flags > indexTransient|indexGaps, parts == 0, parts > math.MaxUint16, h.bytes > maxChunk,
		records > most/9, places > most/2, records > places:
		return indexHeader{}, decoder{}, fmt.Errorf("%w: not the head of an index", errValue)
	}
	h.parts, h.records, h.places = int(parts), int(records), int(places)
	return h, d, nil
}

// decode reads an index, into the memory that x had.
func (x *index) decode(p []byte) error {
	h, d, err := decodeHeader(p)
	if err != nil {
		return err
	}
	x.indexHeader, x.recs, x.all = h, x.recs[:0], x.all[:0]
	var offset uint64
	var last persistence.Place
	for range h.records {
		head := d.octet()
		r := indexRecord{offset: uint32(offset), first: uint32(len(x.all)), places: 1}
		length := d.uvarint()
		r.sum = d.uint32()
		size := d.uvarint()
		if head&headPriority != 0 {
			r.priority = d.octet()
		}
		places := uint64(1)
		if head&headPlaces != 0 {
			places = d.uvarint()
		}
		if d.bad || length > h.bytes-offset || size > length || places == 0 || places > uint64(h.places-len(x.all)) {
			return fmt.Errorf("%w: record %d of an index", errValue, len(x.recs))
		}
		offset += length
		r.length, r.size, r.places = uint32(length), uint32(size), uint32(places)
		for range places {
			x.all = append(x.all, d.place(&last, head&headFlags != 0, uint32(len(x.recs))))
		}
		x.recs = append(x.recs, r)
	}
	if d.bad || len(d.p) > 0 || len(x.all) != h.places || offset != h.bytes {
		return fmt.Errorf("%w: an index does not end where it should", errValue)
	}
	return nil
}

// place reads a place; last is the one before, and becomes it.
func (d *decoder) place(last *persistence.Place, flags bool, record uint32) indexPlace {
	p := indexPlace{record: record}
	var flag byte
	if flags {
		flag = d.octet()
		p.settled = flag&placeSettled != 0
		d.bad = d.bad || flag >= placeDue<<1
	}
	last.Queue += persistence.QueueID(d.varint())
	last.Seq += uint64(d.varint())
	p.Queue, p.Seq = last.Queue, last.Seq
	if flag&placeExpires != 0 {
		last.Expires += d.varint()
		p.Expires = last.Expires
	}
	if flag&placeReturns != 0 {
		p.Returns = uint32(d.uvarint())
	}
	if flag&placeDue != 0 {
		last.Due += d.varint()
		p.Due = last.Due
	}
	return p
}

// starts returns the set of places with which a record begins; nil if each has
// one.
func (x *index) starts() bitset {
	if x.records == x.places {
		return nil
	}
	var b bitset
	for _, r := range x.recs {
		b.add(int(r.first), x.places)
	}
	return b
}
