package server

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// told is what a publisher makes of its confirms.
type told struct {
	t    *testing.T
	upTo uint64            // settled without a gap
	ends map[uint64]finish // of each publish that was settled
}

// hear reads confirm frames. Each must settle something, in the order of publish.
func (c *told) hear(frames []byte) {
	c.t.Helper()
	r := amqp.NewReader(bytes.NewReader(frames), 0)
	for rest := len(frames); rest > 0; {
		f, err := r.ReadFrame()
		if err != nil {
			c.t.Fatal(err)
		}
		rest -= len(f.Payload) + amqp.FrameOverhead
		m, err := amqp.ParseMethod(f.Payload)
		if err != nil || f.Channel != 7 {
			c.t.Fatalf("%v on channel %d, %v", m, f.Channel, err)
		}
		switch m := m.(type) {
		case *amqp.BasicAck:
			c.settle(m.DeliveryTag, m.Multiple, accepted)
		case *amqp.BasicNack:
			c.settle(m.DeliveryTag, m.Multiple, refused)
		default:
			c.t.Fatalf("got %s", m.Name())
		}
	}
}

func (c *told) settle(tag uint64, multiple bool, how finish) {
	c.t.Helper()
	if tag <= c.upTo {
		c.t.Fatalf("%d is confirmed after %d", tag, c.upTo)
	}
	if !multiple && tag != c.upTo+1 {
		c.t.Fatalf("%d alone is confirmed after %d", tag, c.upTo)
	}
	for at := c.upTo + 1; at <= tag; at++ {
		c.ends[at] = how
	}
	c.upTo = tag
}

// Whatever the order in which publishes end, each is confirmed once, as it ended,
// and as soon as those before it have ended too.
func TestConfirms_DoAsTheNaiveOnes(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		var (
			c      = confirms{on: true}
			client = told{t: t, ends: map[uint64]finish{}}
			ends   = map[uint64]finish{} // the naive ones
			open   []uint64
			window = 1 + r.IntN(50)
			worst  = r.IntN(4) // how many in ten are refused
			inTurn = r.IntN(2) == 0
		)
		finished := func() (upTo uint64) {
			for ends[upTo+1] != unfinished {
				upTo++
			}
			return upTo
		}
		for range 1000 {
			switch n := r.IntN(10); {
			case n < 4 && len(open) < window || len(open) == 0:
				open = append(open, c.begin())
			case n < 8:
				at := r.IntN(len(open))
				if inTurn {
					at = 0
				}
				how := accepted
				if r.IntN(10) < worst {
					how = refused
				}
				c.end(open[at], how)
				ends[open[at]] = how
				open = append(open[:at], open[at+1:]...)
			default:
				client.hear(c.flush(nil, 7))
				if want := finished(); client.upTo != want {
					t.Fatalf("seed %d: confirmed up to %d, want %d", seed, client.upTo, want)
				}
			}
		}
		for _, number := range open {
			c.end(number, accepted)
			ends[number] = accepted
		}
		client.hear(c.flush(nil, 7))
		if client.upTo != c.last {
			t.Fatalf("seed %d: confirmed up to %d of %d", seed, client.upTo, c.last)
		}
		for number, how := range ends {
			if client.ends[number] != how {
				t.Fatalf("seed %d: publish %d ended with %d, and the client was told %d", seed, number, how, client.ends[number])
			}
		}
		if again := c.flush(nil, 7); len(again) != 0 {
			t.Fatalf("seed %d: another flush says %q", seed, again)
		}
	}
}

// A run of accepted publishes is one frame.
func TestConfirms_CoalesceWhatIsAccepted(t *testing.T) {
	var c confirms
	for range 1000 {
		c.end(c.begin(), accepted)
	}
	m, err := amqp.ParseMethod(c.flush(nil, 1)[7:][:13])
	if ack, ok := m.(*amqp.BasicAck); err != nil || !ok || ack.DeliveryTag != 1000 || !ack.Multiple {
		t.Errorf("got %+v, %v", m, err)
	}
}
