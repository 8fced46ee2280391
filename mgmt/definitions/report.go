package definitions

import (
	"fmt"
	"strings"
)

// Count says how many entries of a kind were made, were changed, and were there
// already as the file says.
type Count struct {
	Created   int `json:"created"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
}

// Report says what an import did.
type Report struct {
	Users            Count `json:"users"`
	VHosts           Count `json:"vhosts"`
	Permissions      Count `json:"permissions"`
	TopicPermissions Count `json:"topic_permissions"`
	Parameters       Count `json:"parameters"`
	GlobalParameters Count `json:"global_parameters"`
	Policies         Count `json:"policies"`
	Exchanges        Count `json:"exchanges"`
	Queues           Count `json:"queues"`
	Bindings         Count `json:"bindings"`
	// Skipped says what was left out, each entry in a sentence; never nil.
	Skipped []string `json:"skipped"`
}

// String is the report in a line, for logs.
func (r Report) String() string {
	var parts []string
	for _, k := range []struct {
		name string
		Count
	}{
		{"users", r.Users}, {"vhosts", r.VHosts}, {"permissions", r.Permissions}, {"topic permissions", r.TopicPermissions},
		{"exchanges", r.Exchanges}, {"global parameters", r.GlobalParameters}, {"policies", r.Policies},
		{"parameters", r.Parameters}, {"queues", r.Queues}, {"bindings", r.Bindings},
	} {
		if k.Count == (Count{}) {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %d created, %d changed, %d unchanged", k.name, k.Created, k.Changed, k.Unchanged))
	}
	if len(r.Skipped) > 0 {
		parts = append(parts, fmt.Sprintf("skipped: %d", len(r.Skipped)))
	}
	if parts == nil {
		return "nothing to import"
	}
	return strings.Join(parts, "; ")
}

// effect is what an entry did.
type effect uint8

const (
	unchanged effect = iota
	changed
	made
)

// add counts an entry.
func (c *Count) add(e effect) {
	switch e {
	case made:
		c.Created++
	case changed:
		c.Changed++
	default:
		c.Unchanged++
	}
}

// changedIf is the effect on what was there.
func changedIf(differs bool) effect {
	if differs {
		return changed
	}
	return unchanged
}
