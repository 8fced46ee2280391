package mgmt

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// router finds the handler of a path. http.ServeMux will not do: it does not
// match a segment that is exactly %2F, which is how the default vhost is
// spelled in a path.
type router struct {
	routes []*route // immutable once requests come in
}

// route is one pattern, cut into segments. A segment in braces matches any
// one segment and captures it.
type route struct {
	segments []string
	handlers map[string]handler // by method; never HEAD or OPTIONS
}

// handler answers a request that its route matched. names are the captured
// segments, decoded, by the name in the braces.
type handler func(w http.ResponseWriter, r *http.Request, names map[string]string)

// handle adds a handler. pattern starts with a slash and does not end with
// one. GET covers HEAD; OPTIONS is answered by the router.
func (r *router) handle(pattern, method string, h handler) {
	segments := strings.Split(pattern[1:], "/")
	for _, rt := range r.routes {
		if slices.Equal(rt.segments, segments) {
			rt.handlers[method] = h
			return
		}
	}
	r.routes = append(r.routes, &route{segments, map[string]handler{method: h}})
}

// ServeHTTP answers 404 for a path of no route, and for a method that the
// route does not have 405 with the Allow header.
func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	rt, names := r.match(req.URL)
	if rt == nil {
		respondError(w, errNotFound.status, errNotFound.name, errNotFound.reason)
		return
	}
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := rt.handlers[method]; h != nil {
		h(w, req, names)
		return
	}
	w.Header().Set("Allow", rt.allow())
	if method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	respondError(w, http.StatusMethodNotAllowed, "method_not_allowed", "Method Not Allowed")
}

// match returns the first route that fits, with its captures; nil if none.
func (r *router) match(u *url.URL) (*route, map[string]string) {
	segments, ok := splitPath(u.EscapedPath())
	if !ok {
		return nil, nil
	}
	for _, rt := range r.routes {
		if names, ok := rt.match(segments); ok {
			return rt, names
		}
	}
	return nil, nil
}

// splitPath cuts a path at its slashes and decodes each segment on its own,
// so that an encoded slash stays inside one. One trailing slash is dropped, as
// RabbitMQ accepts it and clients send it.
func splitPath(escaped string) (segments []string, ok bool) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil, false // OPTIONS * and the like
	}
	segments = strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

// match compares segment by segment; a capture takes any segment but an
// empty one.
func (rt *route) match(segments []string) (names map[string]string, ok bool) {
	if len(segments) != len(rt.segments) {
		return nil, false
	}
	for i, want := range rt.segments {
		name, captures := captureName(want)
		switch {
		case captures && segments[i] == "", !captures && segments[i] != want:
			return nil, false
		case captures:
			if names == nil {
				names = make(map[string]string)
			}
			names[name] = segments[i]
		}
	}
	return names, true
}

func captureName(segment string) (name string, ok bool) {
	if !strings.HasPrefix(segment, "{") {
		return "", false
	}
	return segment[1 : len(segment)-1], true
}

// allow lists the methods in a fixed order.
func (rt *route) allow() string {
	methods := []string{http.MethodOptions}
	for m := range rt.handlers {
		methods = append(methods, m)
		if m == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}
