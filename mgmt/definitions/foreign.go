package definitions

import (
	"maps"
	"slices"
	"strings"
)

// components are those of parameters that the broker knows.
var components = []string{"vhost-limits", "operator_policy", "policy"}

// foreignComponent says which plugin a parameter is for, empty if for none: those
// that RabbitMQ has and those that it does not know either are the same here.
func foreignComponent(name string) string {
	if slices.Contains(components, name) {
		return ""
	}
	return "component " + name
}

// foreignSettings says which settings of a policy are for a plugin that the broker
// has not.
func foreignSettings(definition map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(definition)) {
		if strings.HasPrefix(name, "federation-") || name == "shards-per-node" {
			return "setting " + name
		}
	}
	return ""
}
