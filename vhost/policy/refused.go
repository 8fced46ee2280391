package policy

import (
	"fmt"
	"strings"
)

// Refused is the error for what management was asked for and cannot do. Its text
// is the reason in RabbitMQ's words, as the body of a 400 has it.
type Refused struct{ reason string }

// Refusef returns a Refused with a reason.
func Refusef(format string, args ...any) *Refused { return &Refused{fmt.Sprintf(format, args...)} }

// Invalid returns what is wrong with a runtime parameter, each fault a line; nil
// if nothing is.
func Invalid(faults ...string) error {
	if len(faults) == 0 {
		return nil
	}
	return &Refused{"Validation failed\n\n" + strings.Join(faults, "\n") + "\n"}
}

// Error returns the reason.
func (e *Refused) Error() string { return e.reason }
