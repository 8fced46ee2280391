package mgmt

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// description is openapi.json, which must be valid.
func description(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestOpenAPI holds openapi.json against the endpoints: each is in it, and nothing else.
func TestOpenAPI(t *testing.T) {
	doc := description(t)
	var have, want []string
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			have = append(have, method+" "+path)
			if op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s %s has no name or no summary", method, path)
			}
		}
	}
	for _, e := range endpoints() {
		if strings.HasPrefix(e.pattern, "/api/leveret/") {
			want = append(want, e.method+" "+e.pattern)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("described are\n %s\nand there are\n %s", strings.Join(have, "\n "), strings.Join(want, "\n "))
	}
}

// described is a bed that holds each request that is answered, and each answer, against
// openapi.json.
type described struct {
	*bed
	doc *openapi3.T
}

func newDescribed(t testing.TB, b *bed) *described { return &described{b, description(t)} }

// want is that of bed.
func (d *described) want(status int, method, path, user, body string) string {
	d.t.Helper()
	res, text := d.do(method, path, user, body)
	if res.StatusCode != status {
		d.t.Fatalf("%s %s as %q: %d %s, want %d", method, path, user, res.StatusCode, text, status)
	}
	u, err := url.Parse(path)
	if err != nil {
		d.t.Fatal(err)
	}
	rt, names := d.api.router.match(u)
	if rt == nil {
		d.t.Fatalf("%s is no path of the API", path)
	}
	pattern := "/" + strings.Join(rt.segments, "/")
	item := d.doc.Paths.Value(pattern)
	req, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: names, QueryParams: u.Query(), Options: options,
		Route: &routers.Route{Spec: d.doc, Path: pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)}}
	err = openapi3filter.ValidateRequest(context.Background(), in)
	if status < 300 && err != nil {
		d.t.Errorf("%s %s was answered, but is not as described: %v", method, path, err)
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader([]byte(text))), Options: options,
	})
	if err != nil {
		d.t.Errorf("the answer to %s %s is not as described: %v", method, path, err)
	}
	return text
}
