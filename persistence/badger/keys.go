package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/leveretmq/leveret/persistence"
)

// formatVersion is the version of all that this file describes. Version 1 had
// no due times, and no places of exchanges, version 2 no front log; what they wrote
// is read as it is, and noted as version 3 by the next start, so that older versions
// leave it alone.
const formatVersion = 3

// valueVersion is the first byte of values.
const valueVersion = 1

// The first byte of a key says what it is the key of. Numbers are big endian.
const (
	// keyFormat alone: the format of the store, in the clear for ever:
	// the value is one byte.
	keyFormat = 'f'
	// keyIDs alone: no id up to this number may be given out again.
	keyIDs = 'n'
	// keyCounts alone: how much there should be of the other kinds, so that
	// what got lost is missed.
	keyCounts = 's'
	// keyDefinition, kind, id: a definition.
	keyDefinition = 'd'
	// keyIndex, chunk: which records and places a chunk has; see index.go.
	keyIndex = 'x'
	// keyChunk, chunk: its messages, back to back. A message that is too long
	// for one value goes on in further ones, with the number of the part
	// (2 bytes, from 1) after the chunk.
	keyChunk = 'c'
	// keySettles, number: which places were settled in a group; see settles.go.
	keySettles = 'k'
	// keyFront alone: the secret of the front log; see frontread.go.
	keyFront = 'p'
	// keyJournal, number: a transaction too large for Badger; see journal.go.
	keyJournal = 'j'
	// keyFiller, number: nothing; see reclaim.go.
	keyFiller = 'z'
)

func key1(kind byte) []byte { return []byte{kind} }

func keyN(kind byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), kind), n)
}

func partKey(chunk uint64, part int) []byte {
	if part == 0 {
		return keyN(keyChunk, chunk)
	}
	return binary.BigEndian.AppendUint16(append(make([]byte, 0, 11), keyN(keyChunk, chunk)...), uint16(part))
}

func definitionKey(kind persistence.Kind, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 10), keyDefinition, byte(kind)), id)
}

// numberOf returns the number in a key made by keyN.
func numberOf(key []byte) (uint64, bool) {
	if len(key) != 9 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[1:]), true
}

// partOf takes a key made by partKey apart.
func partOf(key []byte) (chunk uint64, part int, ok bool) {
	switch len(key) {
	case 9:
		return binary.BigEndian.Uint64(key[1:]), 0, true
	case 11:
		return binary.BigEndian.Uint64(key[1:]), int(binary.BigEndian.Uint16(key[9:])), true
	}
	return 0, 0, false
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errValue is what is wrong with a value that is not as it was written.
var errValue = errors.New("damaged value")

// Values, but for the format and the messages, are sealed: a version byte, the
// content, and a CRC32C of the key and all of that, because tables of Badger
// are not verified when they are read.

// unsealed starts a value; content is to be appended.
func unsealed(buf []byte) []byte { return append(buf, valueVersion) }

// seal ends the value that was started with unsealed.
func seal(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, sumOf(key, value))
}

func sumOf(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// unseal returns the content of a value.
func unseal(key, value []byte) ([]byte, error) {
	n := len(value) - 4
	switch {
	case n < 1:
		return nil, fmt.Errorf("%w: it has only %d bytes", errValue, len(value))
	case binary.BigEndian.Uint32(value[n:]) != sumOf(key, value[:n]):
		return nil, fmt.Errorf("%w: wrong checksum", errValue)
	case value[0] != valueVersion:
		return nil, fmt.Errorf("%w: version %d", errValue, value[0])
	}
	return value[1:n], nil
}

// sealedNumbers is a value of a few numbers.
func sealedNumbers(key []byte, numbers ...uint64) []byte {
	v := unsealed(nil)
	for _, n := range numbers {
		v = binary.AppendUvarint(v, n)
	}
	return seal(key, v)
}

// unsealNumbers reads what sealedNumbers wrote.
func unsealNumbers(key, value []byte, numbers ...*uint64) error {
	p, err := unseal(key, value)
	if err != nil {
		return err
	}
	d := decoder{p: p}
	for _, n := range numbers {
		*n = d.uvarint()
	}
	if d.bad || len(d.p) > 0 {
		return fmt.Errorf("%w: not %d numbers", errValue, len(numbers))
	}
	return nil
}

// decoder takes numbers off the front of p; after a failure all are zero.
type decoder struct {
	p   []byte
	bad bool
}

func (d *decoder) octet() byte {
	if d.bad || len(d.p) == 0 {
		d.bad = true
		return 0
	}
	b := d.p[0]
	d.p = d.p[1:]
	return b
}

func (d *decoder) uint32() uint32 {
	if d.bad || len(d.p) < 4 {
		d.bad = true
		return 0
	}
	v := binary.BigEndian.Uint32(d.p)
	d.p = d.p[4:]
	return v
}

func (d *decoder) uvarint() uint64 {
	if !d.bad && len(d.p) > 0 && d.p[0] < 0x80 {
		v := d.p[0]
		d.p = d.p[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.p)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}
