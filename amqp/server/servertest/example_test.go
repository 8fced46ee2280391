package servertest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp/server/servertest"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// What testGreeting does is what a TestGreeting(t *testing.T) would do. The
// broker is gone when the test ends.
func ExampleStart() {
	t := &substitute{}
	testGreeting(t)
	t.end()

	// Output: ok
}

func testGreeting(t testing.TB) {
	b := servertest.Start(t) // b.URL is what the application under test dials
	ch := b.Channel()
	_, declared := ch.QueueDeclare("greetings", false, false, false, false, nil)
	published := ch.Publish("", "greetings", false, false, amqp091.Publishing{Body: []byte("hello")})
	d, _, got := ch.Get("greetings", true)
	if err := errors.Join(declared, published, got); err != nil || string(d.Body) != "hello" {
		t.Fatalf("got %q, %v", d.Body, err)
	}
	fmt.Println("ok")
}

// substitute is as much of a testing.T as servertest needs: an Example is not
// given one.
type substitute struct {
	testing.TB
	cleanups []func()
}

func (*substitute) Helper()                           {}
func (*substitute) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*substitute) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (s *substitute) Cleanup(f func())                { s.cleanups = append(s.cleanups, f) }

// end does what happens when a test ends.
func (s *substitute) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}
