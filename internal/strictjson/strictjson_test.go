package strictjson_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/strictjson"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name, in string
		fields   map[string]string
		repeated []string
	}{
		{"empty", ` {} `, map[string]string{}, nil},
		{"values as written", `{"a" : 1.50,"b":"\u00e9" , "c":[{"x":1},{"x":2}],"d":{"e":{}},"f":null,"g":1e400}`,
			map[string]string{"a": "1.50", "b": `"\u00e9"`, "c": `[{"x":1},{"x":2}]`, "d": `{"e":{}}`, "f": "null",
				"g": "1e400"}, nil},
		{"byte order mark", "\ufeff" + `{"a":1}`, map[string]string{"a": "1"}, nil},
		{"repeated", `{"a":1,"b":0,"a":2,"a":3}`, map[string]string{"a": "3", "b": "0"}, []string{"a"}},
		{"repeated by an escape", `{"a":1,"\u0061":2}`, map[string]string{"a": "2"}, []string{"a"}},
		{"repeated within", `{"m":{"k":"1","k":"2"},"n":{"k":"3"}}`,
			map[string]string{"m": `{"k":"1","k":"2"}`, "n": `{"k":"3"}`}, []string{"m.k"}},
		{"repeated in a list", `{"m":[{"k":1,"k":2}]}`, map[string]string{"m": `[{"k":1,"k":2}]`}, []string{"m.k"}},
		{"letter case", `{"a":1,"A":2}`, map[string]string{"a": "1", "A": "2"}, nil},
		{"a pair", `{"a":"\ud83d\ude00 \\ud800"}`, map[string]string{"a": `"\ud83d\ude00 \\ud800"`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := strictjson.Read([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			fields := map[string]string{}
			for name, value := range got.Fields {
				fields[name] = string(value)
			}
			if diff := cmp.Diff(tt.fields, fields); diff != "" || !slices.Equal(got.Repeated, tt.repeated) {
				t.Errorf("repeated %v %s", got.Repeated, diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"": "end of JSON", "[]": "no object", "null": "no object", `"x"`: "no object", "{": "end of JSON",
		`{"a" 1}`:  "invalid character",
		`{"a":1,}`: "invalid character", `{"a":1} x`: "after top-level value", `{}{}`: "after top-level value",
		"{\"a\":\"\xff\"}": "UTF-8 at byte 6",
		"{\"\xc3\":1}":     "UTF-8 at byte 2", "\xff\xfe{\x00}\x00": "UTF-16", "\xfe\xff\x00{\x00}": "UTF-16",
		`{"a":"\ud800"}`:       "at byte 6",
		`{"a":"\udc00\ud800"}`: "at byte 6", `{"\ud800\u0041":1}`: "at byte 2", `{"a":"\\\udfff"}`: "at byte 8",
		"\ufeff\ufeff{}": "invalid character",
	} {
		if _, err := strictjson.Read([]byte(in)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", in, err, says)
		}
	}
}

// BenchmarkRead reads 64 KiB of what is hardest to read, as a multiple of the time of encoding/json (x). Where each name
// was compared with all before it, many names took a second and more.
func BenchmarkRead(b *testing.B) {
	for name, in := range map[string]string{
		"one name":   "{" + strings.Repeat(`"a":1,`, 10_000) + `"b":1}`,
		"many names": "{" + numbered(3500) + numbered(3500) + `"b":1}`,
		"deep":       strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000), // encoding/json allows 10,000
		"escapes":    `{"a":"` + strings.Repeat(`\ud83d\ude00`, 5000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			var theirs, ours time.Duration
			for b.Loop() {
				start := time.Now()
				if err := json.Unmarshal([]byte(in), new(any)); err != nil {
					b.Fatal(err)
				}
				theirs += time.Since(start)
				start = time.Now()
				if _, err := strictjson.Read([]byte(in)); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(start)
			}
			b.ReportMetric(float64(ours)/float64(theirs), "x")
		})
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":1,`, i)
	}
	return b.String()
}

// FuzzRead: what is read is what encoding/json reads, and what is refused is what it would have to guess.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":{"c":[{}]}}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`, "{\"\xff\":1}", `[1]`,
		`{"a":"\\\\ud800"}`, "\ufeff{}", `{"":{"":1,"":2}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Read(data)
		var want map[string]json.RawMessage
		valid := json.Unmarshal(strictjson.Trim(data), &want) == nil && want != nil
		if err != nil {
			if valid && utf8.Valid(data) && !strings.Contains(strings.ToLower(string(data)), `\ud`) {
				t.Fatalf("%q is refused: %v", data, err)
			}
			return
		}
		if !valid || !utf8.Valid(data) {
			t.Fatalf("%q is read", data)
		}
		if diff := cmp.Diff(want, got.Fields); diff != "" {
			t.Errorf("%q: %s", data, diff)
		}
		back, err := json.Marshal(got.Fields)
		if again, err2 := strictjson.Read(back); err != nil || err2 != nil || len(got.Repeated) == 0 &&
			len(again.Repeated) > 0 {
			t.Errorf("%q is written %s: %v %v %v", data, back, err, err2, again.Repeated)
		}
	})
}
