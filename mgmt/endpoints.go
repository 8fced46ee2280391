package mgmt

import (
	"net/http"
	"slices"
)

// endpoint is a path with a method, who may use it and what it does.
type endpoint struct {
	method, pattern string
	access          access
	// answer writes the answer, or returns why there is none, before it has
	// written anything: answer.go words it.
	answer func(a *API, w http.ResponseWriter, r *request) error
}

// endpoints are all that there are.
func endpoints() []endpoint {
	return slices.Concat(
		bindingEndpoints,
		channelEndpoints,
		clusterEndpoints,
		connectionEndpoints,
		consumerEndpoints,
		definitionsEndpoints,
		exchangeEndpoints,
		featureEndpoints,
		healthEndpoints,
		leveretEndpoints,
		limitEndpoints,
		messageEndpoints,
		nodeEndpoints,
		overviewEndpoints,
		pageEndpoints,
		parameterEndpoints,
		permissionEndpoints,
		policyEndpoints,
		queueEndpoints,
		sessionEndpoints,
		userEndpoints,
		vhostEndpoints,
	)
}

// access is what one must be to use an endpoint.
type access uint8

const (
	// open to anybody, without a log-in.
	open access = iota
	// anyUser is whoever may log in: who has one of the four tags.
	anyUser
	// visible is anyUser who may log in to the vhost in the path, or is a monitor.
	visible
	// entrant is anyUser who may log in to the vhost in the path, whatever else they
	// are.
	entrant
	// policymaker is who has this tag, or administrator, and may log in to the vhost
	// in the path.
	policymaker
	// monitor is who has the tag monitoring, or administrator.
	monitor
	// administrator is who has this tag.
	administrator
)
