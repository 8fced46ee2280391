package mgmt

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// text reads the body. The error says that it is too large, or a refusal.
func (r *request) text() (string, error) {
	data, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", err
	case err != nil:
		return "", badRequest("the request body could not be read")
	}
	return string(data), nil
}

// decode reads the body, which is one JSON object, or nothing, which is an empty
// one. The error is a refusal that says what is wrong with it, as RabbitMQ does.
func (r *request) decode() (map[string]json.RawMessage, error) {
	text, err := r.text()
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return map[string]json.RawMessage{}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil || members == nil {
		return nil, badRequest("not_json")
	}
	return members, nil
}

// textMember reads a body of which one member is needed, a string.
func (r *request) textMember(name string) (string, error) {
	m, err := r.members()
	if err != nil {
		return "", err
	}
	if err := m.need(name); err != nil {
		return "", err
	}
	text, ok := m.value(name).(string)
	if !ok {
		return "", wrong("not_string", name)
	}
	return text, nil
}
