package servertest_test

import (
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

	// Output: hello
}

func testGreeting(t testing.TB) {
	b := servertest.Start(t) // b.URL is what an application under test would dial
	ch := b.Channel()
	if _, err := ch.QueueDeclare("greetings", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.Publish("", "greetings", false, false, amqp091.Publishing{Body: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	if d, ok, err := ch.Get("greetings", true); err != nil || !ok || string(d.Body) != "hello" {
		t.Fatal(string(d.Body), ok, err)
	}
	fmt.Println("hello")
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
func (*substitute) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (s *substitute) Cleanup(f func())                { s.cleanups = append(s.cleanups, f) }

// end does what happens when a test ends.
func (s *substitute) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}
