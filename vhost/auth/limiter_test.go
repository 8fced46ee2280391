package auth

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		from := func(s string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(s), Port: 1} }
		allowed := func(a net.Addr, want bool) {
			t.Helper()
			if _, err := l.Allow(a); (err == nil) != want {
				t.Errorf("from %s: %v", a, err)
			}
		}
		bad := from("192.0.2.1")
		for i := range 10 {
			allowed(bad, true)
			if got, want := l.Failed(bad), time.Duration(i+1)*200*time.Millisecond; got != want {
				t.Errorf("failure %d is held back for %s, want %s", i+1, got, want)
			}
		}
		allowed(bad, false)
		held, err := l.Allow(bad)
		if held != 2*time.Second || err == nil || !strings.HasPrefix(err.Error(), "more than 10 failed logins from this address; the next is looked at in 1s") {
			t.Errorf("held back %s: %v", held, err)
		}
		allowed(from("::ffff:192.0.2.1"), false) // is the same
		allowed(from("192.0.2.2"), true)
		time.Sleep(time.Second)
		allowed(bad, true)
		for range 100 { // many that came at once
			if held := l.Failed(bad); held > 2200*time.Millisecond {
				t.Fatalf("held back for %s", held)
			}
		}
		time.Sleep(11 * time.Second)
		allowed(bad, true)
		if held := l.Failed(bad); held != 200*time.Millisecond {
			t.Errorf("after all was forgotten it is held back for %s", held)
		}
		for range 20 {
			l.Failed(from("2001:db8::1"))
			l.Failed(from("127.0.0.1"))
			l.Failed(&net.UnixAddr{})
		}
		allowed(from("2001:db8::2"), false)
		allowed(from("2001:db8:0:1::1"), true)
		allowed(from("127.0.0.1"), true)
		allowed(&net.UnixAddr{}, true)
	})
}

func TestLimiterForgetsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		worst := &net.TCPAddr{IP: net.IPv4(10, 9, 9, 9)}
		for range 20 {
			l.Failed(worst)
		}
		for i := range 3 * maxAddresses {
			l.Failed(&net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("10.0.%d.%d", i>>8, i&255))})
		}
		if n := len(l.forgotten); n != maxAddresses {
			t.Errorf("%d addresses are remembered", n)
		}
		if _, err := l.Allow(worst); err == nil {
			t.Error("the worst is forgotten for those who failed once")
		}
		time.Sleep(time.Minute)
		l.Failed(&net.TCPAddr{IP: net.IPv4(10, 9, 9, 8)})
		if n := len(l.forgotten); n != 1 {
			t.Errorf("after a minute %d addresses are remembered", n)
		}
	})
}
