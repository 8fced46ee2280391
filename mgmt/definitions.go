package mgmt

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/mgmt/definitions"
)

// definitionsEndpoints are for administrators: a file has the hashes of passwords. The
// vhost is named "in", since one that is not there has answers of its own here.
var definitionsEndpoints = []endpoint{
	{http.MethodGet, "/api/definitions", administrator, (*API).exportDefinitions},
	{http.MethodPost, "/api/definitions", administrator, (*API).importDefinitions},
	{http.MethodGet, "/api/definitions/{in}", administrator, (*API).exportVHostDefinitions},
	{http.MethodPost, "/api/definitions/{in}", administrator, (*API).importVHostDefinitions},
	{http.MethodGet, "/api/all-configuration", administrator, (*API).exportDefinitions},
	{http.MethodPost, "/api/all-configuration", administrator, (*API).importDefinitions},
}

func (a *API) about() definitions.About {
	cluster := a.vhosts.ClusterName()
	if cluster == "" {
		cluster = a.opts.ClusterName
	}
	return definitions.About{Product: a.opts.Product, Version: a.opts.Version, RabbitMQ: server.ProtocolVersion, Cluster: cluster}
}

func (a *API) exportDefinitions(w http.ResponseWriter, r *request) error {
	if err := offerDownload(w, r); err != nil {
		return err
	}
	return respond(w, http.StatusOK, definitions.Export(a.vhosts, a.about()))
}

func (a *API) exportVHostDefinitions(w http.ResponseWriter, r *request) error {
	v, err := a.vhosts.VHost(r.names["in"])
	if err != nil {
		return badRequest("vhost_not_found")
	}
	if err := offerDownload(w, r); err != nil {
		return err
	}
	return respond(w, http.StatusOK, definitions.ExportVHost(v, a.about()))
}

// offerDownload has a browser save the answer under the name that the query gives.
func offerDownload(w http.ResponseWriter, r *request) error {
	name := r.URL.Query().Get("download")
	if name == "" {
		return nil
	}
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if disposition == "" {
		return badRequest("download: %q cannot be the name of a file", name)
	}
	w.Header().Set("Content-Disposition", disposition)
	return nil
}

func (a *API) importDefinitions(w http.ResponseWriter, r *request) error {
	file, redirect, err := r.definitions()
	if err != nil {
		return err
	}
	return a.applyDefinitions(w, r, file, redirect)
}

func (a *API) importVHostDefinitions(w http.ResponseWriter, r *request) error {
	name := r.names["in"]
	if _, err := a.vhosts.VHost(name); err != nil {
		return notFound("vhost_not_found")
	}
	file, redirect, err := r.definitions()
	if err != nil {
		return err
	}
	return a.applyDefinitions(w, r, file.For(name), redirect)
}

// applyDefinitions answers 204, with report=true in the query 200 and the report, or
// what the form says that a browser is to be shown.
func (a *API) applyDefinitions(w http.ResponseWriter, r *request, file *definitions.File, redirect string) error {
	report, err := file.Apply(a.vhosts)
	if err != nil {
		a.log.Warn().Err(err).Str("user", r.user.Name).Str("report", report.String()).Msg("definitions not imported")
		return err
	}
	a.log.Info().Str("user", r.user.Name).Str("report", report.String()).Msg("definitions imported")
	switch {
	case r.URL.Query().Get("report") == "true":
		return respond(w, http.StatusOK, report)
	case redirect != "":
		w.Header().Set("Location", redirect)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return done(w)
}

// definitions reads a file of definitions: the body, or the field file of a form, whose
// field redirect says where a browser is to go afterwards. With skip_unsupported=true
// in the query what this broker has not is left out.
func (r *request) definitions() (file *definitions.File, redirect string, err error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, "", unreadable(err)
	}
	switch kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "multipart/form-data":
		if data, redirect, err = readForm(data, params["boundary"]); err != nil {
			return nil, "", err
		}
	case "application/json", "":
		if len(data) == 0 {
			data = []byte("{}") // as RabbitMQ takes it
		}
	default:
		return nil, "", &refusal{http.StatusUnsupportedMediaType, "unsupported_media_type",
			"a file of definitions is application/json or multipart/form-data"}
	}
	file, err = definitions.Parse(data, definitions.ParseOptions{SkipUnsupported: r.URL.Query().Get("skip_unsupported") == "true"})
	return file, redirect, err
}

// readForm reads the fields of a form that are wanted.
func readForm(body []byte, boundary string) (file []byte, redirect string, err error) {
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextRawPart()
		if err == io.EOF {
			return file, redirect, nil
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(part)
		}
		if err != nil {
			return nil, "", badRequest("the form cannot be read: %s", err)
		}
		switch part.FormName() {
		case "file":
			file = data
		case "redirect":
			redirect = string(data)
		}
	}
}

// unreadable is the error of a body that is too large, or has not come as a whole.
func unreadable(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return badRequest("the request body could not be read")
}
