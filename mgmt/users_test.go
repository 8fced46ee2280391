package mgmt

import "testing"

func TestUsers(t *testing.T) {
	const sha512 = "MZA2zmzC/zADPkrBKUbGfkLwD8bmSV8ikHUb8VgqrOqiAEi1Ys+Wd6gqDd+QZs49+r6lMVAS98UN6kG3apwCa5ro5Ec="
	take(t, []step{
		{"GET", "/api/users/lev-u", "", 404, nothingThere, 0},
		{"DELETE", "/api/users/lev-u", "", 404, nothingThere, 0},
		{"PUT", "/api/users/lev-u", "", 400, badReason(`"tags_not_present"`), 0},
		{"PUT", "/api/users/lev-u", `{"password":"x"}`, 400, badReason(`"tags_not_present"`), 0},
		{"PUT", "/api/users/lev-u", `{`, 400, badReason(`"not_json"`), 0},
		{"PUT", "/api/users/lev-u", `[1]`, 400, badReason(`"not_json"`), 0},
		{"PUT", "/api/users/lev-u", `{"tags":5}`, 400, badReason(`"tags should be a text or a list of texts, actually was 5"`), 500},
		{"PUT", "/api/users/lev-u", `{"tags":"","password":5}`, 400, badReason(`["not_string","password"]`), 500},
		{"PUT", "/api/users/lev-u", `{"tags":"","password_hash":"***"}`, 400, badReason(`["not_base64","***"]`), 0},
		{"PUT", "/api/users/lev-u", `{"tags":"","password_hash":"AAAA","hashing_algorithm":"nope"}`, 400, badReason(`"hashing_algorithm 'nope' is not known"`), 201},
		{"DELETE", "/api/users/lev-u", "", 404, "", 204},
		{"PUT", "/api/users/lev-u", `{"tags":"","password_hash":"` + sha512 + `","password":"x"}`, 400, badReason(`"both_password_and_password_hash_are_provided"`), 0},
		{"GET", "/api/users/lev-u", "", 404, nothingThere, 0},
		{"PUT", "/api/users/lev-u", `{"tags":"a,,b, administrator","password_hash":"` + sha512 + `","hashing_algorithm":"rabbit_password_hashing_sha512"}`, 201, ``, 0},
		{"GET", "/api/users/lev-u", "", 200, `{"name":"lev-u","password_hash":"` + sha512 + `","hashing_algorithm":"rabbit_password_hashing_sha512","tags":["a","b","administrator"],"limits":{}}`, 0},
		{"GET", "/api/users/lev-u/?columns=name,tags", "", 200, `{"name":"lev-u","tags":["a","b","administrator"]}`, 0},
		{"PUT", "/api/users/lev-u", `{"tags":["monitoring","x"],"name":"other"}`, 204, ``, 0},
		{"GET", "/api/users/lev-u", "", 200, `{"name":"lev-u","password_hash":"","hashing_algorithm":"rabbit_password_hashing_sha256","tags":["monitoring","x"],"limits":{}}`, 0},
		{"PUT", "/api/users/lev-u", `{"administrator":true,"password":"x"}`, 204, ``, 0},
		{"GET", "/api/users/lev-u?columns=tags,hashing_algorithm", "", 200, `{"tags":["administrator"],"hashing_algorithm":"rabbit_password_hashing_sha256"}`, 0},
		{"PUT", "/api/users/lev-u", `{"administrator":"perhaps"}`, 400, badReason(`["not_boolean","perhaps"]`), 0},
		{"GET", "/api/users/without-permissions?columns=name", "", 200, `~{"name":"lev-u"}`, 0},
		{"GET", "/api/users/?columns=name&page=1&page_size=1", "", 200, `~{"name":"guest"},`, 0}, // pages are for others
		{"PUT", "/api/users/lev-first", `{"tags":"","password":"p","permissions":{"/":{"configure":"a","write":"b","read":"c"}}}`, 201, ``, 0},
		{"GET", "/api/users/lev-first/permissions", "", 200, `[{"user":"lev-first","vhost":"/","configure":"a","write":"b","read":"c"}]`, 0},
		{"PUT", "/api/users/lev-first", `{"tags":"","password":"p","permissions":{"/":{"configure":"","write":"","read":""}}}`, 204, ``, 0},
		{"GET", "/api/users/lev-first/permissions", "", 200, `[{"user":"lev-first","vhost":"/","configure":"a","write":"b","read":"c"}]`, 0},
		{"PUT", "/api/users/lev%00", `{"tags":""}`, 400, badReason(`"name of user must not contain a null character"`), 201},
		{"PUT", "/api/users/..", `{"tags":""}`, 400, badReason(`"name of user must not be '..', which no path can hold"`), 200},

		{"POST", "/api/users/bulk-delete", "", 400, badReason(`"[{key_missing,users}]"`), 0},
		{"POST", "/api/users/bulk-delete", `{"users":5}`, 400, badReason(`"users should be a list of names"`), 500},
		{"POST", "/api/users/bulk-delete", `{"users":["lev-u","nobody"]}`, 400, badReason(`["no_such_user","nobody"]`), 0},
		// RabbitMQ has deleted the first by then.
		{"GET", "/api/users/lev-u?columns=name", "", 200, `{"name":"lev-u"}`, 404},
		{"POST", "/api/users/bulk-delete", `{"users":["lev-u"]}`, 204, ``, 400},
		{"GET", "/api/users/lev-u", "", 404, nothingThere, 0},
		{"DELETE", "/api/users/lev-first", "", 204, ``, 0},
		{"DELETE", "/api/users/lev%00", "", 404, ``, 204},
		{"GET", "/api/users/lev-first/permissions", "", 404, nothingThere, 0},
		{"GET", "/api/users/lev-first/topic-permissions", "", 404, nothingThere, 0},
	})
}

func TestPermissions(t *testing.T) {
	const all = `{"configure":"","write":"a","read":".*"}`
	take(t, []step{
		{"PUT", "/api/users/lev-p", `{"tags":"","password":"p"}`, 201, ``, 0},
		{"PUT", "/api/vhosts/lev-v", ``, 201, ``, 0},
		{"GET", "/api/permissions/lev-v/lev-p", "", 404, nothingThere, 0},
		{"GET", "/api/permissions/lev-none/lev-p", "", 404, nothingThere, 0},
		{"PUT", "/api/permissions/lev-none/lev-p", all, 400, badReason(`"vhost_or_user_not_found"`), 0},
		{"PUT", "/api/permissions/lev-v/nobody", `{}`, 400, badReason(`"vhost_or_user_not_found"`), 0},
		{"PUT", "/api/permissions/lev-v/lev-p", ``, 400, badReason(`"[{key_missing,configure},{key_missing,write},{key_missing,read}]"`), 0},
		{"PUT", "/api/permissions/lev-v/lev-p", `{"write":""}`, 400, badReason(`"[{key_missing,configure},{key_missing,read}]"`), 0},
		{"PUT", "/api/permissions/lev-v/lev-p", `{"configure":"","write":5,"read":""}`, 400, badReason(`["not_string","write"]`), 500},
		{"PUT", "/api/permissions/lev-v/lev-p", `{"configure":"","write":"(","read":""}`, 400, `~"bad_request"`, 0},
		{"PUT", "/api/permissions/lev-v/lev-p", all, 201, ``, 0},
		{"PUT", "/api/permissions/lev-v/lev-p", all, 204, ``, 0},
		{"GET", "/api/permissions/lev-v/lev-p", "", 200, `{"user":"lev-p","vhost":"lev-v","configure":"","write":"a","read":".*"}`, 0},
		{"GET", "/api/permissions?columns=user,vhost", "", 200, `~"lev-p"`, 0},
		{"GET", "/api/vhosts/lev-v/permissions?sort=user", "", 200, `[{"user":"guest","vhost":"lev-v","configure":".*","write":".*","read":".*"},{"user":"lev-p","vhost":"lev-v","configure":"","write":"a","read":".*"}]`, 0},
		{"DELETE", "/api/permissions/lev-v/lev-p", "", 204, ``, 0},
		{"DELETE", "/api/permissions/lev-v/lev-p", "", 404, nothingThere, 0},
		{"DELETE", "/api/permissions/lev-none/lev-p", "", 404, nothingThere, 0},

		{"GET", "/api/topic-permissions/lev-v/lev-p", "", 404, nothingThere, 0},
		{"PUT", "/api/topic-permissions/lev-v/lev-p", `{"write":"","read":""}`, 400, badReason(`"[{key_missing,exchange}]"`), 0},
		{"PUT", "/api/topic-permissions/lev-v/lev-p/x", `{"write":"","read":""}`, 400, badReason(`"[{key_missing,exchange}]"`), 0},
		{"PUT", "/api/topic-permissions/lev-v/lev-p", `{"exchange":"x","write":"","read":"("}`, 400, `~"bad_request"`, 0},
		{"PUT", "/api/topic-permissions/lev-none/lev-p", `{}`, 400, badReason(`"vhost_or_user_not_found"`), 0},
		{"PUT", "/api/topic-permissions/lev-v/lev-p", `{"exchange":"x","write":"a","read":"b"}`, 201, ``, 0},
		{"PUT", "/api/topic-permissions/lev-v/lev-p", `{"exchange":"y","write":"c","read":"d"}`, 204, ``, 0},
		{"GET", "/api/topic-permissions/lev-v/lev-p?sort=exchange", "", 200, `[{"user":"lev-p","vhost":"lev-v","exchange":"x","write":"a","read":"b"},{"user":"lev-p","vhost":"lev-v","exchange":"y","write":"c","read":"d"}]`, 200},
		{"GET", "/api/users/lev-p/topic-permissions?sort=exchange&columns=exchange", "", 200, `[{"exchange":"x"},{"exchange":"y"}]`, 0},
		{"GET", "/api/vhosts/lev-v/topic-permissions?sort=exchange&columns=exchange", "", 200, `[{"exchange":"x"},{"exchange":"y"}]`, 0},
		{"GET", "/api/topic-permissions?columns=exchange,vhost", "", 200, `~"lev-v"`, 0},
		{"DELETE", "/api/topic-permissions/lev-v/lev-p/x", "", 204, ``, 0},
		{"DELETE", "/api/topic-permissions/lev-v/lev-p/x", "", 204, ``, 0},
		{"GET", "/api/topic-permissions/lev-v/lev-p?columns=exchange", "", 200, `[{"exchange":"y"}]`, 0},
		{"DELETE", "/api/topic-permissions/lev-v/lev-p", "", 204, ``, 0},
		{"DELETE", "/api/topic-permissions/lev-v/lev-p", "", 404, nothingThere, 0},
		{"DELETE", "/api/vhosts/lev-v", "", 204, ``, 0},
		{"GET", "/api/vhosts/lev-v/permissions", "", 404, nothingThere, 0},
		{"DELETE", "/api/users/lev-p", "", 204, ``, 0},
	})
}
