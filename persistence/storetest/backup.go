package storetest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/persistence"
)

var backupTests = []test{
	{"BackupOfAll", backupOfAll},
	{"BackupBesideWriters", backupBesideWriters},
	{"BackupEnds", backupEnds},
}

// backup makes a backup; the test ends where there are none.
func (b *bed) backup() []byte {
	b.Helper()
	var out bytes.Buffer
	err := b.s.Backup(&out)
	if b.h.Restore == nil {
		if !errors.Is(err, persistence.ErrNoBackup) || out.Len() > 0 {
			b.Errorf("Backup: %v and %d bytes, want ErrNoBackup", err, out.Len())
		}
		b.SkipNow()
	}
	if err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// restored looks at what a backup is restored to.
func (b *bed) restored(backup []byte, look func(*bed)) {
	b.Helper()
	s, err := b.h.Restore(bytes.NewReader(backup))
	if err != nil {
		b.Fatal(err)
	}
	other := &bed{T: b.T, s: s}
	defer other.close()
	look(other)
	if n := s.Stats().Damaged; n > 0 {
		b.Errorf("%d records are damaged in what was restored", n)
	}
}

// backupOfAll: definitions, places, notes and messages of each size are there again, and
// what is settled is not.
func backupOfAll(b *bed) {
	q, x := b.queue(), define(persistence.KindExchange, b.s.NewID(), "x")
	all := records(300, q)
	large := persistence.NewRecord(message(1000, 3<<20))
	large.Add(persistence.Place{Queue: q, Seq: 1000})
	all = append(all, large)
	b.commit(func(batch *persistence.Batch) {
		batch.Change(x)
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	var want []persistence.Recovered
	b.commit(func(batch *persistence.Batch) {
		for i, r := range all {
			switch {
			case i%3 == 0 && i < 300:
				batch.Settle(r, 0)
				continue
			case i%3 == 1:
				batch.Return(r, 0, 7, 5)
			}
			p := places(r)[0]
			if i%3 == 1 {
				p.Returns, p.Due = 7, 5
			}
			want = append(want, p)
		}
	})
	backup := b.backup()
	b.commit(func(batch *persistence.Batch) { batch.Settle(large, 0) }) // too late
	b.restored(backup, func(b *bed) {
		found := b.wantSet(want...)
		b.wantDefinitions(x, define(persistence.KindQueue, uint64(q), "queue"))
		refs := make([]persistence.Ref, len(found))
		for i, p := range found {
			refs[i] = p.Ref
		}
		b.s.Read(refs, func(i int, r *persistence.Record, err error) {
			if err != nil {
				b.Fatal(err)
			}
			size := 100
			if found[i].Seq == 1000 {
				size = 3 << 20
			}
			wantMessage(b, r.Message, message(int(found[i].Seq), size))
		})
		b.commit(func(batch *persistence.Batch) { batch.Append(record(2000, q), nil, 0) }) // it goes on
		if b.s.NewID() <= uint64(q) {
			b.Error("an id comes again")
		}
	})
}

// pairs has a pair of messages in its queue at any time: a batch ends one and begins the
// next.
type pairs struct {
	own       persistence.QueueID
	confirmed atomic.Uint64 // the pair that was stored last
}

func (p *pairs) run(s persistence.Store, size int, stop <-chan struct{}) error {
	var last [2]*persistence.Record
	for n := uint64(1); ; n++ {
		var batch persistence.Batch
		for i := range last {
			if last[i] != nil {
				batch.Settle(last[i], 0)
			}
			r := persistence.NewRecord(message(int(n), size))
			r.Add(persistence.Place{Queue: p.own, Seq: 2*n + uint64(i)})
			batch.Append(r, nil, 0)
			last[i] = r
		}
		done := persistence.NewOutcome()
		batch.Wait(done, 0)
		s.Write(&batch)
		if err := done.Await(); err != nil {
			return err
		}
		p.confirmed.Store(n)
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// backupBesideWriters: a backup has each batch wholly or not at all, and all that was
// stored before it began.
func backupBesideWriters(b *bed) {
	b.backup() // or there are none
	all := make([]*pairs, 4)
	stop := make(chan struct{})
	var done sync.WaitGroup
	failures := make(chan error, len(all))
	for i := range all {
		all[i] = &pairs{own: b.queue()}
		done.Go(func() { failures <- all[i].run(b.s, 100<<(4*i), stop) })
	}
	for all[0].confirmed.Load() < 3 || all[3].confirmed.Load() < 3 {
		b.s.Await()
	}
	type taken struct {
		before []uint64
		backup []byte
	}
	var backups []taken
	for range 5 {
		var t taken
		for _, p := range all {
			t.before = append(t.before, p.confirmed.Load())
		}
		t.backup = b.backup()
		backups = append(backups, t)
	}
	close(stop)
	done.Wait()
	for range all {
		if err := <-failures; err != nil {
			b.Fatal(err)
		}
	}
	for _, t := range backups {
		b.restored(t.backup, func(b *bed) {
			found := map[persistence.QueueID][]uint64{}
			for _, p := range b.recover() {
				found[p.Queue] = append(found[p.Queue], p.Seq)
			}
			for i, p := range all {
				seqs := slices.Sorted(slices.Values(found[p.own]))
				if len(seqs) != 2 || seqs[0]%2 != 0 || seqs[1] != seqs[0]+1 || seqs[0]/2 < t.before[i] {
					b.Errorf("writer %d has %v in the backup, want a pair that is not before %d", i, seqs, t.before[i])
				}
			}
		})
	}
}

// backupEnds: with the writer's error, and with the store.
func backupEnds(b *bed) {
	b.backup()
	q := b.queue()
	b.commit(func(batch *persistence.Batch) { batch.Append(record(1, q), nil, 0) })
	broken := errors.New("nobody reads any more")
	in, out := io.Pipe()
	in.CloseWithError(broken)
	if err := b.s.Backup(out); !errors.Is(err, broken) {
		b.Errorf("Backup: %v, want the writer's error", err)
	}
	b.commit(func(batch *persistence.Batch) { batch.Append(record(2, q), nil, 0) })
	s := b.s
	b.close()
	if err := s.Backup(io.Discard); !errors.Is(err, persistence.ErrClosed) {
		b.Errorf("Backup after Close: %v, want ErrClosed", err)
	}
}
