package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// The flags of serve about who may log in.
const (
	flagDefaultUser   = "default-user"
	flagDefaultPass   = "default-pass"
	flagDefaultVHost  = "default-vhost"
	flagLoopbackUsers = "loopback-users"
)

// noUsers is the value of --loopback-users for nobody.
const noUsers = "none"

func userFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagDefaultUser, Usage: firstUsage(flagDefaultUser, "`NAME` of the administrator that a broker without users makes (default: guest)")},
		&cli.StringFlag{Name: flagDefaultPass, Usage: firstUsage(flagDefaultPass, "`PASSWORD` of that user; others can read it off a command line, but not off the environment (default: guest)")},
		&cli.StringFlag{Name: flagDefaultVHost, Usage: firstUsage(flagDefaultVHost, "`VHOST` in which that user has all rights; it is made too (default: /)")},
		&cli.StringSliceFlag{Name: flagLoopbackUsers, Value: cli.NewStringSlice("guest"), Usage: usage(flagLoopbackUsers, "`NAMES` of users who may come from this machine only, separated by commas; none for nobody")},
	}
}

// rabbitVariable is the variable that RabbitMQ's image has for a flag.
func rabbitVariable(flag string) string {
	return "RABBITMQ_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func firstUsage(flag, text string) string {
	return text + " [$" + variable(flag) + ", $" + rabbitVariable(flag) + "]"
}

// readUsers reads who there is at first. RabbitMQ's variables count where ours are
// not given.
func (c *config) readUsers(s settings) error {
	first := &c.firstUser
	for flag, value := range map[string]*string{
		flagDefaultUser: &first.Name, flagDefaultPass: &first.Password, flagDefaultVHost: &first.VHost,
	} {
		var name string
		if *value, name = s.text(flag); *value == "" {
			*value, _ = s.env(rabbitVariable(flag))
			name = rabbitVariable(flag)
		}
		if len(*value) > 255 {
			return fmt.Errorf("%s has %d bytes, and the limit is 255", name, len(*value))
		}
	}
	names, _ := s.find(flagLoopbackUsers)
	c.loopbackUsers = []string{}
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" && name != noUsers {
			c.loopbackUsers = append(c.loopbackUsers, name)
		}
	}
	return nil
}
