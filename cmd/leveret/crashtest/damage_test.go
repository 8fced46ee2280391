package crashtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// hurt does something to a file.
type hurt struct {
	name string
	do   func(data []byte) []byte
	// empties: nothing is left. What a memtable's log held that is empty leaves
	// no trace: it looks as it does when the process ends right after Badger
	// has made it.
	empties bool
}

// hurts are a flipped byte and a cut, in different places of what the file
// holds; the files of the store are longer than that, and hold zeros.
func hurts() (all []hurt) {
	flip := func(at func(n int) int) func([]byte) []byte {
		return func(data []byte) []byte {
			if n := used(data); n > 0 {
				data[at(n)] ^= 0x55
			}
			return data
		}
	}
	cut := func(at func(n int) int) func([]byte) []byte {
		return func(data []byte) []byte { return data[:at(used(data))] }
	}
	all = append(all,
		hurt{"flipped in the middle", flip(func(n int) int { return n / 2 }), false},
		hurt{"cut in the middle", cut(func(n int) int { return n / 2 }), false},
	)
	if testing.Short() {
		return all
	}
	return append(all,
		hurt{"flipped at the start", flip(func(int) int { return 0 }), false},
		hurt{"flipped early", flip(func(n int) int { return n / 10 }), false},
		hurt{"flipped late", flip(func(n int) int { return n * 9 / 10 }), false},
		hurt{"flipped at the end", flip(func(n int) int { return n - 1 }), false},
		hurt{"cut to nothing", cut(func(int) int { return 0 }), true},
		hurt{"cut at the end", cut(func(n int) int { return max(0, n-1) }), false},
		hurt{"zeros", func(data []byte) []byte { clear(data); return data }, true},
	)
}

// used is the length without the zeros at the end.
func used(data []byte) int {
	n := len(data)
	for n > 0 && data[n-1] == 0 {
		n--
	}
	return n
}

// kinds are the files of a directory, the first of each kind: what differs only
// in its number is one kind.
func kinds(t *testing.T, dir string) (names []string) {
	t.Helper()
	first := map[string]string{}
	digits := regexp.MustCompile(`[0-9]+`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "ballast" {
			return err
		}
		name, err := filepath.Rel(dir, path)
		info, statErr := d.Info()
		if err != nil || statErr != nil || info.Size() == 0 {
			return err
		}
		kind := digits.ReplaceAllString(name, "N")
		if _, ok := first[kind]; !ok {
			first[kind] = name
		}
		return nil
	})
	must(t, err, "list %s", dir)
	for _, name := range first {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// copyDir copies a data directory without its ballast, sparse where it can be.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "ballast" {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return writeSparse(filepath.Join(to, name), data)
	})
	must(t, err, "copy %s", from)
}

func writeSparse(name string, data []byte) error {
	if err := os.WriteFile(name, data[:used(data)], 0o600); err != nil {
		return err
	}
	return os.Truncate(name, int64(len(data)))
}

// damaged is how one broker came out of it.
type damaged struct {
	refused bool
	found   int  // messages that could be read, every one as it was published
	told    bool // the log has a warning
	log     string
}

// judge compares with what had been published, and with what store check says.
func (d *damaged) judge(t *testing.T, published, checked int) {
	t.Helper()
	switch {
	case d.found > published:
		t.Errorf("%d messages are there, and only %d were left", d.found, published)
	case d.found < published && !d.refused && !d.told:
		t.Errorf("%d of %d messages are gone without a word:\n%s", published-d.found, published, d.log)
	}
	if checked == 0 && d.found < published {
		t.Errorf("store check finds no damage, and the broker finds %d of %d messages:\n%s", d.found, published, d.log)
	}
}

// The program, given a directory that somebody has damaged, opens it with a
// report or refuses it with a sentence. It never serves a message that differs
// from what was published, and never panics.
func TestDamage(t *testing.T) {
	base := t.TempDir()
	published := 0
	dirs := map[string]string{}
	ways := []string{"stopped", "killed"}
	if testing.Short() {
		ways = ways[1:]
	}
	for _, how := range ways {
		dir := filepath.Join(base, how)
		dirs[how] = dir
		b := start(t, dir)
		n := fillSome(t, b)
		if how == "stopped" {
			b.stop()
			checkStore(t, dir)
		} else {
			b.kill()
		}
		published = n
	}
	for how, dir := range dirs {
		for _, name := range kinds(t, dir) {
			for _, h := range hurts() {
				t.Run(fmt.Sprintf("%s/%s/%s", how, strings.ReplaceAll(name, "/", "_"), h.name), func(t *testing.T) {
					t.Parallel()
					hurtCopy := func() string {
						work := filepath.Join(t.TempDir(), "data")
						copyDir(t, dir, work)
						file := filepath.Join(work, name)
						data, err := os.ReadFile(file)
						must(t, err, "read %s", name)
						must(t, writeSparse(file, h.do(data)), "damage %s", name)
						return work
					}
					// A copy each, because to look may be to mend.
					code, out := tool(t, "store", "check", "--data-dir", hurtCopy())
					if strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") || code < 0 || code > 1 {
						t.Errorf("store check exits with %d:\n%s", code, out)
					}
					d := serveDamaged(t, hurtCopy())
					t.Logf("store check: %d; refused: %v; %d of %d messages; told: %v", code, d.refused, d.found, published, d.told)
					memtable, front := filepath.Ext(name) == ".mem", filepath.Base(name) == "front.log"
					switch {
					case memtable && h.empties: // traceless
					case memtable, front: // for store check it may be the end of a power cut
						d.judge(t, published, 1)
					default:
						d.judge(t, published, code)
					}
				})
			}
		}
	}
}

// fillSome publishes to all flows, and acks a part, so that every kind of file
// and record is there.
func fillSome(t *testing.T, b *broker) (published int) {
	t.Helper()
	_, ch := b.connect()
	must(t, declare(ch), "declare")
	must(t, bind(ch), "bind")
	must(t, ch.Confirm(false), "confirm.select")
	each := 1500
	if testing.Short() {
		each = 120
	}
	for seq := range each {
		var last *amqp091.DeferredConfirmation
		for flow := range flows {
			if flow == flowDelay || flow == flowExpire {
				continue // they would not be there, or move while they are counted
			}
			m := message{flow, seq}
			exchange, key := m.route()
			var err error
			last, err = ch.PublishWithDeferredConfirm(exchange, key, true, false, m.publishing())
			must(t, err, "publish")
			if !m.transient() {
				published += len(m.places())
			}
		}
		if seq%100 == 0 {
			last.Wait()
		}
		if seq == each/2 { // some chunks are gone, and some partly
			for range each / 3 {
				d, ok, err := ch.Get("crash.plain", false)
				must(t, err, "get")
				if !ok {
					break
				}
				must(t, d.Ack(false), "ack")
				if d.DeliveryMode == amqp091.Persistent {
					published--
				}
			}
		}
	}
	final, err := ch.PublishWithDeferredConfirm("", "crash.plain", true, false, message{flowPlain, each}.publishing())
	must(t, err, "publish")
	final.Wait()
	return published + 1
}

// serveDamaged opens the directory and reads everything that is left.
func serveDamaged(t *testing.T, dir string) (d damaged) {
	t.Helper()
	b, ready := run(t, dir)
	defer b.sound()
	if !ready {
		d.refused = true
		if b.code != 1 || !strings.HasPrefix(lastLine(b.log()), "leveret: ") {
			t.Errorf("exit code %d, and\n%s", b.code, b.log())
		}
		return d
	}
	_, ch := b.connect()
	for i := range flows {
		for _, q := range flows[i].queues {
			d.found += readDamaged(t, b, ch, q)
		}
	}
	d.told = b.said(`"level":"warn"`) || b.said(`"level":"error"`)
	d.log = b.log()
	b.cmd.Process.Kill()
	<-b.exited
	return d
}

func lastLine(text string) string {
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// readDamaged gets what a queue has, which may be nothing: the queue itself may
// be lost.
func readDamaged(t *testing.T, b *broker, ch *amqp091.Channel, queue string) (found int) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, arguments(queue)); err != nil {
		t.Fatalf("declare queue %s: %v\n%s", queue, err, b.log())
	}
	for {
		got, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatalf("get from queue %s: %v\n%s", queue, err, b.log())
		}
		if !ok {
			return found
		}
		if _, err := identify(&got); err != nil {
			t.Errorf("queue %s serves %v", queue, err)
		}
		found++
	}
}
