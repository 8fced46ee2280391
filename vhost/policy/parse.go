package policy

import (
	"maps"
	"slices"
)

// Parse makes a policy of what management and files of definitions have for one:
// an object with pattern and definition, and, if they are there, priority and
// apply-to; the error is a Refused. What is in it is checked by New, its types here.
func Parse(name string, value map[string]any) (Policy, error) {
	p := Policy{Name: name, ApplyTo: ToAll}
	value, _ = Plain(value).(map[string]any)
	var faults, unknown []string
	for _, field := range slices.Sorted(maps.Keys(value)) {
		fault := ""
		switch v := value[field]; field {
		case "apply-to":
			var ok bool
			if p.ApplyTo, ok = v.(string); !ok {
				fault = "apply-to should be binary, actually was " + Term(v)
			}
		case "definition":
			var ok bool
			if p.Definition, ok = v.(map[string]any); !ok {
				fault = "definition must be a dictionary: " + Term(v)
			}
		case "pattern":
			var ok bool
			if p.Pattern, ok = v.(string); !ok {
				fault = "pattern should be a binary but was " + Term(v)
			}
		case "priority":
			var ok bool
			if p.Priority, ok = v.(int64); !ok {
				fault = "priority should be a number, actually was " + Term(v)
			}
		default:
			unknown = append(unknown, field)
		}
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	for _, field := range []string{"definition", "pattern"} {
		if _, ok := value[field]; !ok {
			faults = append(faults, `Key "`+field+`" not found in `+name)
		}
	}
	if unknown != nil {
		faults = slices.Insert(faults, 0, "Unrecognised terms "+Pairs(value, unknown)+" in "+name)
	}
	return p, Invalid(faults...)
}
