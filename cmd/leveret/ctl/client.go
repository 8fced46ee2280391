package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// client speaks to a management API.
type client struct {
	base           *url.URL // without credentials, and without /api
	user, password string
	http           *http.Client
}

// object is an object of the API; numbers in it are json.Number.
type object = map[string]any

// refusal is an answer of the API that is no success.
type refusal struct {
	status int
	name   string // RabbitMQ's "error"
	reason string // as text, whatever it was
	body   object // nil if it was not an object
	user   string // who asked
}

func (r *refusal) Error() string {
	switch {
	case r.name == "not_authorized" || r.status == http.StatusUnauthorized && r.name == "":
		return fmt.Sprintf("user '%s' cannot log in: %s", r.user, cmpText(r.reason, "Not_Authorized"))
	case r.status == http.StatusUnauthorized:
		return fmt.Sprintf("user '%s' is refused: %s", r.user, r.reason)
	case r.reason != "":
		return r.reason
	}
	return fmt.Sprintf("the management API answered with %d %s", r.status, http.StatusText(r.status))
}

func (r *refusal) code() int {
	if r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
		return exitPermission
	}
	return exitUnavailable
}

// cmpText is the first text that is not empty.
func cmpText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// refusedWith says whether an error is an answer of that status.
func refusedWith(err error, status int) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == status
}

// unreachable is an error on the way to the API.
type unreachable struct {
	base  string
	cause error
}

func (u *unreachable) Error() string {
	if errors.Is(u.cause, context.DeadlineExceeded) {
		return fmt.Sprintf("the management API at %s did not answer in time", u.base)
	}
	return fmt.Sprintf("unable to reach the management API at %s: %s", u.base, u.cause)
}

func (u *unreachable) Unwrap() error { return u.cause }

// pathOf makes a path below /api of names, which are escaped.
func pathOf(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		escaped := url.PathEscape(name)
		if name == "." || name == ".." {
			// Else it would go up the path.
			escaped = strings.ReplaceAll(name, ".", "%2E")
		}
		b.WriteString("/" + escaped)
	}
	return b.String()
}

// get asks for a path, which may have a query, and decodes the answer into a
// pointer; nil: it is not wanted.
func (c *client) get(ctx context.Context, path string, into any) error {
	return c.ask(ctx, http.MethodGet, path, nil, into)
}

// ask sends a body as JSON, nil for none, and decodes the answer.
func (c *client) ask(ctx context.Context, method, path string, body, into any) error {
	var r io.Reader
	if body != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return err
		}
		r = &buf
	}
	res, err := c.send(ctx, method, path, r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
		return c.broken(ctx, err)
	}
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		if ctx.Err() != nil {
			return c.broken(ctx, err)
		}
		return failed(exitUnavailable, "what answers at %s is not a management API: %s", c.base, err)
	}
	return nil
}

// send makes a request and returns its answer, whose body the caller closes, if
// it is a success; else the error says why not.
func (c *client) send(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+"/api"+path, body)
	if err != nil {
		return nil, failed(exitUsage, "%s", err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	r := &refusal{status: res.StatusCode, user: c.user}
	dec := json.NewDecoder(io.LimitReader(res.Body, 1<<16))
	dec.UseNumber()
	if err := dec.Decode(&r.body); err == nil {
		r.name, _ = r.body["error"].(string)
		r.reason = reasonText(r.body["reason"])
	}
	return nil, r
}

// broken makes an error of the way an unreachable; nil stays nil.
func (c *client) broken(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // it would name the URL again
	}
	return &unreachable{c.base.String(), err}
}

// reasonText makes text of a reason. RabbitMQ escapes some for HTML, and some are
// lists, which stand for Erlang's tuples and are shown as rabbitmqctl shows those.
func reasonText(reason any) string {
	switch r := reason.(type) {
	case nil:
		return ""
	case string:
		return html.UnescapeString(r)
	case []any:
		if s, ok := characters(r); ok {
			return "'" + s + "'"
		}
		parts := make([]string, len(r))
		for i, e := range r {
			parts[i] = reasonText(e)
			if s, ok := e.(string); ok && i == 0 {
				parts[i] = ":" + s
			} else if ok {
				parts[i] = strconv.Quote(s)
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	b, _ := compact(reason)
	return string(b)
}

// characters is the text of a list that is an Erlang string: all numbers of ASCII.
func characters(list []any) (string, bool) {
	var b strings.Builder
	for _, e := range list {
		n, _ := e.(json.Number)
		r, err := n.Int64()
		if err != nil || r < ' ' || r > '~' {
			return "", false
		}
		b.WriteByte(byte(r))
	}
	return b.String(), len(list) > 0
}

// fileError is an error about a file as "open x: no such file", without more.
func fileError(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path + ": " + p.Err.Error()
	}
	return err.Error()
}
