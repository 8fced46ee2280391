package ctl

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func checkVerbs() []verb {
	timed := "[--timeout <timeout>]"
	return []verb{
		{name: "alarms", usage: timed, about: "Lists resource alarms in effect", patience: minute, run: alarms},
		{name: "check_alarms", usage: timed, about: "Health check that exits with a non-zero code if there are any alarms", patience: minute, run: checkAlarms},
		{name: "check_local_alarms", usage: timed, about: "Health check that exits with a non-zero code if there are any local alarms, which all are", patience: minute, run: checkAlarms},
		{name: "check_port_connectivity", usage: "[--address <address>] [--timeout <timeout>]", about: "Basic TCP connectivity health check for each listener's port",
			options: []string{"address"}, patience: minute, run: checkPortConnectivity},
		{name: "check_port_listener", usage: "<port> " + timed, about: "Health check that exits with a non-zero code if there is no active listener for given port",
			least: 1, most: 1, patience: minute, run: checkPortListener},
		{name: "check_protocol_listener", usage: "<protocol> " + timed, about: "Health check that exits with a non-zero code if there is no active listener for given protocol",
			least: 1, most: 1, patience: minute, run: checkProtocolListener},
		{name: "check_virtual_hosts", usage: timed, about: "Health check that checks if all vhosts are running", patience: minute, run: checkVirtualHosts},
		{name: "check_certificate_expiration", usage: "[--within <period>] [--unit <unit>]", about: "Checks the expiration date on the certificates for every listener configured to use TLS",
			options: []string{"within", "unit"}, patience: minute, run: checkCertificates},
		{name: "check_if_node_is_quorum_critical", usage: timed, about: "Succeeds always: there is one node", patience: minute, run: notCritical("quorum of any quorum queues")},
		{name: "check_if_node_is_mirror_sync_critical", usage: timed, about: "Succeeds always: there is one node", patience: minute,
			run: notCritical("data safety of any classic mirrored queues")},
		{name: "node_health_check", usage: timed, about: "DEPRECATED. See check_running and check_alarms", patience: 70 * time.Second, run: nodeHealthCheck},
	}
}

// health asks for a health check. A check that failed is not an error: failed is what
// the API says of it.
func (c *call) health(names ...string) (failed object, err error) {
	err = c.get("/health/checks"+pathOf(names...), nil)
	var r *refusal
	if errors.As(err, &r) && r.status == http.StatusServiceUnavailable && r.body != nil {
		return r.body, nil
	}
	return nil, err
}

// alarm is a resource that has run out.
type alarm struct {
	Node     string `json:"node"`
	Resource string `json:"resource"`
}

func (a alarm) String() string {
	if a.Resource == "disk" {
		return "Free disk space alarm on node " + a.Node
	}
	return strings.ToUpper(a.Resource[:min(1, len(a.Resource))]) + a.Resource[min(1, len(a.Resource)):] + " alarm on node " + a.Node
}

func (c *call) alarms() (raised []alarm, err error) {
	failed, err := c.health("alarms")
	if err != nil || failed == nil {
		return nil, err
	}
	list, _ := failed["alarms"].([]any)
	for _, entry := range list {
		m, _ := entry.(object)
		raised = append(raised, alarm{text(m["node"]), text(m["resource"])})
	}
	if raised == nil {
		raised = []alarm{{c.node(), cmpText(text(failed["reason"]), "unknown")}}
	}
	return raised, nil
}

func alarms(c *call) error {
	c.announce("Asking node %s to report any known resource alarms ...", c.node())
	raised, err := c.alarms()
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return c.json(ordered{{"alarms", append([]alarm{}, raised...)}, {"node", c.node()}, {"result", "ok"}})
	}
	if len(raised) == 0 {
		return c.message("Node %s reported no alarms, local or clusterwide", c.node())
	}
	for _, a := range raised {
		c.println(a.String())
	}
	return nil
}

func checkAlarms(c *call) error {
	c.announce("Asking node %s to report any local resource alarms ...", c.node())
	raised, err := c.alarms()
	if err != nil {
		return err
	}
	if len(raised) > 0 {
		var lines []string
		for _, a := range raised {
			lines = append(lines, a.String())
		}
		return failed(exitUnavailable, "%s", strings.Join(lines, "\n"))
	}
	if c.verb == "check_local_alarms" {
		return c.message("Node %s reported no local alarms", c.node())
	}
	return c.message("Node %s reported no alarms, local or clusterwide", c.node())
}

func checkPortListener(c *call) error {
	port, err := strconv.Atoi(c.args[0])
	if err != nil || port < 1 {
		return misused(exitData, "Bad argument: Argument must be a positive integer")
	}
	c.announce("Asking node %s if there's an active listener on port %d ...", c.node(), port)
	missing, err := c.health("port-listener", c.args[0])
	if err != nil {
		return err
	}
	if missing != nil {
		return &failure{exitUnavailable, fmt.Sprintf("No listener for port %d is active on node %s. Found listeners that use the following ports: %s",
			port, c.node(), sortedNumbers(missing["ports"])), true}
	}
	return c.message("A listener for port %d is running on node %s.", port, c.node())
}

func sortedNumbers(v any) string {
	list, _ := v.([]any)
	var numbers []int64
	for _, e := range list {
		n, _ := e.(json.Number)
		i, _ := n.Int64()
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), "[]")
}

func checkProtocolListener(c *call) error {
	c.announce("Asking node %s if there's an active listener for protocol %s ...", c.node(), c.args[0])
	missing, err := c.health("protocol-listener", c.args[0])
	if err != nil {
		return err
	}
	if missing != nil {
		list, _ := tags(missing["protocols"], nil).(words)
		slices.Sort(list)
		return failed(exitUnavailable, "No listener for protocol %s is active on node %s. Found listeners for the following protocols: %s",
			c.args[0], c.node(), strings.Join(slices.Compact(list), ", "))
	}
	return c.message("A listener for protocol %s is running on node %s.", c.args[0], c.node())
}

func checkVirtualHosts(c *call) error {
	c.announce("Checking if all vhosts are running on node %s ...", c.node())
	bad, err := c.health("virtual-hosts")
	if err != nil {
		return err
	}
	if bad != nil {
		down, _ := tags(bad["virtual-hosts"], nil).(words)
		return failed(exitUnavailable, "Some virtual hosts on node %s are down:\n%s", c.node(), strings.Join(down, "\n"))
	}
	return c.message("Node %s reported all vhosts as running", c.node())
}

func checkCertificates(c *call) error {
	within, unit := c.number("within", 4), cmpText(c.text("unit"), "weeks")
	if units := []string{"days", "weeks", "months", "years"}; !slices.Contains(units, unit) {
		return misused(exitUsage, `"unit '%s' is not supported. Please use one of: %s"`, printable(unit, ""), strings.Join(units, ", "))
	}
	if within < 1 {
		return misused(exitUsage, "--within must be 1 or more")
	}
	c.announce("Checking certificate expiration on node %s ...", c.node())
	bad, err := c.health("certificate-expiration", strconv.Itoa(within), unit)
	if err != nil {
		return err
	}
	if bad != nil {
		expired, _ := compact(bad["expired"])
		return failed(exitUnavailable, "%s: %s", cmpText(text(bad["reason"]), "Certificates expiring"), expired)
	}
	return c.message("No certificates are expiring within %d %s.", within, unit)
}

// notCritical is a check that asks whether a cluster can do without this node, which
// a single node can be asked only in vain.
func notCritical(what string) func(*call) error {
	return func(c *call) error {
		c.announce("Checking if node %s is critical for %s ...", c.node(), what)
		if err := c.inService(); err != nil {
			return err
		}
		return c.message("Node %s seems to be the only one in a single node cluster, the check does not apply", c.node())
	}
}

func nodeHealthCheck(c *call) error {
	c.announce("This command is DEPRECATED and will be removed in a future version.\n" +
		"It performs intrusive, opinionated health checks and requires a fully booted node.\n" +
		"Use one of the options covered in https://www.rabbitmq.com/monitoring.html#health-checks instead.")
	if limit := c.timeout(70 * time.Second); limit > 0 {
		c.announce("Timeout: %d seconds ...", int(limit.Seconds()))
	}
	c.announce("Checking health of node %s ...", c.node())
	var answer struct{ Status, Reason string }
	if err := c.get("/healthchecks/node", &answer); err != nil {
		return err
	}
	if answer.Status != "ok" {
		return failed(exitUnavailable, "Node %s failed a health check: %s", c.node(), answer.Reason)
	}
	return c.message("Health check passed")
}

// checkPortConnectivity connects to each port that the broker says it listens at.
func checkPortConnectivity(c *call) error {
	c.announce("Testing TCP connections to all active listeners on node %s ...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	if len(o.Listeners) == 0 {
		return failed(exitUnavailable, "node %s tells of no listeners: the user needs the tag monitoring", c.node())
	}
	var ports []int
	var bad []string
	for _, l := range o.Listeners {
		conn, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(c.ctx, "tcp", net.JoinHostPort(c.hostOf(l), strconv.Itoa(l.Port)))
		if err != nil {
			bad = append(bad, l.String()+": "+err.Error())
			continue
		}
		conn.Close()
		ports = append(ports, l.Port)
	}
	if len(bad) > 0 {
		return failed(exitUnavailable, "Connection to ports of the following listeners on node %s failed:\n%s", c.node(), strings.Join(bad, "\n"))
	}
	slices.Sort(ports)
	return c.message("Successfully connected to ports %s on node %s.",
		strings.Trim(strings.Join(strings.Fields(fmt.Sprint(slices.Compact(ports))), ", "), "[]"), c.node())
}

// hostOf is where a listener is reached from here: at its own address if it has one
// that says anything here, else where the API is.
func (c *call) hostOf(l listener) string {
	here := c.api.base.Hostname()
	if given := c.text("address"); given != "" {
		return given
	}
	ip := net.ParseIP(l.Address)
	if ip == nil || ip.IsUnspecified() {
		return here
	}
	api := net.ParseIP(cmp.Or(map[string]string{"localhost": "127.0.0.1"}[here], here))
	if ip.IsLoopback() && (api == nil || !api.IsLoopback()) {
		return here
	}
	return ip.String()
}
