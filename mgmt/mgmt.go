package mgmt

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/rs/zerolog"
)

// Broker is what the API needs to see of a broker. Its methods are called by
// many goroutines at once.
type Broker interface {
	// InService returns nil while the broker accepts and serves connections,
	// else an error that says why it does not.
	InService() error
}

// Options are the choices of New. The zero value is usable.
type Options struct {
	// Log gets one line a panic, with its stack. nil = no logs.
	Log *zerolog.Logger
}

// New returns the API of a broker. The handler is safe for concurrent use.
// A panic while a request is answered becomes a 500 and a line in the log.
func New(b Broker, o Options) http.Handler {
	log := zerolog.Nop()
	if o.Log != nil {
		log = *o.Log
	}
	a := &api{broker: b}
	var r router
	r.handle("/api/health/checks/is-in-service", http.MethodGet, a.isInService)
	return recoverPanics(&r, log)
}

// api answers requests; its methods are one an endpoint.
type api struct {
	broker Broker // immutable
}

func recoverPanics(next http.Handler, log zerolog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v) // net/http's own way to drop a connection
			}
			log.Error().Str("method", r.Method).Str("path", r.URL.Path).
				Str("panic", fmt.Sprint(v)).Bytes("stack", debug.Stack()).
				Msg("request failed")
			respondError(w, http.StatusInternalServerError, "internal_server_error", "Internal Server Error")
		}()
		next.ServeHTTP(w, r)
	})
}
