package vhost

import (
	"reflect"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

func TestMetadata(t *testing.T) {
	f := openStored(t)
	_, err := f.registry.AddVHost("v")
	f.must(err)
	said := Metadata{"what for", []string{"a", "b"}, "quorum", true}
	for _, name := range []string{"/", "v"} {
		v, err := f.registry.VHost(name)
		f.must(err)
		f.must(v.SetMetadata(Metadata{Description: "first"}))
		f.must(v.SetMetadata(said))
		if n := len(v.Parameters()); n != 0 {
			t.Errorf("%d parameters are listed", n)
		}
	}
	f.restart()
	for _, name := range []string{"/", "v"} {
		v, err := f.registry.VHost(name)
		f.must(err)
		if got := v.Metadata(); !reflect.DeepEqual(got, said) {
			t.Errorf("of %s came back %+v", name, got)
		}
		if err := v.SetMetadata(Metadata{DefaultQueueType: "stream"}); err == nil || v.Metadata().DefaultQueueType != "quorum" {
			t.Errorf("streams are the default: %v", err)
		}
		if err := f.registry.DeleteVHost("v"); err == nil || err.Error() != "vhost 'v' is protected from deletion" {
			t.Errorf("a protected vhost: %v", err)
		}
		v.Metadata().Tags[0] = "changed"
		if v.Metadata().Tags[0] != "a" {
			t.Error("the tags are not a copy")
		}
	}
	for _, name := range []string{"/", "v"} {
		v, err := f.registry.VHost(name)
		f.must(err)
		f.must(v.SetMetadata(Metadata{}))
		f.must(v.SetMetadata(Metadata{}))
	}
	if n := f.kinds(persistence.KindParameter); n != 0 {
		t.Errorf("%d parameters are left in the store", n)
	}
	f.restart()
	f.must(f.registry.DeleteVHost("v"))
}

func TestDefaultQueueType(t *testing.T) {
	f := newFixture(t)
	f.must(f.SetMetadata(Metadata{DefaultQueueType: "quorum"}))
	for _, c := range []struct {
		d    QueueDeclare
		want string
	}{
		{QueueDeclare{Name: "durable", Durable: true}, "quorum"},
		{QueueDeclare{Name: "durable", Durable: true, Arguments: args("x-queue-type", "quorum")}, "quorum"},
		{QueueDeclare{Name: "transient"}, "classic"},
		{QueueDeclare{Name: "exclusive", Durable: true, Exclusive: true}, "classic"},
		{QueueDeclare{Name: "named", Durable: true, Arguments: args("x-queue-type", "classic")}, "classic"},
	} {
		for range 2 {
			q, err := f.DeclareQueue(c.d, me)
			f.must(err)
			if got := queue.Type(q.Options().Arguments); got != c.want {
				t.Errorf("%s is %s, want %s", c.d.Name, got, c.want)
			}
		}
	}
	_, err := f.DeclareQueue(QueueDeclare{Durable: true}, me)
	f.wantError("server-named", err, amqp.CodePreconditionFailed, "Cannot declare a server-named queue for type rabbit_quorum_queue")
}
