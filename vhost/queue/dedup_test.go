package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// dedup is what the options of a script say about duplicates.
func (s *stage) dedup(opts map[string]string) *dedup.Options {
	o := &dedup.Options{Enabled: true, Size: int(s.number(opts["dedup"]))}
	if v, ok := opts["dedup-ttl"]; ok {
		o.TTL = time.Duration(s.number(v)) * time.Millisecond
	}
	return o
}

// setKey gives a message of a script the key that the options say.
func (s *stage) setKey(m *amqp.Message, opts map[string]string) {
	v, ok := opts["key"]
	if !ok {
		return
	}
	headers := amqp.Table{{Name: dedup.DefaultHeader, Value: v}}
	if v, ok := opts["key-ttl"]; ok {
		headers = headers.With(dedup.ArgumentTTL, int32(s.number(v)))
	}
	s.err = errors.Join(s.err, setHeaders(m, headers))
}

func setHeaders(m *amqp.Message, headers amqp.Table) (err error) {
	m.HasHeaders = true
	m.Properties, err = m.Properties.WithHeaders(headers)
	return err
}

// batches notes what is in each: + a record, k a key, d the end of one.
type batches struct {
	*memory.Store
	all []string
}

func (b *batches) Write(batch *persistence.Batch) {
	var what string
	for range batch.Appends {
		what += "+"
	}
	for _, c := range batch.Changes {
		if c.Kind == persistence.KindDuplicate && !c.Delete {
			what += "k"
		} else if c.Kind == persistence.KindDuplicate {
			what += "d"
		}
	}
	b.all = append(b.all, what)
	b.Store.Write(batch)
}

// A key is stored with the message that brings it, also a transient one, or with
// nothing.
func TestDedup_KeyAndMessageAreOneBatch(t *testing.T) {
	store := &batches{Store: memory.New()}
	l := NoLimits()
	l.Dedup = &dedup.Options{Enabled: true, Size: 2}
	q := New(Options{ID: persistence.QueueID(store.NewID()), Store: store, Limits: l})
	defer q.Close()
	var fx Effects
	for i, c := range []struct {
		key        string
		persistent bool
		want       Outcome
	}{{"a", true, Accepted}, {"b", false, Accepted}, {"a", true, Duplicate}, {"c", true, Accepted}} {
		m := message(fmt.Sprint(i), 1)
		m.Persistent = c.persistent
		if err := setHeaders(m, amqp.Table{{Name: dedup.DefaultHeader, Value: c.key}}); err != nil {
			t.Fatal(err)
		}
		var rec *persistence.Record
		if out := q.Publish(m, &rec, &fx); out != c.want {
			t.Errorf("%d: outcome %d, want %d", i, out, c.want)
		}
		if rec != nil {
			fx.Append(rec, nil, 0)
		}
		fx.WakeAll()
	}
	if want := []string{"+k", "k", "+kd"}; !slices.Equal(store.all, want) {
		t.Errorf("the store got %q, want %q", store.all, want)
	}
	if st := q.Stats(); st.Ready != 3 || st.Deduplicated != 1 || q.Keys().Len() != 2 {
		t.Errorf("%+v", st)
	}
}

// The arguments come to limits, for both types of queue.
func TestDedup_Arguments(t *testing.T) {
	arguments := amqp.Table{{Name: dedup.Argument, Value: true}, {Name: dedup.ArgumentSize, Value: int32(7)}}
	for _, kind := range []string{TypeClassic, TypeQuorum} {
		l, err := ParseArguments(Options{VHost: "/", Name: "q", Durable: true, Arguments: arguments.With(argType, kind)})
		if want := (dedup.Options{Enabled: true, Size: 7}); err != nil || *l.Dedup != want {
			t.Errorf("%s: %+v, %v", kind, l.Dedup, err)
		}
	}
	_, err := ParseArguments(Options{VHost: "/", Name: "q", Arguments: arguments.With(dedup.ArgumentTTL, int32(0))})
	if want := "invalid arg 'x-cache-ttl' for queue 'q' in vhost '/': {value_zero,0}"; err == nil || err.(*amqp.Error).Text != want {
		t.Errorf("got %v", err)
	}
}
