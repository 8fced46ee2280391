package mgmt

import (
	"bytes"
	_ "embed" // openapi.json
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// leveretEndpoints are those that RabbitMQ does not have. openapi.json describes them.
var leveretEndpoints = slices.Concat(
	[]endpoint{{http.MethodGet, "/api/leveret/openapi.json", open, (*API).openAPI}},
	backupEndpoints,
	browseEndpoints,
	carryEndpoints,
	dryRunEndpoints,
	reachEndpoints,
	redriveEndpoints,
	scheduledEndpoints,
)

//go:embed openapi.json
var openAPI json.RawMessage

// openAPI answers with the description of these endpoints.
func (a *API) openAPI(w http.ResponseWriter, _ *request) error {
	return respond(w, http.StatusOK, openAPI)
}

// strictly reads a body into a struct. What the struct does not have is refused by name,
// and so is what is of another type.
func (r *request) strictly(into any) error {
	text, err := r.text()
	if err != nil || text == "" {
		return err
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	d.DisallowUnknownFields()
	var kind *json.UnmarshalTypeError
	switch err := d.Decode(into); {
	case errors.As(err, &kind) && kind.Field != "":
		return badRequest("%s: a %s is no value for it", kind.Field, kind.Value)
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field "):
		return badRequest("there is no member %s", strings.TrimPrefix(err.Error(), "json: unknown field "))
	case err != nil:
		return badRequest("not_json")
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("not_json")
	}
	return nil
}

// queryOf are the members of a query, which must be among those that there are.
func (r *request) queryOf(names ...string) (map[string][]string, error) {
	q := r.URL.Query()
	for name := range q {
		if !slices.Contains(names, name) {
			return nil, badRequest("there is no query %q", name)
		}
	}
	return q, nil
}
