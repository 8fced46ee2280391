package mgmt

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

func TestAppendJSON(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, `null`}, {true, `true`}, {-1, `-1`}, {int64(1) << 53, `9007199254740992`}, {uint64(math.MaxUint64), `18446744073709551615`}, {uint16(7), `7`},
		{0.0, `0.0`}, {2.0, `2.0`}, {1.5, `1.5`}, {1e21, `1e+21`}, {math.NaN(), `0.0`}, {math.Inf(1), `0.0`},
		{"127.0.0.1:1 -> <b>&", `"127.0.0.1:1 -> <b>&"`}, {"é\"\\\n\x00\xff", `"é\"\\\n\u0000` + "\\ufffd" + `"`},
		{object{{"b", 1}, {"gone", absent}, {"a", object{}}}, `{"b":1,"a":{}}`}, {object{{"gone", absent}}, `{}`},
		{[]object{}, `[]`}, {[]object{{{"a<", "b"}}, nil}, `[{"a<":"b"},{}]`}, {[]any{1, "x", nil, []any{}}, `[1,"x",null,[]]`},
		{map[string]any{"b": object{{"a", "->"}}, "a": []string{"x"}}, `{"a":["x"],"b":{"a":"->"}}`},
		{page{Items: []object{{{"a", 0.0}}}, Total: 1}, `{"filtered_count":0,"item_count":0,"items":[{"a":0.0}],"page":0,"page_count":0,"page_size":0,"total_count":1}`},
	} {
		if got := string(appendJSON(nil, c.v)); got != c.want {
			t.Errorf("%v is %s, want %s", c.v, got, c.want)
		}
	}
}

// What JSON we write is read as encoding/json's is.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "a -> b", "é\u2028\"\\", "\x00\xff\x7f", "<script>&"} {
		f.Add(s, 1.5, int64(-1))
	}
	f.Fuzz(func(t *testing.T, s string, n float64, i int64) {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			t.Skip()
		}
		ours := appendJSON(nil, []any{s, n, i, object{{s, s}}})
		theirs, err := json.Marshal([]any{s, n, i, map[string]any{s: s}})
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(ours, &a); err != nil {
			t.Fatalf("%s: %v", ours, err)
		}
		if err := json.Unmarshal(theirs, &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s is not %s", ours, theirs)
		}
	})
}
