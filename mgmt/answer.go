package mgmt

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// refusal is an answer that is no answer, in RabbitMQ's shape.
type refusal struct {
	status int
	name   string
	// reason is a text, or a list of what is wrong and the value that is.
	reason any
}

// Error says what the client is told.
func (e *refusal) Error() string { return fmt.Sprint(e.name, ": ", e.reason) }

var (
	// errNoCredentials asks for a log-in.
	errNoCredentials = &refusal{http.StatusUnauthorized, "", ""}
	// errBadCredentials has RabbitMQ's two spellings of the word.
	errBadCredentials = &refusal{http.StatusUnauthorized, "not_authorized", "Not_Authorized"}
	// errNotFound is for what the path names and there is not.
	errNotFound = &refusal{http.StatusNotFound, "Object Not Found", "Not Found"}
)

func notAuthorised(reason string) error {
	return &refusal{http.StatusUnauthorized, "not_authorised", reason}
}

func badRequest(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...)}
}

func notFound(reason string) error { return &refusal{http.StatusNotFound, "not_found", reason} }

// refuse words an error: one place for all.
func (a *API) refuse(w http.ResponseWriter, r *request, err error) {
	if err == errNoCredentials || err == errBadCredentials {
		w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
	}
	if err == errNoCredentials {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	no := refusalOf(err)
	if no.status == http.StatusInternalServerError {
		a.log.Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("request failed")
	}
	respondError(w, no.status, no.name, no.reason)
}

func refusalOf(err error) *refusal {
	var (
		no      *refusal
		refused *policy.Refused
		wire    *amqp.Error
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &no):
		return no
	case errors.As(err, &refused):
		return &refusal{http.StatusBadRequest, "bad_request", refused.Error()}
	case errors.Is(err, auth.ErrNoUser):
		return errNotFound
	case errors.As(err, &large):
		return &refusal{http.StatusRequestEntityTooLarge, "payload_too_large",
			fmt.Sprintf("the request body is larger than %d bytes", large.Limit)}
	case errors.As(err, &wire):
		return refusalOfWire(wire)
	}
	return &refusal{http.StatusInternalServerError, "internal_server_error", "Internal Server Error"}
}

// refusalOfWire words what AMQP would close a channel or a connection with.
func refusalOfWire(e *amqp.Error) *refusal {
	switch e.Code {
	case amqp.CodeNotFound:
		return &refusal{http.StatusNotFound, "not_found", e.Text}
	case amqp.CodeAccessRefused:
		return &refusal{http.StatusUnauthorized, "not_authorised", "Access refused."} // as RabbitMQ, which does not say to what
	case amqp.CodeInternalError:
		return &refusal{http.StatusInternalServerError, "internal_server_error", "Internal Server Error"}
	}
	return &refusal{http.StatusBadRequest, "bad_request", e.Text}
}

// failure is the body of every refusal.
type failure struct {
	Error  string `json:"error"`
	Reason any    `json:"reason"`
}

func respondError(w http.ResponseWriter, status int, name string, reason any) {
	respond(w, status, failure{Error: name, Reason: reason})
}

// respond writes a JSON answer. For HEAD, net/http keeps the body back. It always
// returns nil, for endpoints to end with.
func respond(w http.ResponseWriter, status int, body any) error {
	data := appendJSON(nil, body)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "accept, accept-encoding, origin")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that went away is no concern of the API
	return nil
}

// created answers a PUT: 201 if it made something, 204 if it was there.
func created(w http.ResponseWriter, isNew bool) error {
	if isNew {
		w.WriteHeader(http.StatusCreated)
		return nil
	}
	return done(w)
}

// done answers what has nothing to say.
func done(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
