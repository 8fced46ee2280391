package mgmt

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const badCredentials = `{"error":"not_authorized","reason":"Not_Authorized"}`

// The two spellings of a 401 and the header, as RabbitMQ has them.
func TestConventions_Credentials(t *testing.T) {
	b := newBed(t)
	token := b.api.tokens.issue("guest", "guest")
	for _, c := range []struct {
		name, header string
		status       int
		body         string
		realm        bool
	}{
		{"none", "", 401, "", true},
		{"basic", "Basic Z3Vlc3Q6Z3Vlc3Q=", 200, "", false},
		{"wrong password", "Basic Z3Vlc3Q6d3Jvbmc=", 401, badCredentials, true},
		{"no name, no password", "Basic Og==", 401, badCredentials, true},
		{"not base64", "Basic !!!", 400, "", false},
		{"digest", "Digest x", 400, "", false},
		{"token", "Bearer " + token, 200, "", false},
		{"scheme in small letters", "bearer " + token, 200, "", false},
		{"token of another broker", "Bearer " + newTokens().issue("guest", "guest"), 401, badCredentials, true},
		{"token for a wrong password", "Bearer " + b.api.tokens.issue("guest", "x"), 401, badCredentials, true},
		{"damaged token", "Bearer " + token[:len(token)-8] + "AAAAAAA=", 401, badCredentials, true},
		{"cut token", "Bearer " + token[:12], 401, badCredentials, true},
		{"no token", "Bearer", 401, badCredentials, true},
		{"no tag", "Basic bm9uZTpub25l", 401, `{"error":"not_authorised","reason":"Not management user"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "/api/whoami", nil)
			if c.header != "" {
				req.Header.Set("Authorization", c.header)
			}
			w := httptest.NewRecorder()
			req.RemoteAddr = "127.0.0.1:1"
			b.api.ServeHTTP(w, req)
			if w.Code != c.status || c.status == 401 && w.Body.String() != c.body {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.status, c.body)
			}
			if got := w.Header().Get("WWW-Authenticate"); (got == `Basic realm="RabbitMQ Management"`) != c.realm {
				t.Errorf("WWW-Authenticate %q", got)
			}
		})
	}
}

// guest may come from this machine only; who has shown that they are guest is told so.
func TestConventions_Loopback(t *testing.T) {
	b := newBed(t)
	for password, want := range map[string]string{
		"guest": `{"error":"not_authorised","reason":"User can only log in via localhost"}`,
		"wrong": badCredentials,
	} {
		req := httptest.NewRequest("GET", "/api/whoami", nil)
		req.RemoteAddr = "192.0.2.1:1"
		req.SetBasicAuth("guest", password)
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, req)
		if w.Code != 401 || w.Body.String() != want {
			t.Errorf("%s: %d %s, want %s", password, w.Code, w.Body, want)
		}
	}
}

func TestLogin(t *testing.T) {
	b := newBed(t)
	post := func(form string) (*http.Response, string) {
		req, err := http.NewRequest("POST", b.url+"/api/login", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.send(req)
	}
	res, body := post("username=monitoring&password=monitoring")
	var answer struct {
		Token struct{ Type, Value string }
		User  struct {
			Name string
			Tags []string
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if answer.Token.Type != "basic" || answer.User.Name != "monitoring" || len(answer.User.Tags) != 1 {
		t.Errorf("answer %+v", answer)
	}
	if strings.Contains(body, `"monitoring:`) || !strings.HasPrefix(answer.Token.Value, "rmqe.") {
		t.Errorf("token %s", answer.Token.Value)
	}
	req, _ := http.NewRequest("GET", b.url+"/api/whoami", nil)
	req.Header.Set("Authorization", "Bearer "+answer.Token.Value)
	if _, body := b.send(req); body != `{"name":"monitoring","tags":["monitoring"],"is_internal_user":true}` {
		t.Errorf("whoami by the token: %s", body)
	}
	// A token ends with the password.
	b.want(204, "PUT", "/api/users/monitoring", "guest", `{"password":"other","tags":"monitoring"}`)
	if res, body := b.send(req); res.StatusCode != 401 {
		t.Errorf("the token outlives the password: %d %s", res.StatusCode, body)
	}
	for form, status := range map[string]int{
		"username=guest&password=x": 401, "username=guest": 401, "": 401, "username=none&password=none": 401, "a=%zz": 400,
	} {
		if res, body := post(form); res.StatusCode != status || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d %s, want %d", form, res.StatusCode, body, status)
		}
	}
	b.want(204, "DELETE", "/api/login", "", "")
}

func FuzzToken(f *testing.F) {
	tokens := newTokens()
	f.Add("guest", "guest", tokens.issue("a", "b"))
	f.Add("", ":", "rmqe.")
	f.Fuzz(func(t *testing.T, name, password, garbage string) {
		if strings.Contains(name, ":") {
			return
		}
		if n, p, ok := tokens.open(tokens.issue(name, password)); !ok || n != name || p != password {
			t.Fatalf("%q, %q comes back as %q, %q, %v", name, password, n, p, ok)
		}
		if n, p, ok := tokens.open(garbage); ok && (n != "a" || p != "b") {
			t.Fatalf("%q opens as %q, %q", garbage, n, p)
		}
	})
}

func TestAuthAttempts(t *testing.T) {
	b := newBed(t)
	type counts struct {
		Protocol  string
		Attempts  int `json:"auth_attempts"`
		Failed    int `json:"auth_attempts_failed"`
		Succeeded int `json:"auth_attempts_succeeded"`
	}
	const path = "/api/auth/attempts/leveret@test"
	b.want(401, "GET", "/api/whoami", "guest:wrong", "")
	b.want(204, "DELETE", path, "guest", "")
	b.want(401, "GET", "/api/whoami", "guest:wrong", "")
	b.want(200, "GET", "/api/whoami", "guest", "")
	var got []counts
	b.get(path, &got)
	if len(got) != 1 || got[0] != (counts{"http", 3, 1, 2}) {
		t.Errorf("attempts %+v", got)
	}
	if body := b.want(200, "GET", path+"/source", "guest", ""); body != "[]" {
		t.Errorf("by source: %s", body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		for _, path := range []string{"/api/auth/attempts/other", "/api/auth/attempts/other/source"} {
			if body := b.want(404, method, path, "guest", ""); body != notFoundBody {
				t.Errorf("%s %s: %s", method, path, body)
			}
		}
	}
}

func TestHashPassword(t *testing.T) {
	b := newBed(t)
	for _, body := range []string{
		b.want(200, "GET", "/api/auth/hash_password/s%2Fecret", "guest", ""),
		b.want(200, "POST", "/api/auth/hash_password", "guest", `{"password":"s/ecret"}`),
	} {
		var answer struct{ OK string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		user := `{"password_hash":"` + answer.OK + `","tags":"management"}`
		b.ask("DELETE", "/api/users/u", "guest", "")
		b.want(201, "PUT", "/api/users/u", "guest", user)
		b.want(200, "GET", "/api/whoami", "u:s/ecret", "")
	}
	if body := b.want(400, "POST", "/api/auth/hash_password", "guest", `{"password":5}`); !strings.Contains(body, "password") {
		t.Error(body)
	}
	if body := b.want(400, "POST", "/api/auth/hash_password", "guest", `{}`); body != `{"error":"bad_request","reason":"[{key_missing,password}]"}` {
		t.Error(body)
	}
}
