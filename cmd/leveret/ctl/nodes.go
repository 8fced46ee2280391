package ctl

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// pace is how often something that is waited for is looked at.
	pace = 250 * time.Millisecond
	// barPace is how often a progress bar is drawn at most.
	barPace = 100 * time.Millisecond
)

func nodeVerbs() []verb {
	return []verb{
		{name: "ping", usage: "[--timeout <timeout>]", about: "Checks that the broker answers. Needs no login", patience: minute, run: ping},
		{name: "await_startup", usage: "[--timeout <timeout>]", about: "Waits for the broker to start. Needs no login", patience: 5 * minute, run: awaitStartup},
		{name: "await_online_nodes", usage: "<count> [--timeout <timeout>]", about: "Waits for the broker to start, which is one node", least: 1, most: 1,
			patience: 5 * minute, run: awaitOnlineNodes},
		{name: "wait", usage: "[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]", about: "Waits for the broker to start while its process runs. Needs no login",
			options: []string{"pid"}, most: 1, patience: 5 * minute, run: wait},
		{name: "is_running", usage: "[--timeout <timeout>]", about: "Checks if the broker is fully started and running. Needs no login", patience: minute, run: isRunning},
		{name: "is_booting", usage: "[--timeout <timeout>]", about: "Checks if the broker is still starting. Needs no login", patience: minute, run: isBooting},
		{name: "check_running", usage: "[--timeout <timeout>]", about: "Health check that exits with a non-zero code if the broker is not running. Needs no login",
			patience: minute, run: checkRunning},
	}
}

// anonymous is the client without credentials: probes must not depend on a password,
// and must not be counted as failed logins.
func (c *call) anonymous() *client {
	a := *c.api
	a.user, a.password = "", ""
	return &a
}

// alive asks who it is without saying so. To be asked for a login is what an API
// answers that is alive.
func (c *call) alive() error {
	err := c.anonymous().get(c.ctx, "/whoami", nil)
	var r *refusal
	if errors.As(err, &r) {
		if r.status == http.StatusUnauthorized {
			return nil
		}
		return failed(exitUnavailable, "what answers at %s is not a management API, or not able to: %d %s", c.api.base, r.status, http.StatusText(r.status))
	}
	return err
}

// inService asks whether the broker serves clients. Brokers that cannot be asked that
// without a login are in service if they are alive.
func (c *call) inService() error {
	err := c.anonymous().get(c.ctx, "/health/checks/is-in-service", nil)
	var r *refusal
	switch {
	case !errors.As(err, &r):
		return err
	case r.status == http.StatusServiceUnavailable:
		return failed(exitUnavailable, "the broker on node %s is not running: %s", c.node(), cmpText(r.reason, "it does not serve clients"))
	}
	return c.alive()
}

func ping(c *call) error {
	limit := c.timeout(minute)
	c.announce("Will ping %s. This only checks that the management API answers. Timeout: %d ms.", c.node(), limit.Milliseconds())
	if err := c.alive(); err != nil {
		return err
	}
	return c.message("Ping succeeded")
}

// await waits until the broker is in service. Each time it looks, still says whether
// there is any sense in waiting.
func (c *call) await(still func() error) error {
	for {
		err := c.inService()
		if err == nil {
			return nil
		}
		if still != nil {
			if gone := still(); gone != nil {
				return gone
			}
		}
		if !c.pause(pace) {
			return failed(exitTimeout, "the broker on node %s has not started in time: %s", c.node(), err)
		}
	}
}

func awaitStartup(c *call) error {
	if err := c.await(nil); err != nil {
		return err
	}
	return c.done()
}

func awaitOnlineNodes(c *call) error {
	if n, err := strconv.Atoi(c.args[0]); err != nil || n < 1 {
		return misused(exitData, "Bad argument: Argument must be a positive integer")
	} else if n > 1 {
		return failed(exitUnavailable, "%d nodes: not supported by Leveret: %s", n, noCluster)
	}
	c.say("Will wait for at least 1 nodes to join the cluster of %s. Timeout: %d seconds.", c.node(), int(c.timeout(5*minute).Seconds()))
	return awaitStartup(c)
}

func wait(c *call) error {
	pid := c.number("pid", 0)
	if len(c.args) > 0 && pid != 0 {
		return misused(exitUsage, "Cannot specify both pid and pidfile")
	}
	if c.has("pid") && pid < 1 {
		return misused(exitUsage, "--pid must be 1 or more")
	}
	if len(c.args) > 0 {
		c.say("Waiting for pid file '%s' to appear", c.args[0])
		for pid == 0 {
			if pid = pidIn(c.args[0]); pid == 0 && !c.pause(pace) {
				return failed(exitTimeout, "there is no process id in %s", c.args[0])
			}
		}
		c.say("pid is %d", pid)
	}
	c.say("Waiting for applications 'rabbit_and_plugins' to start on node '%s'", c.node())
	err := c.await(func() error {
		if pid != 0 && !processRuns(pid) {
			return failed(exitUnavailable, "process %d is not running", pid)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.say("Applications 'rabbit_and_plugins' are running on node '%s'", c.node())
	return c.done()
}

// pidIn is the process id that a file begins with; 0 if there is none, yet.
func pidIn(file string) int {
	content, _ := os.ReadFile(file)
	words := strings.Fields(string(content))
	if len(words) == 0 {
		return 0
	}
	pid, err := strconv.Atoi(words[0])
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}

func processRuns(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	if runtime.GOOS == "windows" {
		return true // there FindProcess has looked
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

func (c *call) bootedAndRunning() string {
	return fmt.Sprintf("RabbitMQ on node %s is fully booted and running", c.node())
}

func isRunning(c *call) error {
	c.announce("Asking node %s for its status ...", c.node())
	if err := c.inService(); err != nil {
		return err
	}
	if c.format == formatJSON {
		return c.json(ordered{{"message", c.bootedAndRunning()}, {"result", true}})
	}
	return c.message("%s", c.bootedAndRunning())
}

func isBooting(c *call) error {
	c.announce("Asking node %s for its boot status ...", c.node())
	if err := c.alive(); err != nil {
		return err
	}
	text := fmt.Sprintf("RabbitMQ on node %s is fully booted (check with is_running), stopped or has not started booting yet", c.node())
	if c.inService() != nil {
		text = fmt.Sprintf("RabbitMQ on node %s is booting", c.node())
	}
	return c.message("%s", text)
}

func checkRunning(c *call) error {
	c.announce("Checking if RabbitMQ is running on node %s ...", c.node())
	if err := c.inService(); err != nil {
		return err
	}
	return c.message("%s", c.bootedAndRunning())
}
