package main

import (
	"cmp"
	"fmt"

	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/urfave/cli/v2"
)

// The flags of serve about who may log in.
const (
	flagDefaultUser      = "default-user"
	flagDefaultPass      = "default-pass"
	flagDefaultVHost     = "default-vhost"
	flagDefaultTags      = "default-user-tags"
	flagDefaultConfigure = "default-permissions-configure"
	flagDefaultWrite     = "default-permissions-write"
	flagDefaultRead      = "default-permissions-read"
	flagLoopbackUsers    = "loopback-users"
)

// none is the value of a list for nothing in it.
const none = "none"

// defaultTag is that of the first user.
const defaultTag = "administrator"

func userFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagDefaultUser, Usage: firstUsage(flagDefaultUser, "`NAME` of the user that a broker without users makes (default: guest)")},
		&cli.StringFlag{Name: flagDefaultPass, Usage: firstUsage(flagDefaultPass, "`PASSWORD` of that user; others can read it off a command line, but not off the environment (default: guest)")},
		&cli.StringFlag{Name: flagDefaultVHost, Usage: firstUsage(flagDefaultVHost, "`VHOST` in which that user has rights; it is made too (default: /)")},
		&cli.StringSliceFlag{Name: flagDefaultTags, Usage: usage(flagDefaultTags, "`TAGS` of that user, separated by commas; none for none (default: "+defaultTag+")")},
		&cli.StringFlag{Name: flagDefaultConfigure, Usage: usage(flagDefaultConfigure, "`REGEX` of what that user may declare and delete (default: .*)")},
		&cli.StringFlag{Name: flagDefaultWrite, Usage: usage(flagDefaultWrite, "`REGEX` of what that user may write to (default: .*)")},
		&cli.StringFlag{Name: flagDefaultRead, Usage: usage(flagDefaultRead, "`REGEX` of what that user may read from (default: .*)")},
		&cli.StringSliceFlag{Name: flagLoopbackUsers, Value: cli.NewStringSlice("guest"), Usage: usage(flagLoopbackUsers, "`NAMES` of users who may come from this machine only, separated by commas; none for nobody")},
	}
}

// rabbitVariables are the variables of RabbitMQ that count where ours is not given.
var rabbitVariables = map[string]string{
	flagConfig:       "RABBITMQ_CONFIG_FILE",
	flagDefaultUser:  "RABBITMQ_DEFAULT_USER",
	flagDefaultPass:  "RABBITMQ_DEFAULT_PASS",
	flagDefaultVHost: "RABBITMQ_DEFAULT_VHOST",
}

func firstUsage(flag, text string) string {
	return text + " [$" + variable(flag) + ", $" + rabbitVariables[flag] + "]"
}

// readUsers reads who there is at first.
func (c *config) readUsers(s settings) error {
	first := &c.firstUser
	for flag, value := range map[string]*string{
		flagDefaultUser: &first.Name, flagDefaultPass: &first.Password, flagDefaultVHost: &first.VHost,
	} {
		var name string
		if *value, name = s.text(flag); len(*value) > 255 {
			return fmt.Errorf("%s has %d bytes, and the limit is 255", name, len(*value))
		}
	}
	if tags, _ := s.find(flagDefaultTags); len(cleaned(tags)) > 0 {
		first.Tags = listed(tags)
	}
	names, _ := s.find(flagLoopbackUsers)
	c.loopbackUsers = listed(names)
	return c.readPermissions(s)
}

// readPermissions reads what the first user may do: all, where nothing is said.
func (c *config) readPermissions(s settings) error {
	var p auth.Permissions
	for flag, value := range map[string]*string{flagDefaultConfigure: &p.Configure, flagDefaultWrite: &p.Write, flagDefaultRead: &p.Read} {
		var name string
		if *value, name = s.text(flag); *value == "" {
			continue
		}
		if _, err := policy.Compile(*value); err != nil {
			return fmt.Errorf("%s %q is not a regular expression: %w", name, *value, err)
		}
	}
	if p == (auth.Permissions{}) {
		return nil
	}
	c.firstUser.Permissions = auth.Permissions{
		Configure: cmp.Or(p.Configure, auth.All.Configure), Write: cmp.Or(p.Write, auth.All.Write), Read: cmp.Or(p.Read, auth.All.Read),
	}
	return nil
}

// listed are the values of a list in which none stands for nothing. It is not nil.
func listed(values []string) []string {
	all := []string{}
	for _, v := range cleaned(values) {
		if v != none {
			all = append(all, v)
		}
	}
	return all
}
