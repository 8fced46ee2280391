package mgmt

import (
	"net/http"
	"reflect"
	"testing"

	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
)

// hole is a client of another's making, by which Terraform and others see the API.
func hole(t *testing.T) *rabbithole.Client {
	t.Helper()
	c, err := rabbithole.NewClient(newBed(t).url, "guest", "guest")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// did checks what a call without an answer has brought about.
func did(t *testing.T, what string, want int) func(*http.Response, error) {
	return func(res *http.Response, err error) {
		t.Helper()
		if err != nil || res.StatusCode != want {
			t.Errorf("%s: %v %v, want %d", what, res, err, want)
		}
	}
}

// got checks an answer.
func got[T any](t *testing.T, what string, want T) func(T, error) {
	return func(is T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(is, want) {
			t.Errorf("%s: %+v %v, want %+v", what, is, err, want)
		}
	}
}

func TestRabbitHoleUsersAndVHosts(t *testing.T) {
	c := hole(t)
	did(t, "a new vhost", 201)(c.PutVhost("rabbit/hole", rabbithole.VhostSettings{Description: "d", Tags: rabbithole.VhostTags{"a", "b"}, DefaultQueueType: "quorum"}))
	v, err := c.GetVhost("rabbit/hole")
	if err != nil || v.Description != "d" || !reflect.DeepEqual(v.Tags, rabbithole.VhostTags{"a", "b"}) || v.DefaultQueueType != "quorum" || v.Tracing || len(v.ClusterState) != 1 {
		t.Errorf("vhost %+v, %v", v, err)
	}
	did(t, "a new user", 201)(c.PutUser("u", rabbithole.UserSettings{Password: "p", Tags: rabbithole.UserTags{"policymaker", "management"}}))
	did(t, "without a password", 204)(c.PutUserWithoutPassword("u", rabbithole.UserSettings{Tags: rabbithole.UserTags{"x"}}))
	got(t, "user", &rabbithole.UserInfo{Name: "u", HashingAlgorithm: rabbithole.HashingAlgorithmSHA256, Tags: rabbithole.UserTags{"x"}})(c.GetUser("u"))
	did(t, "a hash", 204)(c.PutUser("u", rabbithole.UserSettings{PasswordHash: rabbithole.Base64EncodedSaltedPasswordHashSHA256("p"),
		HashingAlgorithm: rabbithole.HashingAlgorithmSHA256, Tags: rabbithole.UserTags{"management"}}))
	if who, err := rabbithole.NewClient(c.Endpoint, "u", "p"); err != nil {
		t.Error(err)
	} else if vhosts, err := who.ListVhosts(); err != nil || len(vhosts) != 0 {
		t.Errorf("a user without permissions sees %v, %v", vhosts, err)
	}
	did(t, "permissions", 201)(c.UpdatePermissionsIn("rabbit/hole", "u", rabbithole.Permissions{Configure: "a", Write: "b", Read: "c"}))
	got(t, "permissions", rabbithole.PermissionInfo{User: "u", Vhost: "rabbit/hole", Configure: "a", Write: "b", Read: "c"})(c.GetPermissionsIn("rabbit/hole", "u"))
	did(t, "topic permissions", 201)(c.UpdateTopicPermissionsIn("rabbit/hole", "u", rabbithole.TopicPermissions{Exchange: "x", Write: "b", Read: "c"}))
	got(t, "topic permissions", []rabbithole.TopicPermissionInfo{{User: "u", Vhost: "rabbit/hole", Exchange: "x", Write: "b", Read: "c"}})(c.ListTopicPermissionsOf("u"))
	did(t, "one exchange's", 204)(c.DeleteTopicPermissionsIn("rabbit/hole", "u", "x"))
	did(t, "permissions", 204)(c.ClearPermissionsIn("rabbit/hole", "u"))
	if res, err := c.ClearTopicPermissionsIn("rabbit/hole", "u"); err != nil || res.StatusCode != 404 {
		t.Errorf("no topic permissions: %v %v", res, err)
	}
	none := rabbithole.ErrorResponse{StatusCode: 404, Message: "Object Not Found", Reason: "Not Found"}
	did(t, "limits of users", 204)(c.PutUserLimits("u", rabbithole.UserLimitsValues{"max-connections": 1, "max-channels": 2}))
	got(t, "limits", []rabbithole.UserLimitsInfo{{User: "u", Value: rabbithole.UserLimitsValues{"max-connections": 1, "max-channels": 2}}})(c.GetAllUserLimits())
	did(t, "limits of vhosts", 204)(c.PutVhostLimits("rabbit/hole", rabbithole.VhostLimitsValues{"max-connections": 1, "max-queues": 2}))
	got(t, "limits", []rabbithole.VhostLimitsInfo{{Vhost: "rabbit/hole", Value: rabbithole.VhostLimitsValues{"max-connections": 1, "max-queues": 2}}})(c.GetAllVhostLimits())
	did(t, "limits of vhosts", 204)(c.DeleteVhostLimits("rabbit/hole", rabbithole.VhostLimits{"max-connections", "max-queues"}))
	got(t, "limits", []rabbithole.VhostLimitsInfo{})(c.GetVhostLimits("rabbit/hole"))
	did(t, "the user", 204)(c.DeleteUser("u"))
	did(t, "the vhost", 204)(c.DeleteVhost("rabbit/hole"))
	if _, err = c.GetVhost("rabbit/hole"); err != none {
		t.Errorf("a vhost that was deleted: %v", err)
	}
}

func TestRabbitHolePoliciesAndParameters(t *testing.T) {
	c := hole(t)
	p := rabbithole.Policy{Pattern: "log.*", ApplyTo: "all", Priority: 1, Definition: rabbithole.PolicyDefinition{"message-ttl": 100.0}}
	did(t, "policy", 201)(c.PutPolicy("/", "p", p))
	p.Vhost, p.Name = "/", "p"
	got(t, "policy", &p)(c.GetPolicy("/", "p"))
	got(t, "policies", []rabbithole.Policy{p})(c.ListPolicies())
	did(t, "policy", 204)(c.DeletePolicy("/", "p"))
	got(t, "policies", []rabbithole.Policy{})(c.ListPoliciesIn("/"))
	o := rabbithole.OperatorPolicy{Pattern: ".*", ApplyTo: "queues", Definition: rabbithole.PolicyDefinition{"expires": 100.0}}
	did(t, "operator policy", 201)(c.PutOperatorPolicy("/", "o", o))
	o.Vhost, o.Name = "/", "o"
	got(t, "operator policies", []rabbithole.OperatorPolicy{o})(c.ListOperatorPoliciesIn("/"))
	if err := c.DeleteAllRuntimeParameters(); err != nil {
		t.Error(err)
	}
	got(t, "parameters", []rabbithole.RuntimeParameter{})(c.ListRuntimeParameters())
	did(t, "global parameter", 201)(c.PutGlobalParameter("g", []string{"v"}))
	got(t, "global parameter", &rabbithole.GlobalRuntimeParameter{Name: "g", Value: []any{"v"}})(c.GetGlobalParameter("g"))
	did(t, "global parameter", 204)(c.DeleteGlobalParameter("g"))
}

func TestRabbitHoleDefinitions(t *testing.T) {
	c := hole(t)
	did(t, "cluster name", 201)(c.PutGlobalParameter("cluster_name", "hole"))
	queues := []rabbithole.QueueInfo{{Name: "q", Vhost: "/", Durable: true, Arguments: map[string]any{}}}
	exchanges := []rabbithole.ExchangeInfo{{Name: "x", Vhost: "/", Durable: true, Type: "direct", Arguments: map[string]any{}}}
	bindings := []rabbithole.BindingInfo{{Source: "x", Vhost: "/", DestinationType: "queue", Destination: "q", Arguments: map[string]any{}}}
	up := &rabbithole.ExportedDefinitions{Policies: &[]rabbithole.PolicyDefinition{}, Queues: &queues, Exchanges: &exchanges, Bindings: &bindings}
	did(t, "definitions", 204)(c.UploadDefinitions(up))
	d, err := c.ListDefinitions()
	if err != nil {
		t.Fatal(err)
	}
	if len(*d.Queues) != 1 || len(*d.Exchanges) != 1 || len(*d.Bindings) != 1 || d.RabbitMQVersion == "" || len(*d.Users) == 0 || len(*d.Vhosts) == 0 || len(*d.GlobalParameters) != 1 {
		t.Errorf("definitions %+v", d)
	}
	did(t, "vhost", 201)(c.PutVhost("v", rabbithole.VhostSettings{}))
	did(t, "definitions of a vhost", 204)(c.UploadVhostDefinitions(up, "v"))
	if d, err = c.ListVhostDefinitions("v"); err != nil || d.Users != nil || d.Vhosts != nil || len(*d.Queues) != 1 || (*d.Queues)[0].Name != "q" {
		t.Errorf("definitions of a vhost %+v, %v", d, err)
	}
}
