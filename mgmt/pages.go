package mgmt

import (
	"net/http"
	"strings"
)

var pageEndpoints = []endpoint{
	{http.MethodGet, "/", open, (*API).home},
	{http.MethodGet, "/index.html", open, (*API).home},
	{http.MethodGet, "/api", open, (*API).toReference},
	{http.MethodGet, "/api/index.html", open, (*API).reference},
	{http.MethodGet, "/cli", open, (*API).toolGone},
	{http.MethodGet, "/cli/index.html", open, (*API).toolGone},
	{http.MethodGet, "/cli/rabbitmqadmin", open, (*API).toolGone},
}

const homePage = `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Management</title></head>
<body>
<h1>Management</h1>
<p>There is no web UI here. The management API is under <a href="api/index.html">/api</a>:
rabbitmqadmin, <code>leveret ctl</code> and other clients of RabbitMQ's management API use it.</p>
</body>
</html>
`

func (a *API) home(w http.ResponseWriter, _ *request) error { return respondPage(w, homePage) }

func (a *API) toReference(w http.ResponseWriter, _ *request) error {
	w.Header().Set("Location", "/api/index.html")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// reference lists the endpoints.
func (a *API) reference(w http.ResponseWriter, _ *request) error {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Management HTTP API</title></head>
<body>
<h1>Management HTTP API</h1>
<p>It is that of RabbitMQ, whose reference holds here too. Log in with HTTP basic authentication; names in paths are
percent-encoded, so the vhost / is %2F.</p>
<table>
`)
	for _, e := range a.endpoints {
		// Patterns are our own text: there is nothing in them to escape.
		b.WriteString("<tr><td>" + e.method + "</td><td>" + e.pattern + "</td></tr>\n")
	}
	b.WriteString("</table>\n</body>\n</html>\n")
	return respondPage(w, b.String())
}

// toolGone says where rabbitmqadmin comes from: like RabbitMQ since 4.3 this broker
// does not hand it out.
func (a *API) toolGone(http.ResponseWriter, *request) error {
	return &refusal{http.StatusNotFound, "Object Not Found",
		"rabbitmqadmin is not part of this broker: take it from RabbitMQ's releases or your distribution, or use leveret ctl"}
}

// respondPage answers with a page for people, which loads nothing and runs nothing.
func respondPage(w http.ResponseWriter, page string) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(page)) // a client that went away is no concern of the API
	return nil
}
