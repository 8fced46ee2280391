package server

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// errPanic is why a connection is lost whose writer has failed.
var errPanic = errors.New("session failed")

// recoverPanic, deferred, keeps a fault in one session from ending the broker:
// it costs the connection, with 541 if the writer can still say so.
func (c *conn) recoverPanic(goroutine string) {
	v := recover()
	if v == nil {
		return
	}
	c.log.Error().Str("panic", fmt.Sprint(v)).Str("goroutine", goroutine).Bytes("stack", debug.Stack()).Msg("session failed")
	c.heart.stop()
	if goroutine == "writer" {
		c.lost(errPanic)
		return
	}
	c.releaseAfterPanic()
	e := amqp.InternalError("")
	c.send(0, &amqp.ConnectionClose{ReplyCode: e.Code, ReplyText: e.ReplyText()})
	c.out.end()
	_ = c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
	<-c.written
}

// releaseAfterPanic tries release on a session that may be broken; a second
// panic leaves the rest unreleased and says so.
func (c *conn) releaseAfterPanic() {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error().Str("panic", fmt.Sprint(v)).Msg("session could not be released")
		}
	}()
	c.release()
}
