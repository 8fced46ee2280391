package badger

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// The crash test starts this binary again as a child that appends and settles
// messages and says on standard output what was confirmed, and kills it.
const (
	crashDir  = "LEVERET_CRASH_DIR"
	crashMode = "LEVERET_CRASH_MODE"
	crashFrom = "LEVERET_CRASH_FROM"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		return
	}
	os.Exit(m.Run())
}

// crashChild appends in batches of several sizes, which settle older messages
// too, and have others come back. It says "+ 7", "- 3" and "~ 5" of messages that
// it is about to append and settle and note in a batch, and then "done" when that
// was confirmed. The numbers begin where it is told.
func crashChild(dir string) {
	var mode, from int
	fmt.Sscan(os.Getenv(crashMode), &mode)
	fmt.Sscan(os.Getenv(crashFrom), &from)
	l := limits{valueLogFile: 1 << 20, reclaim: 1 << 20, relocateMin: 1 << 18}
	s, err := Open(dir, Options{Sync: Sync(mode), limits: l})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	rng := rand.New(rand.NewPCG(uint64(from), 1))
	var live []*persistence.Record
	returns := make(map[uint64]uint32)
	err = s.Recover(func(r persistence.Recovered) bool {
		live = append(live, persistence.StoredRecord(nil, r.Place, r.Ref))
		returns[r.Seq] = r.Returns
		return true
	})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	if from == 0 {
		var b persistence.Batch
		b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: 1, Body: []byte{1}}})
		s.Write(&b)
	}
	for seq := uint64(from + 1); ; {
		var b persistence.Batch
		var said strings.Builder
		for range 1 + rng.IntN(60) {
			r := persistence.NewRecord(crashMessage(seq))
			r.Add(persistence.Place{Queue: 1, Seq: seq, Due: crashDue(seq, 0)})
			b.Append(r, nil, 0)
			live = append(live, r)
			fmt.Fprintln(&said, "+", seq)
			seq++
		}
		for len(live) > 500 {
			k := rng.IntN(400)
			b.Settle(live[k], 0)
			fmt.Fprintln(&said, "-", live[k].Places[0].Seq)
			live[k] = live[0]
			live = live[1:]
		}
		for range rng.IntN(10) {
			r := live[rng.IntN(len(live))]
			seq := r.Places[0].Seq
			returns[seq]++
			b.Return(r, 0, returns[seq], crashDue(seq, returns[seq]))
			fmt.Fprintln(&said, "~", seq)
		}
		fmt.Print(said.String())
		done := persistence.NewOutcome()
		b.Wait(done, 0)
		s.Write(&b)
		if err := done.Await(); err != nil {
			fmt.Println("failed", err)
			return
		}
		fmt.Println("done")
	}
}

// TestKill kills the child several times, in each mode, on the same store.
func TestKill(t *testing.T) {
	kills := 10
	if testing.Short() {
		kills = 2
	}
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			c := crashed{T: t, dir: t.TempDir(), mode: mode.sync, live: make(map[uint64]bool), back: make(map[uint64]uint32)}
			rng := rand.New(rand.NewPCG(3, uint64(mode.sync)))
			for range kills {
				c.kill(time.Duration(200+rng.IntN(600)) * time.Millisecond)
				c.check()
			}
			if len(c.live) < 100*kills {
				t.Errorf("only %d messages were confirmed", len(c.live))
			}
		})
	}
}

// crashed is a store whose process is killed, and what is known of it.
type crashed struct {
	*testing.T
	dir  string
	mode Sync
	last uint64            // the highest message
	live map[uint64]bool   // of each message that was confirmed; false if that it is settled was
	back map[uint64]uint32 // how often each message came back, as was confirmed
	// what the batch appends, settles and notes that was not confirmed
	plus, minus, again []uint64
}

// kill runs the child for a while and notes what it says.
func (c *crashed) kill(after time.Duration) {
	c.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+c.dir, fmt.Sprintf("%s=%d", crashMode, c.mode), fmt.Sprint(crashFrom, "=", c.last))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		c.Fatal(err)
	}
	var timer *time.Timer
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is cut short counts for nothing
		}
		if timer == nil { // it has started
			timer = time.AfterFunc(after, func() { child.Process.Kill() })
			defer timer.Stop()
		}
		var seq uint64
		verb, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Sscan(number, &seq)
		switch verb {
		case "+":
			c.plus, c.last = append(c.plus, seq), max(c.last, seq)
		case "-":
			c.minus = append(c.minus, seq)
		case "~":
			c.again = append(c.again, seq)
		case "done":
			for _, seq := range c.plus {
				c.live[seq] = true
			}
			for _, seq := range c.minus {
				c.live[seq] = false
			}
			for _, seq := range c.again {
				c.back[seq]++
			}
			c.plus, c.minus, c.again = nil, nil, nil
		default:
			child.Process.Kill()
			c.Fatal(line)
		}
	}
	if err := child.Wait(); err == nil {
		c.Fatal("the child has ended by itself")
	}
}

// check wants all that was confirmed, and of the batch that was not all or
// nothing.
func (c *crashed) check() {
	c.Helper()
	s := open(c, c.dir, Options{Sync: c.mode})
	defer s.Close()
	found, back := make(map[uint64]bool), make(map[uint64]uint32)
	var refs []persistence.Ref
	err := s.Recover(func(r persistence.Recovered) bool {
		if found[r.Seq] {
			c.Errorf("message %d is there twice", r.Seq)
		}
		found[r.Seq], back[r.Seq] = true, r.Returns
		if r.Due != crashDue(r.Seq, r.Returns) {
			c.Errorf("message %d came back %d times and is due at %d, want %d", r.Seq, r.Returns, r.Due, crashDue(r.Seq, r.Returns))
		}
		refs = append(refs, r.Ref)
		return true
	})
	if err != nil {
		c.Fatal(err)
	}
	s.Read(refs, func(i int, r *persistence.Record, err error) {
		if err != nil {
			c.Errorf("a message cannot be read: %v", err)
		} else if seq := r.Places[0].Seq; string(r.Message.Body) != string(crashMessage(seq).Body) {
			c.Errorf("message %d has another body", seq)
		}
	})
	// A message of the batch that was cut off may not have been announced.
	written := len(c.plus) > 0 && found[c.plus[0]]
	for _, seq := range c.plus {
		if found[seq] != written {
			c.Errorf("message %d is there: %v, of another in its batch: %v", seq, found[seq], written)
		}
		c.live[seq] = written
	}
	for _, seq := range c.minus {
		if written {
			c.live[seq] = false
		}
	}
	for _, seq := range c.again {
		if written {
			c.back[seq]++
		}
	}
	c.plus, c.minus, c.again = nil, nil, nil
	for seq, n := range back {
		if n != c.back[seq] {
			c.Errorf("message %d came back %d times, want %d", seq, n, c.back[seq])
		}
	}
	for seq, is := range c.live {
		if is != found[seq] {
			c.Errorf("message %d is there: %v, want %v", seq, found[seq], is)
		}
	}
	for seq := range found {
		if _, ok := c.live[seq]; !ok {
			c.Errorf("message %d is there, and nobody has appended it", seq)
		}
	}
	if s.Stats().Damaged > 0 {
		c.Errorf("%d messages are damaged", s.Stats().Damaged)
	}
}

// crashDue is when a message is due that came back so many times.
func crashDue(seq uint64, returns uint32) int64 {
	return int64(seq%3) * int64((returns+1)%4) * int64(seq*1_000_003+uint64(returns))
}

// crashMessage makes the message of that number, of a size that follows from it.
func crashMessage(seq uint64) *amqp.Message {
	return benchMessage(int(seq), []int{100, 1000, 3000, 9000}[seq%4])
}
