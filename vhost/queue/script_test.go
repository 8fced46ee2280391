package queue

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// TestScripts runs the files of testdata/queue. A line "== title" begins a case,
// which has a clock of its own; then a command a line, and after "=>" what it
// must answer, nothing if that is left out:
//
//	queue [stored] [auto-delete] [dead-letter] [single-active] [count-deliveries] [ttl=ms]
//	      [expires=ms] [max-length=n] [max-bytes=n] [max-priority=n]
//	      [delivery-limit=n] [at-least-once] [retry=constant|linear|exponential [retry-min=ms]
//	      [retry-max=ms] [retry-limit=n] [retry-of=failed|returned]] [overflow=drop-head|reject-publish|reject-publish-dlx]
//	      [quorum] [consumer-timeout=ms] [dedup=size [dedup-ttl=ms]]
//	publish NAME... [persistent] [ttl=ms] [priority=n] [size=bytes] [key=K [key-ttl=ms]]
//	      => refused, closed, duplicate
//	policy [KEY=VALUE...] (in the place of the one before)
//	consume C [prefetch=n] [priority=n] [timeout=ms] [noack] [exclusive] [asleep] => the error
//	ready C; cancel C; close C (as when its channel goes)
//	ack C TAGS; reject C TAGS; nack C TAGS [requeue]; TAGS as "1 3", "1-3" or "all"
//	dead-letters refused|taken: whether they find a queue, from now on
//	get [noack] => NAME, n left; its consumer is called get
//	purge => n; declare; delete [if-unused] [if-empty] => n or the error; advance 5ms
//	want C got NAME...; want dead NAME REASON...; want cancelled C... (each since
//	      it was last asked, and a case must have asked about all in the end)
//	want held NAME... (in the order in which they are due)
//	want ready NAME...; want unacked n; want bytes ready=n unacked=n
//	want consumers C...; want active C...; want counts COUNTER=n...; want open; want closed
//	want stored NAME... (what the store has of a stored queue); restart (of a
//	      broker with a stored queue); page-out
//
// A delivery's name has a star if it is redelivered, and how often it came back
// if the queue counts deliveries. "asleep" is a consumer that is not ready yet.
//
// Each case is played three times: as it is, with a pager that takes all that it
// can out of memory after each line, and so with a queue that is stored and all
// messages persistent. Nobody must notice.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("../../testdata/queue/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range readScript(t, file) {
				for _, paged := range []string{"", ", paged out", ", stored and paged out"} {
					t.Run(c.title+paged, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { c.run(t, file, paged) })
					})
				}
			}
		})
	}
}

// scriptCase is the lines below one title.
type scriptCase struct {
	title string
	lines []scriptLine
}

type scriptLine struct {
	number int
	words  []string
	want   string // what follows "=>", or for "want" what follows its subject
}

func readScript(t *testing.T, file string) (cases []*scriptCase) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		text, _, _ := strings.Cut(in.Text(), "#")
		if title, ok := strings.CutPrefix(text, "=="); ok {
			cases = append(cases, &scriptCase{title: strings.TrimSpace(title)})
			continue
		}
		command, want, _ := strings.Cut(text, "=>")
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if len(cases) == 0 {
			t.Fatalf("%s:%d: command before the first title", file, n)
		}
		c := cases[len(cases)-1]
		c.lines = append(c.lines, scriptLine{n, words, strings.TrimSpace(want)})
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func (c *scriptCase) run(t *testing.T, file, paged string) {
	s := &stage{t: t, receivers: map[string]*receiver{}, paged: paged != "", persistent: strings.Contains(paged, "stored")}
	defer s.shut()
	for _, line := range c.lines {
		s.err = nil
		got := s.do(line.words)
		synctest.Wait()
		if s.paged && s.queue != nil {
			s.storage.pageOut(s.queue, everything)
		}
		want := line.want
		if line.words[0] == "want" {
			got, want = s.look(line.words[1:])
		}
		if s.err != nil {
			t.Fatalf("%s:%d: %s: %v", file, line.number, strings.Join(line.words, " "), s.err)
		}
		if s.paged && line.words[0] == "get" {
			// What has died may be counted as left until it is loaded.
			got, _, _ = strings.Cut(got, ",")
			want, _, _ = strings.Cut(want, ",")
		}
		if got != want {
			t.Fatalf("%s:%d: %s\n got: %s\nwant: %s", file, line.number, strings.Join(line.words, " "), got, want)
		}
	}
	for _, r := range s.receivers {
		if news := r.news(); news != "" {
			t.Errorf("%s: %s: %s got %s, which nothing asked about", file, c.title, r.name, news)
		}
		if taken := len(r.tags); r.name != getter && r.wakes != taken {
			t.Errorf("%s: %s: %s took %d deliveries and was woken %d times", file, c.title, r.name, taken, r.wakes)
		}
	}
	if dead, cancelled := s.after.news(); dead != nil || cancelled != nil {
		t.Errorf("%s: %s: dead letters %v and cancelled %v, which nothing asked about", file, c.title, dead, cancelled)
	}
}

// shut ends what open began.
func (s *stage) shut() {
	if s.queue != nil {
		s.queue.Delete(false, false, &s.fx)
		s.after.carryOut(&s.fx)
		s.storage.close()
	}
}

// everything asks storage.pageOut for all it can do.
var everything = op{0, 255, 0, 1}

// getter is the receiver that basic.get's deliveries go to.
const getter = "get"

// stage is a queue and those around it while a script runs.
type stage struct {
	t          *testing.T
	paged      bool // out after each command
	persistent bool // are all messages, in a stored queue
	storage    *storage
	queue      *Queue
	fx         Effects
	receivers  map[string]*receiver
	after      aftermath
	err        error // in the script itself
}

// options splits words into names and key=value pairs.
func options(words []string) (names []string, opts map[string]string) {
	opts = map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			opts[k] = v
		} else {
			names = append(names, w)
		}
	}
	return names, opts
}

func (s *stage) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.err = err
	}
	return n
}

func (s *stage) receiver(name string) *receiver {
	r := s.receivers[name]
	if r == nil {
		s.err = fmt.Errorf("nobody is called %q", name)
		r = &receiver{consumer: &Consumer{}}
	}
	return r
}

// do carries out one command and returns its result, "" if there is nothing
// to say.
func (s *stage) do(words []string) string {
	if s.queue != nil && words[0] != "get" && words[0] != "advance" {
		// Messages are loaded after the effects are carried out, so that those
		// of both come in order.
		q := s.queue
		q.loading.Lock()
		defer q.loading.Unlock()
	}
	defer func() { s.after.carryOut(&s.fx) }()
	args := words[1:]
	switch words[0] {
	case "want":
	case "queue":
		s.open(args)
	case "policy":
		s.policy(args)
	case "publish":
		return s.publish(args)
	case "consume":
		return s.consume(args)
	case "ready":
		s.queue.Ready(s.receiver(args[0]).consumer, &s.fx)
	case "ack", "nack", "reject":
		s.settle(words[0], s.receiver(args[0]), args[1:])
	case "cancel":
		s.queue.Cancel(s.receiver(args[0]).consumer, &s.fx)
	case "close":
		s.close(s.receiver(args[0]))
	case "get":
		return s.get(len(args) > 0 && args[0] == "noack")
	case "purge":
		return fmt.Sprint(s.queue.Purge(&s.fx))
	case "dead-letters":
		s.after.refuse(args[0] == "refused")
	case "declare":
		s.queue.Touch()
	case "restart":
		s.queue = s.storage.restart(s.queue, nil)
	case "page-out":
		s.storage.pageOut(s.queue, everything)
	case "delete":
		return s.remove(args)
	case "advance":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.err = err
		}
		<-time.After(d) // of the case's own clock
		synctest.Wait()
	default:
		s.err = fmt.Errorf("no such command")
	}
	return ""
}

func (s *stage) open(args []string) {
	o := Options{VHost: "/", Name: "q", Limits: NoLimits(), Apply: s.after.carryOut}
	kind := byte(0)
	switch {
	case s.persistent:
		kind = 1
	case s.paged:
		kind = 2
	}
	names, opts := options(args)
	for _, name := range names {
		switch name {
		case "stored":
			s.persistent, kind = false, 1 // the script says which
		case "auto-delete":
			o.AutoDelete = true
		case "dead-letter":
			o.Limits.DeadLetter = true
		case "quorum":
			o.Arguments, o.Durable = amqp.Table{{Name: argType, Value: TypeQuorum}}, true
		case "single-active":
			o.Limits.SingleActive = true
		case "at-least-once":
			o.Limits.AtLeastOnce = true
		case "count-deliveries":
			o.Limits.CountDeliveries = true
		default:
			s.err = fmt.Errorf("no such option: %s", name)
		}
	}
	for k, v := range opts {
		switch k {
		case "ttl":
			o.Limits.TTL = time.Duration(s.number(v)) * time.Millisecond
		case "expires":
			o.Limits.Expires = time.Duration(s.number(v)) * time.Millisecond
		case "max-length":
			o.Limits.MaxLength = s.number(v)
		case "max-bytes":
			o.Limits.MaxBytes = s.number(v)
		case "max-priority":
			o.Limits.MaxPriority = uint8(s.number(v))
		case "dedup", "dedup-ttl":
			o.Limits.Dedup = s.dedup(opts)
		case "consumer-timeout":
			o.Limits.ConsumerTimeout = time.Duration(s.number(v)) * time.Millisecond
		case "delivery-limit":
			o.Limits.DeliveryLimit = s.number(v)
		case "retry":
			o.Limits.Retry.Backoff = backoffOf(v)
			_, some := opts["retry-of"]
			o.Limits.Retry.Failed = o.Limits.Retry.Failed || !some
			o.Limits.Retry.Returned = o.Limits.Retry.Returned || !some
		case "retry-of":
			o.Limits.Retry.Failed, o.Limits.Retry.Returned = v == "failed", v == "returned"
		case "retry-min":
			o.Limits.Retry.Min = time.Duration(s.number(v)) * time.Millisecond
		case "retry-max":
			o.Limits.Retry.Max = time.Duration(s.number(v)) * time.Millisecond
		case "retry-limit":
			o.Limits.Retry.Limited, o.Limits.Retry.Limit = true, uint32(s.number(v))
		case "overflow":
			kinds := map[string]Overflow{"drop-head": DropHead, "reject-publish": RejectPublish,
				"reject-publish-dlx": RejectPublishDLX}
			o.Limits.Overflow = kinds[v]
		default:
			s.err = fmt.Errorf("no such option: %s", k)
		}
	}
	s.shut()
	if Type(o.Arguments) == TypeQuorum {
		o.Limits.settle(TypeQuorum)
	}
	s.storage = newStorage(s.t, kind)
	s.queue = New(s.storage.options(o))
}

func (s *stage) publish(args []string) string {
	names, opts := options(args)
	size := int64(1)
	if v, ok := opts["size"]; ok {
		size = s.number(v)
	}
	var outcomes []string
	for _, name := range names {
		if name == "persistent" {
			continue
		}
		m := message(name, int(size))
		m.Persistent = names[len(names)-1] == "persistent" || s.persistent
		if v, ok := opts["ttl"]; ok {
			m.Expiration = s.number(v)
		}
		if v, ok := opts["priority"]; ok {
			m.Priority = uint8(s.number(v))
		}
		s.setKey(m, opts)
		var rec *persistence.Record
		if out := s.queue.Publish(m, &rec, &s.fx); out != Accepted {
			outcomes = append(outcomes, []string{"accepted", "refused", "closed", "duplicate"}[out])
		}
		if rec != nil {
			s.fx.Append(rec, nil, 0)
		}
	}
	return strings.Join(outcomes, " ")
}

func (s *stage) consume(args []string) string {
	names, opts := options(args)
	r := &receiver{name: names[0]}
	spec := Spec{Key: Key{Tag: r.name}, Receiver: r}
	asleep := false
	for _, name := range names[1:] {
		switch name {
		case "noack":
			r.noAck, spec.NoAck = true, true
		case "exclusive":
			spec.Exclusive = true
		case "asleep":
			asleep = true
		default:
			s.err = fmt.Errorf("no such option: %s", name)
		}
	}
	if v, ok := opts["prefetch"]; ok {
		r.prefetch = int(s.number(v))
	}
	if v, ok := opts["priority"]; ok {
		spec.Priority = s.number(v)
	}
	if v, ok := opts["timeout"]; ok {
		spec.Timeout, spec.HasTimeout = time.Duration(s.number(v))*time.Millisecond, true
	}
	c, err := s.queue.Consume(spec)
	if err != nil {
		return err.Error()
	}
	r.consumer = c
	s.receivers[r.name] = r
	if !asleep {
		s.queue.Ready(c, &s.fx)
	}
	return ""
}

// settle is what a session does with an ack: credit back, then the queue, then
// word that a parked consumer can go on.
func (s *stage) settle(verb string, r *receiver, args []string) {
	requeue := args[len(args)-1] == "requeue"
	var tags []int
	for _, arg := range args {
		from, to, many := strings.Cut(arg, "-")
		switch {
		case arg == "requeue":
		case arg == "all":
			tags = r.open()
		case many:
			for n := s.number(from); n <= s.number(to); n++ {
				tags = append(tags, int(n))
			}
		default:
			tags = append(tags, int(s.number(from)))
		}
	}
	ids := r.release(tags)
	switch {
	case verb == "ack":
		s.queue.Ack(ids, &s.fx)
	case requeue:
		s.queue.Requeue(ids, CauseNack, &s.fx)
	default:
		s.queue.Reject(ids, &s.fx)
	}
	if r.unpark() {
		s.queue.Ready(r.consumer, &s.fx)
	}
}

// close is what a session does when its channel goes: nothing more is taken,
// the messages go back, and only then does the consumer leave, so that the
// next one gets them in order.
func (s *stage) close(r *receiver) {
	tags := r.open()
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	s.queue.Requeue(r.release(tags), CauseLost, &s.fx)
	s.queue.Cancel(r.consumer, &s.fx)
}

func (s *stage) get(noAck bool) string {
	d, left, ok := s.queue.Get(noAck, &s.fx)
	if !ok {
		return "empty"
	}
	r := s.receivers[getter]
	if r == nil {
		r = &receiver{name: getter}
		s.receivers[getter] = r
	}
	r.tags = append(r.tags, taken{d, !noAck})
	r.seen = len(r.tags)
	return fmt.Sprintf("%s, %d left", show(d), left)
}

func (s *stage) remove(args []string) string {
	var ifUnused, ifEmpty bool
	for _, arg := range args {
		ifUnused = ifUnused || arg == "if-unused"
		ifEmpty = ifEmpty || arg == "if-empty"
	}
	n, err := s.queue.Delete(ifUnused, ifEmpty, &s.fx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(n)
}

// look answers a "want": what there is, and what the script wants.
func (s *stage) look(args []string) (got, want string) {
	want = strings.Join(args[1:], " ")
	st := s.queue.Stats()
	s.after.mu.Lock()
	defer s.after.mu.Unlock()
	switch args[0] {
	case "ready":
		return strings.Join(inLine(s.queue), " "), want
	case "held":
		list, _, err := s.queue.Held(0, 1000)
		if err != nil {
			s.err = err
		}
		var names []string
		for _, h := range list {
			names = append(names, h.Message.RoutingKey)
		}
		return strings.Join(names, " "), want
	case "stored":
		return strings.Join(s.storage.names(), " "), want
	case "unacked":
		return fmt.Sprint(st.Unacked), want
	case "bytes":
		return fmt.Sprintf("ready=%d unacked=%d", st.ReadyBytes, st.UnackedBytes), want
	case "consumers":
		var names []string
		for _, c := range s.queue.Consumers() {
			names = append(names, c.Key.Tag)
		}
		return strings.Join(names, " "), want
	case "active":
		return strings.Join(activeConsumers(s.queue), " "), want
	case "dead":
		got, s.after.dead = strings.Join(s.after.dead, " "), nil
		return got, want
	case "cancelled":
		got, s.after.cancelled = strings.Join(s.after.cancelled, " "), nil
		return got, want
	case "closed":
		return fmt.Sprint(isClosed(s.queue)), "true"
	case "open":
		return fmt.Sprint(isClosed(s.queue)), "false"
	case "counts":
		return s.counts(args[1:]), want
	}
	if len(args) < 2 || args[1] != "got" {
		s.err = fmt.Errorf("no such thing to want")
		return "", ""
	}
	return s.receiver(args[0]).news(), strings.Join(args[2:], " ")
}

// counts writes the counters that args name, as "name=n".
func (s *stage) counts(args []string) string {
	values := reflect.ValueOf(s.queue.Stats().Counts)
	var words []string
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		field := values.FieldByNameFunc(func(f string) bool { return strings.EqualFold(f, name) })
		if !field.IsValid() {
			s.err = fmt.Errorf("no counter %q", name)
			return ""
		}
		words = append(words, fmt.Sprintf("%s=%d", name, field.Uint()))
	}
	return strings.Join(words, " ")
}
