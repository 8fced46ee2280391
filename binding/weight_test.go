package binding

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

const (
	noInteger = "The binding key must be an integer: "
	tooLittle = "The binding key must be greater than 0"
	tooMuch   = "The binding key must not exceed 10000"
)

// The texts are those of RabbitMQ; 3.10 has no upper limit yet.
func TestConsistentRefusesWeights(t *testing.T) {
	for key, want := range map[string]string{
		"1": "", "10000": "", "+5": "", "007": "",
		"0": tooLittle, "-0": tooLittle, "-1": tooLittle, "-99999999999999999999": tooLittle,
		"10001": tooMuch, "99999999999999999999": tooMuch,
		"": noInteger + "<<>>", "a": noInteger + `<<"a">>`, "1.0": noInteger + `<<"1.0">>`, " 1": noInteger + `<<" 1">>`,
		"1_000": noInteger + `<<"1_000">>`, "0x1": noInteger + `<<"0x1">>`, "99999999999999999999a": noInteger + `<<"99999999999999999999a">>`,
		"+": noInteger + `<<"+">>`,
	} {
		c := NewConsistent(itself)
		added, err := c.Add(key, nil, "q")
		var e *amqp.Error
		switch {
		case want == "" && err == nil:
		case !errors.As(err, &e) || e.Code != amqp.CodePreconditionFailed || e.Text != want:
			t.Errorf("%q: %v, want %s", key, err, want)
		}
		if added != (want == "") || c.Len() != len(c.shares) || (c.Len() > 0) != added {
			t.Errorf("%q: added %t, %d bindings, %d shares", key, added, c.Len(), len(c.shares))
		}
	}
}

func FuzzConsistentWeight(f *testing.F) {
	for _, key := range []string{"1", "10000", "10001", "0", "-1", "+7", "a", "", "1e3", "99999999999999999999", "99999999999999999999a", "1_0"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		want := noInteger
		digits := strings.TrimPrefix(strings.TrimPrefix(key, "+"), "-")
		n, ok := new(big.Int).SetString(key, 10)
		switch {
		case !ok || strings.Trim(digits, "0123456789") != "":
		case n.Sign() <= 0:
			want = tooLittle
		case n.Cmp(big.NewInt(maxWeight)) > 0:
			want = tooMuch
		default:
			want = ""
		}
		weight, err := parseWeight(key)
		var e *amqp.Error
		switch {
		case want == "" && err == nil && weight == n.Int64():
		case want != "" && errors.As(err, &e) && strings.HasPrefix(e.Text, want):
		default:
			t.Fatalf("%q: weight %d, error %v, want %q", key, weight, err, want)
		}
	})
}
