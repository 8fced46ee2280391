package mgmt

import "net/http"

// health is the answer of a health check.
type health struct {
	// Status is "ok" or "failed".
	Status string `json:"status"`
	// Reason says why a check failed.
	Reason string `json:"reason,omitempty"`
}

// isInService is GET /api/health/checks/is-in-service: 200 while the broker
// serves clients, else 503. As in RabbitMQ it needs no log-in, so that a load
// balancer can ask.
func (a *api) isInService(w http.ResponseWriter, _ *request) {
	if err := a.broker.InService(); err != nil {
		respond(w, http.StatusServiceUnavailable, health{Status: "failed", Reason: err.Error()})
		return
	}
	respond(w, http.StatusOK, health{Status: "ok"})
}
