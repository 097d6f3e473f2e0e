package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/testkit"
)

// hostile are bodies of about n bytes that are wrong in as many ways as they have room for. property is a field that
// the operation knows.
var hostile = map[string]func(property string, n int) string{
	"unknown fields": func(_ string, n int) string {
		return object(n, func(i int) string { return fmt.Sprintf(`"k%d":1`, i) })
	},
	"repeated unknown fields": func(_ string, n int) string {
		return object(n, func(i int) string { return fmt.Sprintf(`"k%d":1,"k%d":1`, i, i) })
	},
	"one field again and again": func(p string, n int) string {
		return object(n, func(int) string { return fmt.Sprintf(`"%s":"5512345678"`, p) })
	},
	"one field in other letters": func(p string, n int) string {
		return object(n, func(i int) string { return fmt.Sprintf(`"%s%d":[]`, strings.ToUpper(p), i%2) })
	},
	"repeated fields within one": func(p string, n int) string {
		return fmt.Sprintf(`{"%s":%s}`, p, object(n, func(i int) string { return fmt.Sprintf(`"k%d":{},"k%d":null`, i, i) }))
	},
	"an array of strange texts": func(p string, n int) string {
		return fmt.Sprintf(`{"%s":[%s"x"]}`, p, strings.Repeat(`"x",`, n/4))
	},
	"an array of different texts": func(p string, n int) string {
		items := object(n, func(i int) string { return fmt.Sprintf(`"5512345678%d"`, i) })
		return fmt.Sprintf(`{"%s":[%s]}`, p, strings.Trim(items, "{}"))
	},
	"an array of objects": func(p string, n int) string {
		return fmt.Sprintf(`{"%s":[%s{}]}`, p, strings.Repeat(`{"a":1,"a":2},`, n/14))
	},
	"deep objects": func(p string, n int) string {
		depth := min(n/6, 9000)
		return fmt.Sprintf(`{"%s":%s1%s}`, p, strings.Repeat(`{"a":`, depth), strings.Repeat("}", depth))
	},
	"deep arrays": func(p string, n int) string {
		depth := min(n/2, 9000)
		return fmt.Sprintf(`{"%s":%s%s}`, p, strings.Repeat("[", depth), strings.Repeat("]", depth))
	},
	"a huge number":   func(p string, n int) string { return fmt.Sprintf(`{"%s":1%s}`, p, strings.Repeat("0", n)) },
	"a huge exponent": func(p string, n int) string { return fmt.Sprintf(`{"%s":1e%s}`, p, strings.Repeat("9", n)) },
	"a long text": func(p string, n int) string {
		return fmt.Sprintf(`{"%s":"%s"}`, p, strings.Repeat("5512345678 ", n/11))
	},
	"a text of NULs":     textOf(`\u0000`),
	"a long name":        func(_ string, n int) string { return fmt.Sprintf(`{"%s":1}`, strings.Repeat("n", n)) },
	"half of surrogates": textOf(`\ud800`),
	"not closed":         func(_ string, n int) string { return strings.Repeat(`{"a":`, min(n/5, 9000)) },
	"not UTF-8":          textOf("\xff"),
	"an array of numbers": func(p string, n int) string {
		return fmt.Sprintf(`{"%s":[%s1]}`, p, strings.Repeat("1,", n/2))
	},
}

func textOf(part string) func(property string, n int) string {
	return func(property string, n int) string {
		return fmt.Sprintf(`{"%s":"%s"}`, property, strings.Repeat(part, n/len(part)))
	}
}

// object has members until it is of n bytes.
func object(n int, member func(i int) string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString("," + member(i))
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// mostAnswered is the most that an answer to a wrong request has, whatever is wrong, in bytes.
const mostAnswered = 16 << 10

// linear sends what request makes of n bytes and of 4n, and wants the work to grow as they do, and the answer not at
// all.
func (s *server) linear(t *testing.T, n int, request func(n int) *http.Request) {
	t.Helper()
	work := func(n int) (allocated uint64, took time.Duration) {
		allocated, took = 1<<62, time.Hour
		for range 2 { // the first one may fill caches
			r := request(n)
			r.Header.Set("Authorization", "Bearer "+adminKey)
			began := time.Now()
			var a answer
			allocated = min(allocated, allocation(func() { a = s.request(r) }))
			took = min(took, time.Since(began))
			if a.status >= 500 || len(a.body) > mostAnswered {
				t.Fatalf("%d bytes: status %d, answered with %d bytes:\n%.300s", n, a.status, len(a.body), a.body)
			}
		}
		return allocated, took
	}
	one, tookOne := work(n)
	four, tookFour := work(4 * n)
	t.Logf("%d bytes: %d allocated, %s; %d bytes: %d allocated, %s", n, one, tookOne, 4*n, four, tookFour)
	const room = 512 << 10
	if four > 6*one+room {
		t.Errorf("%d bytes allocate %d, and %d bytes %d: more than in proportion", n, one, 4*n, four)
	}
	if most := uint64(4 * n * 500); four > most+room {
		t.Errorf("%d bytes allocate %d: more than 500 each", 4*n, four)
	}
	if tookFour > 20*tookOne+time.Second {
		t.Errorf("%d bytes take %s, and %d bytes %s: more than in proportion", n, tookOne, 4*n, tookFour)
	}
}

// someHostile names hostile ones: all of them, outside of make prove a few, other ones each time.
func someHostile() []string {
	all := slices.Collect(maps.Keys(hostile))
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:testkit.Times(5, len(all))]
}

// TestHostileBodies: whatever is in a body, the work that it makes grows as it does, and the answer stays short.
func TestHostileBodies(t *testing.T) {
	s := withRegistry(t)
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Type any }
			}
		}
	}
	if err := json.Unmarshal(s.do(http.MethodGet, adminKey, "/openapi.json", "").body, &document); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for method, op := range document.Paths[path] {
			_, name, _ := strings.Cut(op.RequestBody.Content["application/json"].Schema.Ref, "schemas/")
			ofType := map[string]string{} // one property of each type is enough
			for property, p := range document.Components.Schemas[name].Properties {
				ofType[fmt.Sprint(p.Type)] = property
			}
			for _, property := range ofType {
				tried++
				for _, what := range someHostile() {
					body := hostile[what]
					t.Run(fmt.Sprintf("%s %s %s/%s", method, path, property, what), func(t *testing.T) {
						s.linear(t, 4<<10, func(n int) *http.Request {
							path := strings.NewReplacer("{", "", "}", "").Replace(path)
							r := s.make(strings.ToUpper(method), path, body(property, n))
							r.Header.Set("Content-Type", "application/json")
							return r
						})
					})
				}
			}
		}
	}
	if tried < 10 {
		t.Errorf("only %d properties tried", tried)
	}
}

// TestHostileHeads: the same of what is not in a body.
func TestHostileHeads(t *testing.T) {
	s := withRegistry(t)
	for _, c := range []struct {
		name   string
		change func(r *http.Request, n int)
	}{
		{"unknown parameters", func(r *http.Request, n int) {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "k%d=5512345678&", i)
			}
			r.URL.RawQuery = b.String()
		}},
		{"one parameter again and again", func(r *http.Request, n int) { r.URL.RawQuery = strings.Repeat("state=x&", n/8) }},
		{"a long parameter", func(r *http.Request, n int) {
			r.URL.RawQuery = "state=" + strings.Repeat("55123456%20", n/11)
		}},
		{"a query of escapes", func(r *http.Request, n int) { r.URL.RawQuery = strings.Repeat("%zz", n/3) }},
		{"a query of NULs", func(r *http.Request, n int) { r.URL.RawQuery = "state=" + strings.Repeat("%00", n/3) }},
		{"a long cursor", func(r *http.Request, n int) { r.URL.RawQuery = "cursor=" + strings.Repeat("A", n) }},
		{"a long path", func(r *http.Request, n int) { r.URL.Path = "/v1/topups/" + strings.Repeat("A", n) }},
		{"a path of steps", func(r *http.Request, n int) { r.URL.Path = "/v1/topups/" + strings.Repeat("../a/", n/5) }},
		{"keys of idempotency", func(r *http.Request, n int) {
			r.Method, r.Header["Content-Type"] = http.MethodPost, []string{"application/json"}
			for i := range n / 20 {
				r.Header.Add("Idempotency-Key", fmt.Sprintf("key-%d", i))
			}
		}},
		{"a long content type", func(r *http.Request, n int) {
			r.Method = http.MethodPost
			r.Header.Set("Content-Type", "application/xml"+strings.Repeat("; a*0=b", n/7))
		}},
		{"a long id", func(r *http.Request, n int) { r.Header.Set("X-Request-Id", strings.Repeat("k", n)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.linear(t, 4<<10, func(n int) *http.Request {
				r := s.make(http.MethodGet, "/v1/topups", "")
				c.change(r, n)
				return r
			})
		})
	}
}
