package mgmt

import (
	"strings"
	"testing"
)

func TestPolicies(t *testing.T) {
	const ok = `{"pattern":"^a","definition":{"max-length":5}}`
	both := []step{
		{"PUT", "/api/vhosts/lev-v", ``, 201, ``, 0},
		{"GET", "/api/policies/lev-none", "", 404, nothingThere, 0},
		{"GET", "/api/policies/lev-v", "", 200, `[]`, 0},
		{"GET", "/api/policies/lev-v/p", "", 404, nothingThere, 0},
		{"DELETE", "/api/policies/lev-v/p", "", 404, nothingThere, 0},
		{"PUT", "/api/policies/lev-none/p", ok, 404, `{"error":"not_found","reason":"vhost_not_found"}`, 0},
		{"PUT", "/api/policies/lev-v/p", ``, 400, badReason(`"[{key_missing,pattern},{key_missing,definition}]"`), 0},
		{"PUT", "/api/policies/lev-v/p", `{"definition":{}}`, 400, badReason(`"[{key_missing,pattern}]"`), 0},
		{"PUT", "/api/policies/lev-v/p", `{"pattern":"","definition":{}}`, 400, badReason(`"Validation failed\n\nno policy provided\n"`), 0},
		{"PUT", "/api/policies/lev-v/p", `{"pattern":5,"definition":{"max-length":4}}`, 400, badReason(`"Validation failed\n\npattern should be a binary but was 5\n"`), 0},
		{"PUT", "/api/policies/lev-v/p", `{"pattern":"","definition":[1]}`, 400, `~definition must be a dictionary`, 500},
		{"PUT", "/api/policies/lev-v/p", ok, 201, ``, 0},
		{"GET", "/api/policies/lev-v/p", "", 200, `{"vhost":"lev-v","name":"p","pattern":"^a","apply-to":"all","definition":{"max-length":5},"priority":0}`, 0},
		{"PUT", "/api/policies/lev-v/p", `{"vhost":"x","name":"y","pattern":"^b","definition":{"max-length":9007199254740993},"priority":7,"apply-to":"queues"}`, 204, ``, 0},
		{"GET", "/api/policies/lev-v", "", 200, `~9007199254740993`, 0},
		{"GET", "/api/policies/lev-v/?columns=name,priority,apply-to", "", 200, `[{"name":"p","priority":7,"apply-to":"queues"}]`, 0},
		{"GET", "/api/policies?columns=name,vhost", "", 200, `~"lev-v"`, 0},
		{"DELETE", "/api/policies/lev-v/p", "", 204, ``, 0},
		{"DELETE", "/api/vhosts/lev-v", "", 204, ``, 0},
	}
	take(t, both)
	operator := make([]step, len(both))
	for i, s := range both {
		s.path = strings.Replace(s.path, "/api/policies", "/api/operator-policies", 1)
		operator[i] = s
	}
	take(t, operator)
}

// A reason that shows what the client said has no HTML in it; that of an operator policy
// has, in RabbitMQ 3.10.
func TestPolicyReasonsAreEscaped(t *testing.T) {
	const bad = `{"pattern":"a","definition":{"zz":"&"}}`
	take(t, []step{
		{"PUT", "/api/policies/%2F/lev-p", bad, 400, badReason(`"Validation failed\n\n[{&lt;&lt;\"zz\"&gt;&gt;,&lt;&lt;\"&amp;\"&gt;&gt;}] are not recognised policy settings\n"`), 0},
		{"PUT", "/api/operator-policies/%2F/lev-p", bad, 400, badReason(`"Validation failed\n\n[{<<\"zz\">>,<<\"&\">>}] are not recognised policy settings\n"`), 0},
	})
}

func TestParameters(t *testing.T) {
	take(t, []step{
		{"PUT", "/api/vhosts/lev-v", ``, 201, ``, 0},
		{"GET", "/api/parameters/nope", "", 200, `[]`, 0},
		{"GET", "/api/parameters/nope/lev-v", "", 200, `[]`, 0},
		{"GET", "/api/parameters/vhost-limits/lev-none", "", 404, nothingThere, 0},
		{"GET", "/api/parameters/vhost-limits/lev-v", "", 200, `[]`, 0},
		{"GET", "/api/parameters/vhost-limits/lev-v/limits", "", 404, nothingThere, 0},
		{"PUT", "/api/parameters/vhost-limits/lev-none/limits", `{"value":{}}`, 404, `{"error":"not_found","reason":"vhost_not_found"}`, 0},
		{"PUT", "/api/parameters/nope/lev-v/x", ``, 400, badReason(`"[{key_missing,value}]"`), 0},
		{"PUT", "/api/parameters/nope/lev-v/x", `{"value":5}`, 400, badReason(`"Validation failed\n\ncomponent nope not found\n"`), 0},
		{"PUT", "/api/parameters/shovel/lev-v/x", `{"value":{}}`, 400, badReason(`"Validation failed\n\ncomponent shovel not found\n"`), 0},
		{"PUT", "/api/parameters/policy/lev-v/x", `{"value":{}}`, 400, badReason(`"policies may not be set using this method"`), 0},
		{"PUT", "/api/parameters/vhost-limits/lev-v/limits", `{"value":5}`, 400, badReason(`"Validation failed\n\nlimits not a list 5\n"`), 0},
		{"PUT", "/api/parameters/vhost-limits/lev-v/limits", `{"value":{"max-queues":"x"}}`, 400, badReason(`"Validation failed\n\nmax-queues should be a number, actually was &lt;&lt;\"x\"&gt;&gt;\n"`), 0},
		{"PUT", "/api/parameters/vhost-limits/lev-v/limits", `{"value":{"max-queues":5}}`, 201, ``, 0},
		{"PUT", "/api/parameters/vhost-limits/lev-v/limits", `{"value":{"max-queues":6}}`, 204, ``, 0},
		{"GET", "/api/parameters/vhost-limits/lev-v/limits", "", 200, `{"value":{"max-queues":6},"vhost":"lev-v","component":"vhost-limits","name":"limits"}`, 0},
		{"GET", "/api/parameters", "", 200, `~"lev-v"`, 0},
		{"DELETE", "/api/parameters/vhost-limits/lev-v/limits", "", 204, ``, 0},
		{"DELETE", "/api/parameters/vhost-limits/lev-v/limits", "", 404, nothingThere, 0},
		{"DELETE", "/api/parameters/nope/lev-v/limits", "", 404, nothingThere, 0},
		{"PUT", "/api/parameters/operator_policy/lev-v/o", `{"value":{"pattern":"a","definition":{"expires":5},"priority":1,"apply-to":"queues"}}`, 201, ``, 0},
		{"GET", "/api/operator-policies/lev-v/o", "", 200, `{"vhost":"lev-v","name":"o","pattern":"a","apply-to":"queues","definition":{"expires":5},"priority":1}`, 0},
		{"DELETE", "/api/parameters/operator_policy/lev-v/o", "", 204, ``, 0},
		{"PUT", "/api/policies/lev-v/p", `{"pattern":"a","definition":{"expires":5}}`, 201, ``, 0},
		{"GET", "/api/parameters/policy/lev-v/p", "", 200, `{"value":{"pattern":"a","definition":{"expires":5},"priority":0,"apply-to":"all"},"vhost":"lev-v","component":"policy","name":"p"}`, 0},
		{"DELETE", "/api/parameters/policy/lev-v/p", "", 400, badReason(`"policies may not be cleared using this method"`), 500},
		{"DELETE", "/api/vhosts/lev-v", "", 204, ``, 0},

		{"GET", "/api/global-parameters?columns=name", "", 200, `~"internal_cluster_id"`, 0},
		{"GET", "/api/global-parameters/lev-g", "", 404, nothingThere, 0},
		{"PUT", "/api/global-parameters/lev-g", ``, 400, badReason(`"[{key_missing,value}]"`), 0},
		{"PUT", "/api/global-parameters/lev-g", `{"value":5}`, 201, ``, 0},
		{"PUT", "/api/global-parameters/lev-g", `{"value":{"a":[1,"x",null,true,1.5]}}`, 204, ``, 0},
		{"GET", "/api/global-parameters/lev-g", "", 200, `{"value":{"a":[1,"x",null,true,1.5]},"name":"lev-g"}`, 0},
		{"DELETE", "/api/global-parameters/lev-g", "", 204, ``, 0},
		{"DELETE", "/api/global-parameters/lev-g", "", 404, nothingThere, 0},
	})
}

func TestLimits(t *testing.T) {
	take(t, []step{
		{"PUT", "/api/vhosts/lev-v", ``, 201, ``, 0},
		{"GET", "/api/vhost-limits/lev-v", "", 200, `[]`, 0},
		{"GET", "/api/vhost-limits/lev-none", "", 404, nothingThere, 0},
		{"PUT", "/api/vhost-limits/lev-none/max-queues", `{"value":5}`, 404, `{"error":"not_found","reason":"vhost_not_found"}`, 0},
		{"PUT", "/api/vhost-limits/lev-v/max-queues", `{"value":5}`, 204, ``, 0},
		{"PUT", "/api/vhost-limits/lev-v/max-queues", `{"value":"7"}`, 400, badReason(`"Validation failed\n\nmax-queues should be a number, actually was <<\"7\">>\n"`), 0},
		{"PUT", "/api/vhost-limits/lev-v/max-queues", `{"value":null}`, 400, badReason(`"Validation failed\n\nmax-queues should be a number, actually was null\n"`), 0},
		{"PUT", "/api/vhost-limits/lev-v/max-zzz", `{"value":5}`, 400, badReason(`"Validation failed\n\nUnrecognised terms [{<<\"max-zzz\">>,5}] in limits\n"`), 0},
		{"PUT", "/api/vhost-limits/lev-v/max-connections", `{"value":-1}`, 204, ``, 0},
		{"GET", "/api/vhost-limits/lev-v", "", 200, `[{"vhost":"lev-v","value":{"max-connections":-1,"max-queues":5}}]`, 0},
		{"GET", "/api/vhost-limits", "", 200, `~"lev-v"`, 0},
		{"DELETE", "/api/vhost-limits/lev-v/max-zzz", "", 204, ``, 0},
		{"DELETE", "/api/vhost-limits/lev-v/max-queues", "", 204, ``, 0},
		{"DELETE", "/api/vhost-limits/lev-v/max-queues", "", 204, ``, 0},
		{"GET", "/api/vhost-limits/lev-v", "", 200, `[{"vhost":"lev-v","value":{"max-connections":-1}}]`, 0},
		{"DELETE", "/api/vhost-limits/lev-v/max-connections", "", 204, ``, 0},
		{"GET", "/api/vhost-limits/lev-v", "", 200, `[]`, 0},
		{"GET", "/api/vhost-limits/lev-v/max-queues", "", 405, ``, 0},
		{"DELETE", "/api/vhosts/lev-v", "", 204, ``, 0},

		{"PUT", "/api/users/lev-u", `{"tags":"","password":"p"}`, 201, ``, 0},
		{"GET", "/api/user-limits/lev-u", "", 200, `[]`, 0},
		{"GET", "/api/user-limits/lev-none", "", 404, nothingThere, 0},
		{"PUT", "/api/user-limits/lev-none/max-channels", `{"value":5}`, 400, badReason(`["no_such_user","lev-none"]`), 0},
		{"PUT", "/api/user-limits/lev-u/max-channels", `{"value":5}`, 204, ``, 0},
		{"PUT", "/api/user-limits/lev-u/max-connections", `{"value":"x"}`, 400, badReason(`"max-connections should be a number, actually was <<\"x\">>"`), 0},
		{"PUT", "/api/user-limits/lev-u/max-zzz", `{"value":5}`, 400, badReason(`"Unrecognised terms [{<<\"max-zzz\">>,5}] in user-limits"`), 0},
		{"PUT", "/api/user-limits/lev-u/max-connections", `{"value":6}`, 204, ``, 0},
		{"GET", "/api/user-limits/lev-u", "", 200, `[{"user":"lev-u","value":{"max-channels":5,"max-connections":6}}]`, 0},
		{"GET", "/api/users/lev-u?columns=limits", "", 200, `{"limits":{"max-channels":5,"max-connections":6}}`, 0},
		{"GET", "/api/user-limits", "", 200, `~"lev-u"`, 0},
		{"DELETE", "/api/user-limits/lev-u/max-zzz", "", 204, ``, 0},
		{"DELETE", "/api/user-limits/lev-u/max-channels", "", 204, ``, 0},
		{"GET", "/api/user-limits/lev-u", "", 200, `[{"user":"lev-u","value":{"max-connections":6}}]`, 0},
		{"DELETE", "/api/user-limits/lev-none/max-channels", "", 404, nothingThere, 500},
		{"DELETE", "/api/users/lev-u", "", 204, ``, 0},
		{"GET", "/api/user-limits", "", 200, ``, 0},
	})
}
