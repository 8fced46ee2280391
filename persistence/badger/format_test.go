package badger

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// format1 has the keys and values of a store with what fillFormat1 writes, in
// hex, as they were written when the format was 1.
const format1 = "testdata/format1.txt"

var format1Options = Options{Sync: Never, limits: limits{ownChunk: 600, partBytes: 500}}

// fillFormat1 writes some of everything that there was in format 1, and returns
// the places that should be recovered, in order.
func fillFormat1(t testing.TB, s *Store) []persistence.Place {
	t.Helper()
	var ids []uint64
	var b persistence.Batch
	for i, kind := range []persistence.Kind{persistence.KindVHost, persistence.KindQueue, persistence.KindQueue, persistence.KindQueue, persistence.KindBinding} {
		ids = append(ids, s.NewID())
		b.Change(persistence.Change{Definition: persistence.Definition{Kind: kind, ID: ids[i], Body: fmt.Append([]byte{1}, "number ", i)}})
	}
	mustCommit(t, s, &b)
	b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindBinding, ID: ids[4]}, Delete: true})
	var all []*persistence.Record
	for n, size := range []int{10, 100, 30, 700, 1200, 20, 50, 0, 40, 60} {
		r := persistence.NewRecord(benchMessage(n, size))
		r.Message.Priority = uint8(n % 3)
		r.Transient = n == 5
		for i, id := range ids[1 : 2+n%3] {
			r.Add(persistence.Place{
				Queue: persistence.QueueID(id), Seq: uint64(n + 1), Returns: uint32(n / 4 * i),
				Expires: int64(n%2) * (1_700_000_000_000_000_000 + int64(n)),
			})
		}
		all = append(all, r)
	}
	b.Settle(all[8], 1)
	s.Write(&b)
	for part := range slices.Chunk(all, 4) {
		for _, r := range part {
			b.Append(r, nil, 0)
		}
		mustCommit(t, s, &b)
	}
	b.Settle(all[1], 0)
	b.Settle(all[2], 2)
	noteFormat1(&b, all[2], 1, 300)
	noteFormat1(&b, all[4], 0, 1)
	mustCommit(t, s, &b)
	b.Settle(all[4], 1)
	noteFormat1(&b, all[4], 0, 2)
	noteFormat1(&b, all[9], 0, 4_000_000_000)
	mustCommit(t, s, &b)

	var want []persistence.Place
	for n, r := range all {
		for i, p := range r.Places {
			switch fmt.Sprint(n, ".", i) {
			case "1.0", "2.2", "4.1", "5.0", "5.1", "5.2", "8.1":
				continue
			case "2.1":
				p.Returns = 300
			case "4.0":
				p.Returns = 2
			case "9.0":
				p.Returns = 4_000_000_000
			}
			want = append(want, p)
		}
	}
	return want
}

// dump lists what is in a store, but for fillers.
func dump(t testing.TB, s *Store) (lines []string) {
	t.Helper()
	for _, kind := range []byte{keyFormat, keyIDs, keyCounts, keyDefinition, keyIndex, keyChunk, keySettles, keyJournal} {
		err := eachValue(s.db, kind, func(key, value []byte) error {
			lines = append(lines, fmt.Sprintf("%x %x", key, value))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

func noteFormat1(b *persistence.Batch, r *persistence.Record, place int, n uint32) {
	b.Return(r, place, n, 0)
}

// format1Lines returns the lines of the file.
func format1Lines(t testing.TB) (lines []string) {
	t.Helper()
	f, err := os.Open(format1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return lines
}

// TestFormat1IsWhatIsWritten: what uses nothing new is written as it was.
func TestFormat1IsWhatIsWritten(t *testing.T) {
	s := open(t, t.TempDir(), format1Options)
	defer s.Close()
	fillFormat1(t, s)
	got, want := dump(t, s), format1Lines(t)
	if got[0] != "66 03" || want[0] != "66 01" {
		t.Errorf("the formats are %q, and %q in the file", got[0], want[0])
	}
	// The counts have one number more before their checksum.
	const sum = 8
	if i := slices.IndexFunc(got, func(l string) bool { return strings.HasPrefix(l, "73 ") }); strings.HasPrefix(got[i], want[i][:len(want[i])-sum]) {
		got[i] = want[i]
	}
	for i := 1; i < max(len(got), len(want)); i++ {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("from line %d it is\n%s\nwant\n%s", i+1, strings.Join(got[min(i, len(got)):], "\n"), strings.Join(want[min(i, len(want)):], "\n"))
		}
	}
}

// TestFormat1IsRead opens a store of format 1, and goes on with it in the format
// that is now.
func TestFormat1IsRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, format1Options)
	var list []operation
	for _, line := range format1Lines(t) {
		key, value, _ := strings.Cut(line, " ")
		list = append(list, operation{unhex(t, key), unhex(t, value)})
	}
	if err := s.transact(list); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(dir)
	if err != nil || r.Format != 1 || r.Damages != nil || r.Records != 10 || r.LivePlaces != 12 || len(r.Definitions) != 4 {
		t.Errorf("Check says %+v, %v", r, err)
	}
	scratch := open(t, t.TempDir(), format1Options)
	defer scratch.Close()
	want := fillFormat1(t, scratch)
	for format := 1; format <= 2; format++ {
		s = open(t, dir, format1Options)
		if n := s.Stats().Damaged; n != 0 {
			t.Errorf("%d messages are damaged", n)
		}
		var refs []persistence.Ref
		var got []persistence.Place
		err := s.Recover(func(r persistence.Recovered) bool {
			refs, got = append(refs, r.Ref), append(got, r.Place)
			return true
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("recovered %+v, %v, want %+v", got, err, want)
		}
		var b persistence.Batch
		s.Read(refs, func(i int, r *persistence.Record, err error) {
			if err != nil || r.Places[0] != want[i] || !bytes.Equal(r.Message.Body, benchMessage(int(want[i].Seq)-1, len(r.Message.Body)).Body) {
				t.Errorf("message %d: place %+v, %v, want %+v, or another body", i, r.Places[0], err, want[i])
			}
			if i%3 == format {
				want[i].Returns, want[i].Due = 9, int64(1_900_000_000_000_000_000+i)
				b.Return(r, 0, 9, want[i].Due)
			}
		})
		mustCommit(t, s, &b)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err := Check(dir); err != nil || r.Format != 3 || r.Damages != nil || r.LivePlaces != int64(len(want)) {
			t.Errorf("after a start Check says %+v, %v", r, err)
		}
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
