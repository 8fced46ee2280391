package ctl

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// The exit codes are those of sysexits.h, which RabbitMQ's tools use.
const (
	exitOK          = 0
	exitUsage       = 64 // the command line is wrong
	exitData        = 65 // an argument's content is wrong, or names nothing
	exitNoUser      = 67
	exitUnavailable = 69 // a check failed, the broker refused or cannot be reached
	exitSoftware    = 70
	exitCannot      = 73 // a file cannot be made
	exitTimeout     = 75
	exitPermission  = 77 // the broker does not let this user in, or do that
)

// failure is an error with its exit code.
type failure struct {
	code int
	text string
	// bare is told without "Error:" before it, as the tools do here and there.
	bare bool
}

func (f *failure) Error() string { return f.text }

func failed(code int, format string, args ...any) error {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

// noVHost is what the tools say of a vhost that is not there.
func noVHost(name string) error {
	return &failure{exitData, fmt.Sprintf("Virtual host '%s' does not exist", name), true}
}

// usageFailure is a command line that is wrong: it is told with the verb's usage.
type usageFailure struct {
	code int
	text string
}

func (u *usageFailure) Error() string { return u.text }

// misused returns a usageFailure.
func misused(code int, format string, args ...any) error {
	return &usageFailure{code, fmt.Sprintf(format, args...)}
}

// codeOf is the exit code for an error.
func codeOf(err error) int {
	var (
		fail    *failure
		usage   *usageFailure
		refused *refusal
		timeout net.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &fail):
		return fail.code
	case errors.As(err, &usage):
		return usage.code
	case errors.As(err, &refused):
		return refused.code()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return exitTimeout
	case errors.As(err, new(*unreachable)):
		return exitUnavailable
	}
	return exitSoftware
}
