package mgmt

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
)

var healthEndpoints = []endpoint{
	{http.MethodGet, "/api/health/checks/alarms", anyUser, (*API).checkAlarms},
	{http.MethodGet, "/api/health/checks/local-alarms", anyUser, (*API).checkLocalAlarms},
	{http.MethodGet, "/api/health/checks/certificate-expiration/{within}/{unit}", anyUser, (*API).checkCertificates},
	{http.MethodGet, "/api/health/checks/port-listener/{port}", anyUser, (*API).checkPort},
	{http.MethodGet, "/api/health/checks/protocol-listener/{protocol}", anyUser, (*API).checkProtocol},
	{http.MethodGet, "/api/health/checks/virtual-hosts", anyUser, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/is-in-service", open, (*API).isInService},
	{http.MethodGet, "/api/health/checks/ready-to-serve-clients", open, (*API).isReady},
	{http.MethodGet, "/api/health/checks/below-node-connection-limit", open, (*API).belowConnectionLimit},
	{http.MethodGet, "/api/health/checks/reached-target-cluster-size", open, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/node-is-quorum-critical", anyUser, (*API).singleNode},
	{http.MethodGet, "/api/health/checks/node-is-mirror-sync-critical", anyUser, (*API).singleNode},
	{http.MethodGet, "/api/health/checks/metadata-store/initialized", anyUser, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/metadata-store/initialized/with-data", anyUser, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts", anyUser, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}", anyUser, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}", visible, (*API).allIsWell},
	{http.MethodGet, "/api/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}", visible, (*API).allIsWell},
	{http.MethodGet, "/api/healthchecks/node", anyUser, (*API).checkNodeHealth},
	{http.MethodGet, "/api/healthchecks/node/{node}", anyUser, (*API).checkNodeHealth},
}

// healthy is what a check answers that finds nothing wrong, and says more.
func healthy(w http.ResponseWriter, more ...member) error {
	return respond(w, http.StatusOK, append(object{{"status", "ok"}}, more...))
}

// unhealthy is what a check answers that has failed.
func unhealthy(w http.ResponseWriter, reason string, more ...member) error {
	return respond(w, http.StatusServiceUnavailable, append(object{{"status", "failed"}, {"reason", reason}}, more...))
}

// allIsWell is the check of what cannot be otherwise while the broker answers: its one
// node has all definitions, all vhosts and the leaders of all quorum queues.
func (a *API) allIsWell(w http.ResponseWriter, _ *request) error { return healthy(w) }

// singleNode is the check whether the node may leave the others.
func (a *API) singleNode(w http.ResponseWriter, _ *request) error {
	return healthy(w, member{"reason", "single node cluster"})
}

func (a *API) checkAlarms(w http.ResponseWriter, _ *request) error {
	return a.noAlarms(w, "There are alarms in effect in the cluster")
}

func (a *API) checkLocalAlarms(w http.ResponseWriter, _ *request) error {
	return a.noAlarms(w, "There are alarms in effect on the node")
}

// noAlarms fails while an alarm is raised.
func (a *API) noAlarms(w http.ResponseWriter, reason string) error {
	raised := a.broker.Alarms()
	var list []object
	for _, alarm := range []struct {
		is       server.Alarm
		resource string
	}{{server.AlarmDisk, "disk"}, {server.AlarmMemory, "memory"}} {
		if raised&alarm.is != 0 {
			list = append(list, object{{"node", a.opts.NodeName}, {"resource", alarm.resource}})
		}
	}
	if list != nil {
		return unhealthy(w, reason, member{"alarms", list})
	}
	return healthy(w)
}

// units are those of certificate-expiration.
var units = map[string]time.Duration{
	"days": day, "weeks": 7 * day, "months": 365 * day / 12, "years": 365 * day,
}

const day = 24 * time.Hour

// checkCertificates fails if the certificate of a listener ends within a time.
func (a *API) checkCertificates(w http.ResponseWriter, r *request) error {
	n, err := strconv.Atoi(r.names["within"])
	if err != nil {
		return badRequest("Invalid expiration value.")
	}
	unit, ok := units[strings.ToLower(r.names["unit"])]
	if !ok {
		return badRequest("Time unit not recognised. Supported units: days, weeks, months, years.")
	}
	const longest = 200 // years: what is longer is no Duration
	limit := time.Now().Add(min(max(time.Duration(n), -longest*365), time.Duration(longest*365*day/unit)) * unit)
	var expiring []object
	for _, l := range a.opts.Listeners {
		if l.Expires == nil {
			continue
		}
		if at := l.Expires(); at.Before(limit) {
			address, port := hostPort(l.Address)
			expiring = append(expiring, object{
				{"node", a.opts.NodeName}, {"protocol", l.Protocol}, {"interface", address}, {"port", port},
				{"certfile_expires_on", []string{at.UTC().Format("2006-01-02 15:04:05")}}, {"cacertfile_expires_on", []string{}},
			})
		}
	}
	if expiring != nil {
		return unhealthy(w, "Certificates expiring", member{"expired", expiring})
	}
	return healthy(w)
}

// checkPort fails unless there is a listener on a port.
func (a *API) checkPort(w http.ResponseWriter, r *request) error {
	asked, err := strconv.Atoi(r.names["port"])
	if err != nil {
		return badRequest("Invalid port")
	}
	ports := []int{}
	for _, l := range a.opts.Listeners {
		_, port := hostPort(l.Address)
		ports = append(ports, port)
	}
	if slices.Contains(ports, asked) {
		return healthy(w, member{"port", asked})
	}
	return unhealthy(w, "No active listener", member{"missing", asked}, member{"ports", ports})
}

// protocols are other names of those of listeners, as RabbitMQ knows them.
var protocols = map[string]string{
	"amqp091": "amqp", "amqp0.9.1": "amqp", "amqp0-9-1": "amqp", "amqp0_9_1": "amqp",
	"amqp10": "amqp", "amqp1.0": "amqp", "amqp1-0": "amqp", "amqp1_0": "amqp",
	"amqps": "amqp/ssl", "http1": "http", "http1.1": "http", "http_api": "http",
	"management": "http", "management_ui": "http", "ui": "http",
	"prometheus": "http/prometheus", "cli": "clustering", "distribution": "clustering",
}

// checkProtocol fails unless there is a listener for one of the protocols, which
// commas separate.
func (a *API) checkProtocol(w http.ResponseWriter, r *request) error {
	there := []string{}
	for _, l := range a.opts.Listeners {
		there = append(there, l.Protocol)
	}
	var asked []string
	for name := range strings.SplitSeq(r.names["protocol"], ",") {
		name = strings.ToLower(name)
		if other, ok := protocols[name]; ok {
			name = other
		}
		if slices.Contains(there, name) {
			return healthy(w, member{"protocol", name})
		}
		asked = append(asked, name)
	}
	return unhealthy(w, "No active listener", member{"missing", strings.Join(asked, ",")}, member{"protocols", there})
}

// isInService fails unless the broker serves clients. It needs no log-in, so that a
// load balancer can ask.
func (a *API) isInService(w http.ResponseWriter, _ *request) error {
	if err := a.broker.InService(); err != nil {
		return unhealthy(w, err.Error())
	}
	return healthy(w)
}

// isReady fails unless a client can connect: by AMQP, and without being one too many.
func (a *API) isReady(w http.ResponseWriter, r *request) error {
	hasAMQP := slices.ContainsFunc(a.opts.Listeners, func(l Listener) bool { return strings.HasPrefix(l.Protocol, "amqp") })
	n, limit := a.connectionRoom()
	switch {
	case a.broker.InService() != nil:
		return unhealthy(w, "the rabbit node is not currently available to serve")
	case !hasAMQP:
		return unhealthy(w, "no active listeners for AMQP/AMQPS")
	case limit > 0 && n >= limit:
		return unhealthy(w, "node connection limit is reached", member{"connections", n})
	}
	return healthy(w)
}

// belowConnectionLimit fails when there is no room for one more connection.
func (a *API) belowConnectionLimit(w http.ResponseWriter, _ *request) error {
	n, limit := a.connectionRoom()
	more := []member{{"limit", limit}, {"connections", n}}
	switch {
	case limit == 0:
		more[0].value = "infinity"
	case n >= limit:
		return unhealthy(w, "node connection limit is reached", more...)
	}
	return healthy(w, more...)
}

// connectionRoom is how many connections there are and may be; 0 is no limit.
func (a *API) connectionRoom() (n, limit int) {
	if a.opts.Resources != nil {
		limit = a.opts.Resources().ConnectionLimit
	}
	return a.broker.Totals().Connections, limit
}

// checkNodeHealth is what there was before the health checks.
func (a *API) checkNodeHealth(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	if err := a.broker.InService(); err != nil {
		return unhealthy(w, err.Error())
	}
	return healthy(w)
}

// hostPort are the parts of the address of a listener; what has no port has 0.
func hostPort(address net.Addr) (host string, port int) {
	if address == nil {
		return "", 0
	}
	host, text, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String(), 0
	}
	port, _ = strconv.Atoi(text) // a listener's address has a number
	return host, port
}
