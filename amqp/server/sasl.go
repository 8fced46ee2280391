package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
)

// The SASL mechanisms that there are.
const (
	// MechanismPlain is name and password (RFC 4616), without another identity.
	MechanismPlain = "PLAIN"
	// MechanismAMQPlain is the same in a field table.
	MechanismAMQPlain = "AMQPLAIN"
	// MechanismExternal is the name in the client's certificate (RFC 4422, appendix A).
	MechanismExternal = "EXTERNAL"
	// MechanismAnonymous is for whoever comes (RFC 4505).
	MechanismAnonymous = "ANONYMOUS"
)

// allMechanisms are in the order in which they are offered. Few clients choose by it.
var allMechanisms = []string{MechanismPlain, MechanismAMQPlain, MechanismExternal, MechanismAnonymous}

// checkMechanisms fills in the default of the mechanisms, and looks whether those
// that are asked for can be had.
func (o *Options) checkMechanisms() error {
	recognizes := true // the users of Server.VHosts
	if o.Auth != nil {
		_, recognizes = o.Auth.(Recognizer)
	}
	if o.Mechanisms == nil {
		o.Mechanisms = []string{MechanismPlain, MechanismAMQPlain}
		if recognizes {
			o.Mechanisms = append(o.Mechanisms, MechanismExternal)
		}
		if o.AnonymousUser != "" {
			o.Mechanisms = append(o.Mechanisms, MechanismAnonymous)
		}
	}
	o.Mechanisms = slices.Clone(o.Mechanisms)
	if len(o.Mechanisms) == 0 {
		return errors.New("there is no mechanism by which to log in")
	}
	for i, m := range o.Mechanisms {
		switch {
		case !slices.Contains(allMechanisms, m):
			return fmt.Errorf("mechanism %q is not one of %s", m, strings.Join(allMechanisms, ", "))
		case slices.Contains(o.Mechanisms[:i], m):
			return fmt.Errorf("mechanism %s is there twice", m)
		case !recognizes && (m == MechanismExternal || m == MechanismAnonymous):
			return fmt.Errorf("mechanism %s needs an Auth that recognizes users without their password", m)
		}
	}
	switch anonymous := slices.Contains(o.Mechanisms, MechanismAnonymous); {
	case anonymous && o.AnonymousUser == "":
		return fmt.Errorf("mechanism %s needs a user for those who come by it", MechanismAnonymous)
	case !anonymous && o.AnonymousUser != "":
		return fmt.Errorf("anonymous user '%s' is of no use without the mechanism %s", o.AnonymousUser, MechanismAnonymous)
	}
	return o.CertLogin.Check()
}

// offered are the mechanisms that this client may use.
func (c *conn) offered() []string {
	return slices.DeleteFunc(slices.Clone(c.srv.opts.Mechanisms), func(m string) bool {
		return m == MechanismExternal && !c.verified()
	})
}

// loginRefused is the error for who has not shown who they are.
type loginRefused struct {
	user string // empty if not known
	why  error
}

// Error is for the log, not for the client.
func (e *loginRefused) Error() string { return e.why.Error() }

// logIn carries out a mechanism. Its error is a *loginRefused, or an *amqp.Error for a
// mechanism that was not offered or a response that makes no sense.
func (c *conn) logIn(mechanism string, response []byte) (auth.User, error) {
	if !slices.Contains(c.offered(), mechanism) {
		if slices.Contains(allMechanisms, mechanism) {
			return auth.User{}, amqp.CommandInvalid("invalid authentication mechanism '%s'", mechanism)
		}
		return auth.User{}, amqp.CommandInvalid("unknown authentication mechanism '%s'", mechanism)
	}
	var (
		name, password string
		user           auth.User
		err            error
		remote         = c.peer.Load().client
	)
	switch mechanism {
	case MechanismExternal: // an identity in the response is ignored, as by RabbitMQ
		if name, err = c.srv.opts.CertLogin.Name(c.tls().PeerCertificates[0]); err == nil {
			user, err = c.srv.recognize(context.Background(), name, remote)
		}
	case MechanismAnonymous:
		name = c.srv.opts.AnonymousUser
		user, err = c.srv.recognize(context.Background(), name, remote)
	default:
		if name, password, err = credentials(mechanism, response); err != nil {
			return auth.User{}, err
		}
		user, err = c.srv.authenticate(context.Background(), name, password, remote)
	}
	c.srv.countLogin("amqp", err)
	c.tellLogin(name, mechanism, err)
	if err != nil {
		return auth.User{}, &loginRefused{name, err}
	}
	return user, nil
}

// credentials reads the response of a mechanism with a password. RabbitMQ quotes a
// response that makes no sense; it holds a password, so we do not.
func credentials(mechanism string, response []byte) (name, password string, err error) {
	if mechanism == MechanismPlain { // without an authorization identity, as RabbitMQ
		parts := bytes.Split(response, []byte{0})
		if len(parts) != 3 || len(parts[0]) != 0 {
			return "", "", amqp.SyntaxError("response invalid")
		}
		return string(parts[1]), string(parts[2]), nil
	}
	t, err := amqp.DecodeFields(response)
	if err != nil {
		return "", "", amqp.SyntaxError("AMQPLAIN auth info is not a table")
	}
	login, hasLogin := t.Get("LOGIN")
	secret, hasSecret := t.Get("PASSWORD")
	if !hasLogin || !hasSecret {
		return "", "", amqp.SyntaxError("AMQPLAIN auth info is missing LOGIN or PASSWORD field")
	}
	name, isName := login.(string)
	password, isPassword := secret.(string)
	if !isName || !isPassword {
		return "", "", amqp.SyntaxError("AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field")
	}
	return name, password, nil
}
