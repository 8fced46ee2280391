package mgmt

import (
	"net/http"
	"slices"
)

var featureEndpoints = []endpoint{
	{http.MethodGet, "/api/feature-flags", anyUser, (*API).listFeatures},
	{http.MethodPut, "/api/feature-flags/{name}/enable", administrator, (*API).enableFeature},
	{http.MethodGet, "/api/deprecated-features", anyUser, (*API).listDeprecated},
	{http.MethodGet, "/api/deprecated-features/used", anyUser, (*API).listDeprecatedUsed},
}

// feature is something that nodes of a RabbitMQ cluster agree about to do. Here there
// is one node, so all is done that it can do.
type feature struct{ name, description, provider string }

// features are those of RabbitMQ that clients look for before they use a queue type or
// this API. Some ask for stream_queue to learn how new the broker is; who declares a
// stream is refused.
var features = []feature{
	{"classic_mirrored_queue_version", "Support setting version for classic mirrored queues", "rabbit"},
	{"classic_queue_type_delivery_support", "Bug fix for classic queue deliveries using mixed versions", "rabbit"},
	{"detailed_queues_endpoint", "Add a detailed queues HTTP API endpoint. Reduce number of metrics in the default endpoint.", "rabbitmq_management_agent"},
	{"direct_exchange_routing_v2", "v2 direct exchange routing implementation", "rabbit"},
	{"drop_unroutable_metric", "Count unroutable publishes to be dropped in stats", "rabbitmq_management_agent"},
	{"empty_basic_get_metric", "Count AMQP `basic.get` on empty queues in stats", "rabbitmq_management_agent"},
	{"feature_flags_v2", "Feature flags subsystem V2", "rabbit"},
	{"implicit_default_bindings", "Default bindings are now implicit, instead of being stored in the database", "rabbit"},
	{"listener_records_in_ets", "Store listener records in ETS instead of Mnesia", "rabbit"},
	{"maintenance_mode_status", "Maintenance mode status", "rabbit"},
	{"message_containers", "Message containers.", "rabbit"},
	{"quorum_queue", "Support queues of type `quorum`", "rabbit"},
	{"stream_queue", "Support queues of type `stream`", "rabbit"},
	{"tracking_records_in_ets", "Store tracking records in ETS instead of Mnesia", "rabbit"},
	{"user_limits", "Configure connection and channel limits for a user", "rabbit"},
	{"virtual_host_metadata", "Virtual host metadata (description, tags, etc)", "rabbit"},
}

var featureShape = shape[feature]{
	{"name", func(f feature) any { return f.name }},
	{"desc", func(f feature) any { return f.description }},
	{"doc_url", func(feature) any { return "" }},
	{"state", func(feature) any { return "enabled" }},
	{"stability", func(feature) any { return "stable" }},
	{"provided_by", func(f feature) any { return f.provider }},
}

func (a *API) listFeatures(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, slices.Clone(features), featureShape)
}

// enableFeature is done already, for those there are. Like RabbitMQ it does not look at
// the body.
func (a *API) enableFeature(w http.ResponseWriter, r *request) error {
	if !slices.ContainsFunc(features, func(f feature) bool { return f.name == r.names["name"] }) {
		return badRequest("unsupported")
	}
	return done(w)
}

// deprecated are the features that RabbitMQ has announced the end of, and that clients
// may use here for good.
var deprecated = []feature{
	{"global_qos", "Prefetch limits that all consumers of a channel share", "rabbit"},
	{"transient_nonexcl_queues", "Queues that are neither durable nor exclusive", "rabbit"},
}

var deprecatedShape = shape[feature]{
	{"name", func(f feature) any { return f.name }},
	{"desc", func(f feature) any { return f.description }},
	{"deprecation_phase", func(feature) any { return "permitted_by_default" }},
	{"doc_url", func(feature) any { return "" }},
	{"provided_by", func(f feature) any { return f.provider }},
	{"state", func(feature) any { return "permitted" }},
}

func (a *API) listDeprecated(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, slices.Clone(deprecated), deprecatedShape)
}

// listDeprecatedUsed lists nothing: nobody is to be warned off what will stay.
func (a *API) listDeprecatedUsed(w http.ResponseWriter, _ *request) error {
	return respond(w, http.StatusOK, []object{})
}
