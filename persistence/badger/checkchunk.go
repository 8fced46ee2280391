package badger

import "fmt"

// chunk looks at a chunk, and with e.deep at its messages.
func (e *examination) chunk(id uint64, parts int, value func(use func(p []byte) error) error) error {
	e.Chunks++
	x := &e.x
	if err := value(x.decode); err != nil {
		e.damage("chunk %d: index: %v", id, err)
		return nil
	}
	if parts != x.parts {
		e.damage("chunk %d: %d of %d values of messages are there", id, parts, x.parts)
		return nil
	}
	e.Records += int64(x.records)
	if x.transient {
		e.Transient += int64(x.records)
		return nil
	}
	e.countPlaces(id)
	if !e.deep {
		return nil
	}
	err := readChunk(e.db, id, x.indexHeader, func(data []byte) error {
		for i := range x.recs {
			r := &x.recs[i]
			m, err := decodeRecord(data, r)
			if err == nil && (len(m.Body) != int(r.size) || m.Priority != r.priority) {
				err = fmt.Errorf("%w: not the message that the index describes", errValue)
			}
			if err != nil {
				e.damage("chunk %d: message %d: %v", id, i, err)
			}
		}
		return nil
	})
	if err != nil {
		e.damage("chunk %d: messages: %v", id, err)
	}
	return nil
}

// countPlaces counts the places of the chunk that was decoded last.
func (e *examination) countPlaces(id uint64) {
	x := &e.x
	settled := e.settled[id]
	for i := range x.recs {
		r := &x.recs[i]
		live := false
		for p := r.first; p < r.first+r.places; p++ {
			place := &x.all[p]
			if place.settled || settled != nil && settled.has(int(p)) {
				continue
			}
			o := e.owners[place.Queue]
			if o == nil {
				e.Strays++
				continue
			}
			o.Places++
			o.Bytes += int64(r.size)
			e.LivePlaces++
			live = true
		}
		if live {
			e.LiveBytes += int64(r.length)
		} else {
			e.DeadBytes += int64(r.length)
		}
	}
}
