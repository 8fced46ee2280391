package badger

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// benchDir is where benchmarks keep their stores: LEVERET_BENCH_DIR, on a disk,
// or what the test has.
func benchDir(b *testing.B) string {
	if dir := os.Getenv("LEVERET_BENCH_DIR"); dir != "" {
		dir, err := os.MkdirTemp(dir, "bench")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return b.TempDir()
}

// benchMessage is a message with a body of so many bytes that do not repeat.
func benchMessage(n, size int) *amqp.Message {
	m := amqp.NewMessage("", []byte("queue"), []byte{0x10, 0, 2}, size)
	var word [8]byte
	x := uint64(n)*0x9E3779B97F4A7C15 + 1
	for len(m.Body)+8 <= size {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(word[:], x)
		m.AppendBody(word[:])
	}
	m.Persistent = true
	return m
}

// benchQueue defines a queue.
func benchQueue(b testing.TB, s *Store) persistence.QueueID {
	id := s.NewID()
	var batch persistence.Batch
	batch.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: id, Body: []byte{1}}})
	mustCommit(b, s, &batch)
	return persistence.QueueID(id)
}

// mustCommit writes a batch and waits for it.
func mustCommit(t testing.TB, s *Store, batch *persistence.Batch) {
	t.Helper()
	done := persistence.NewOutcome()
	batch.Wait(done, 0)
	s.Write(batch)
	if err := done.Await(); err != nil {
		t.Fatal(err)
	}
}

// window counts what is not confirmed yet.
type window struct {
	free chan struct{}
	errs atomic.Int64
}

func (w *window) Done(numbers []uint64, err error) {
	if err != nil {
		w.errs.Add(1)
	}
	for range numbers {
		w.free <- struct{}{}
	}
}

// BenchmarkPublishAck appends messages of 1 KiB, with so many unconfirmed, and
// settles each after 10,000 more.
func BenchmarkPublishAck(b *testing.B) {
	for _, mode := range modes {
		for _, inFlight := range []int{1, 100, 1000, 4000} {
			b.Run(fmt.Sprintf("%s/%d", mode.name, inFlight), func(b *testing.B) {
				s := open(b, benchDir(b), Options{Sync: mode.sync})
				defer s.Close()
				publishAck(b, s, inFlight, 10_000, nil)
				st := s.Stats()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
				b.ReportMetric(float64(st.Records)/float64(st.Groups), "msg/group")
				b.ReportMetric(float64(st.DiskBytes>>20), "MiB")
			})
		}
	}
}

// BenchmarkPublishKeys is BenchmarkPublishAck with a key of 100 bytes in the
// batch of each message, of which there are 100,000.
func BenchmarkPublishKeys(b *testing.B) {
	for _, mode := range modes {
		for _, inFlight := range []int{100, 4000} {
			b.Run(fmt.Sprintf("%s/%d", mode.name, inFlight), func(b *testing.B) {
				s := open(b, benchDir(b), Options{Sync: mode.sync})
				defer s.Close()
				ids := make([]uint64, 100_000)
				for i := range ids {
					ids[i] = s.NewID()
				}
				publishAck(b, s, inFlight, 10_000, func(batch *persistence.Batch, n int) {
					batch.Change(persistence.Change{Definition: persistence.Definition{
						Kind: persistence.KindDuplicate, ID: ids[n%len(ids)], Body: make([]byte, 100),
					}})
				})
				st := s.Stats()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
				b.ReportMetric(float64(st.Records)/float64(st.Groups), "msg/group")
			})
		}
	}
}

// publishAck appends b.N messages; more, if not nil, adds to the batch of each.
func publishAck(b *testing.B, s *Store, inFlight, lag int, more func(*persistence.Batch, int)) {
	q := benchQueue(b, s)
	m := benchMessage(1, 1024)
	w := &window{free: make(chan struct{}, inFlight)}
	for range inFlight {
		w.free <- struct{}{}
	}
	var ring = make([]*persistence.Record, lag)
	b.ReportAllocs()
	b.SetBytes(1024)
	b.ResetTimer()
	var batch persistence.Batch
	for n := 0; n < b.N; {
		// What one read of a connection brings: all there is room for.
		<-w.free
		for k := 0; ; k++ {
			r := persistence.NewRecord(m)
			r.Add(persistence.Place{Queue: q, Seq: uint64(n)})
			if old := ring[n%lag]; old != nil {
				batch.Settle(old, 0)
			}
			ring[n%lag] = r
			batch.Append(r, w, uint64(n))
			if more != nil {
				more(&batch, n)
			}
			if n++; k == 49 || n == b.N {
				break
			}
			select {
			case <-w.free:
				continue
			default:
			}
			break
		}
		s.Write(&batch)
		s.Await()
	}
	var last persistence.Batch
	mustCommit(b, s, &last)
	b.StopTimer()
	if n := w.errs.Load(); n > 0 {
		b.Fatalf("%d errors", n)
	}
}

// BenchmarkRead reads a backlog of 1 KiB messages from front to back, so many
// at a time.
func BenchmarkRead(b *testing.B) {
	const total = 200_000
	s := open(b, benchDir(b), Options{Sync: Never})
	defer s.Close()
	refs := fill(b, s, total, 1024)
	for _, n := range []int{1, 64, 256, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(1024)
			for i := 0; i < b.N; i += n {
				from := i % (total - n)
				s.Read(refs[from:from+min(n, b.N-i)], func(_ int, _ *persistence.Record, err error) {
					if err != nil {
						b.Fatal(err)
					}
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// fill appends so many messages and returns their refs.
func fill(b testing.TB, s *Store, total, size int) []persistence.Ref {
	q := benchQueue(b, s)
	m := benchMessage(1, size)
	records := make([]*persistence.Record, total)
	var batch persistence.Batch
	for i := range records {
		r := persistence.NewRecord(m)
		r.Add(persistence.Place{Queue: q, Seq: uint64(i)})
		records[i] = r
		if batch.Append(r, nil, 0); len(batch.Appends) == 50 {
			s.Write(&batch)
			s.Await()
		}
	}
	mustCommit(b, s, &batch)
	refs := make([]persistence.Ref, total)
	for i, r := range records {
		refs[i], _ = r.Ref(0)
	}
	return refs
}

// BenchmarkRecover opens a store and recovers its places; b.N is how often.
func BenchmarkRecover(b *testing.B) {
	for _, total := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(total), func(b *testing.B) {
			dir := benchDir(b)
			s := open(b, dir, Options{Sync: Never})
			fill(b, s, total, 100)
			s.Close()
			b.ResetTimer()
			for range b.N {
				s := open(b, dir, Options{Sync: Never})
				n := 0
				if err := s.Recover(func(persistence.Recovered) bool { n++; return true }); err != nil || n != total {
					b.Fatal(n, err)
				}
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "places/s")
		})
	}
}

// BenchmarkLargeBatch appends 100,000 messages of 1 KiB in one batch, as a
// tx.commit can.
func BenchmarkLargeBatch(b *testing.B) {
	const total = 100_000
	s := open(b, benchDir(b), Options{})
	defer s.Close()
	q := benchQueue(b, s)
	m := benchMessage(1, 1024)
	for range b.N {
		var batch, settle persistence.Batch
		for i := range total {
			r := persistence.NewRecord(m)
			r.Add(persistence.Place{Queue: q, Seq: uint64(i)})
			batch.Append(r, nil, 0)
			settle.Settle(r, 0)
		}
		mustCommit(b, s, &batch)
		mustCommit(b, s, &settle)
	}
	b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "msg/s")
}
