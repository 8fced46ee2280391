package mgmt

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/persistence/badger"
	"github.com/leveretmq/leveret/vhost/queue"
)

// diskBed is a broker with a store on disk.
func diskBed(t *testing.T, dir string) *bed {
	t.Helper()
	store, err := badger.Open(dir, badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(server.Options{Store: store, MessageMemory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	api := New(s, Options{})
	srv := httptest.NewServer(api)
	b := &bed{t: t, server: s, api: api, url: srv.URL}
	t.Cleanup(func() {
		srv.Close()
		api.Close()
		for _, end := range []func() error{s.Close, store.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	})
	return b
}

// TestBackupWhilePublishing: what was confirmed before the request is in the backup, the
// definitions are, and a broker starts with it.
func TestBackupWhilePublishing(t *testing.T) {
	b := diskBed(t, t.TempDir())
	b.addUsers()
	b.want(201, "PUT", "/api/queues/%2F/q", "guest", `{"durable":true}`)
	c := b.dial(b.listen(), "guest")
	ch := must[*amqp091.Channel](t)(c.Channel())
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var confirmed atomic.Int64
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for i := 1; ; i++ {
			m := amqp091.Publishing{Body: []byte(strconv.Itoa(i) + strings.Repeat(" ", i%5000)), DeliveryMode: 2}
			done, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "q", false, false, m)
			if err != nil || !done.Wait() {
				t.Errorf("message %d: %v", i, err)
				return
			}
			confirmed.Store(int64(i))
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for range 3 {
		for from := confirmed.Load(); confirmed.Load() < from+100; {
			b.want(200, "GET", "/api/whoami", "guest", "")
		}
		before := confirmed.Load()
		backup := b.want(200, "GET", "/api/leveret/backup", "guest", "")
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := badger.Restore(dir, strings.NewReader(backup)); err != nil {
			t.Fatal(err)
		}
		if r, err := badger.Check(dir); err != nil || r.Damages != nil {
			t.Errorf("Check says %v, %v", r.Damages, err)
		}
		other := diskBed(t, dir)
		other.want(200, "GET", "/api/vhosts/private", "guest", "")
		v, err := other.server.VHosts().VHost("/")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		_, _, err = v.QueueNamed("q").Browse(queue.Look{}, func(m *queue.Browsed) bool {
			n++
			if strings.TrimRight(string(m.Message.Body), " ") != strconv.Itoa(n) {
				t.Fatalf("message %d is %.20s", n, m.Message.Body)
			}
			return true
		})
		if err != nil || n < int(before) {
			t.Errorf("%d messages were restored, %v; %d were confirmed before", n, err, before)
		}
	}
	close(stop)
	publishing.Wait()
}
