package perf

import (
	"encoding/binary"
	"time"
)

// stampSize is how much of a body says what the message is: when it should
// have been sent (8 bytes), who sent it (4) and as which of his (4, the low
// half of the number). So it is the least size of a message.
const stampSize = 16

// stamp is the start of a body.
type stamp struct {
	at       int64  // nanoseconds of the run's clock
	producer uint32 // from 0
	number   uint32 // from 0, the low 32 bits
}

// put writes the stamp over the first bytes of a body.
func (s stamp) put(body []byte) {
	body = body[:stampSize]
	binary.BigEndian.PutUint64(body, uint64(s.at))
	binary.BigEndian.PutUint32(body[8:], s.producer)
	binary.BigEndian.PutUint32(body[12:], s.number)
}

// readStamp reads what put wrote.
func readStamp(body *[stampSize]byte) stamp {
	return stamp{
		at:       int64(binary.BigEndian.Uint64(body[:])),
		producer: binary.BigEndian.Uint32(body[8:]),
		number:   binary.BigEndian.Uint32(body[12:]),
	}
}

// clock counts monotonic nanoseconds since the run began. Producers and
// consumers are one process, so they share it.
type clock struct{ epoch time.Time }

func (c clock) now() int64 { return int64(time.Since(c.epoch)) }
