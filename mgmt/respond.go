package mgmt

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// failure is the body of every refusal, in RabbitMQ's shape.
type failure struct {
	Error  string `json:"error"`
	Reason string `json:"reason"`
}

// respond writes a JSON answer. For HEAD, net/http keeps the body back.
func respond(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // a body of a kind that JSON does not have: a bug
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(data) // a client that went away is no concern of the API
}

func respondError(w http.ResponseWriter, status int, name, reason string) {
	respond(w, status, failure{Error: name, Reason: reason})
}

func notFound(w http.ResponseWriter) {
	respondError(w, http.StatusNotFound, "Object Not Found", "Not Found")
}
