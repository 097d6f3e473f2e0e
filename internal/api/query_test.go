package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"recarga/internal/api"
)

// TestEveryOperationRefusesOtherParameters: on all operations there are, before anything else of the request counts.
func TestEveryOperationRefusesOtherParameters(t *testing.T) {
	s := serve(t)
	s.place("ORD-1").want(http.StatusAccepted)
	var d struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody struct{ Content map[string]json.RawMessage }
		}
	}
	decode(t, api.New(api.Config{Callers: twoShops()}).OpenAPI(), &d)
	operations := 0
	for path, methods := range d.Paths {
		for method, op := range methods {
			operations++
			method = strings.ToUpper(method)
			header := []string{"Authorization", "Bearer " + adminKey}
			for kind := range op.RequestBody.Content {
				header = append(header, "Content-Type", kind)
				break
			}
			var names []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			at := strings.NewReplacer("{id}", "ORD-1", "{name}", "shop", "{endpoint}", "crm").Replace(path)
			refused := func(query, wrong string) {
				t.Helper()
				p := s.send(method, at+"?"+query, "{}", header...).want(http.StatusUnprocessableEntity).problem()
				if !slices.Contains(p.named(), "query."+wrong) {
					t.Errorf("%s %s?%s names %v", method, path, query, p.named())
				}
				for _, name := range names { // the refusal of an unknown one says which there are
					if wrong == "nonsense" && !strings.Contains(p.Errors[0].Message, name) {
						t.Errorf("%s %s: %q does not name %s", method, path, p.Errors[0].Message, name)
					}
				}
			}
			refused("nonsense=1", "nonsense")
			refused("nonsense", "nonsense")
			refused("a=%zz", "query")
			refused("state%3dunknown%26caller%3dshop", "state=unknown&caller=shop")
			for _, name := range names {
				refused(url.Values{name: {"", ""}}.Encode(), name)
			}
			s.send(method, at+"?nonsense=1", "").want(http.StatusUnauthorized)
		}
	}
	if operations < 20 {
		t.Errorf("%d operations", operations)
	}
	if o := s.get(shopKey, "/v1/topups/ORD-1").want(http.StatusOK).order(); o.State != "queued" {
		t.Errorf("a refused request made the order %s", o.State)
	}
}

func TestEveryPageRefusesOtherParameters(t *testing.T) {
	s := serveQueues(t, false)
	for _, path := range []string{"/openapi.json", "/docs", "/docs/", "/queues", "/queues/", "/queues/queues/topups",
		"/queues/api/queues"} {
		s.get(adminKey, path+"?nonsense=1").want(http.StatusUnprocessableEntity)
	}
	s.get(adminKey, "/queues/queues/topups?status=pending").want(http.StatusOK)
	s.get(adminKey, "/queues/queues/topups?status=pending&status=retry").want(http.StatusUnprocessableEntity)
	s.get("", "/queues/?nonsense=1").want(http.StatusUnauthorized)
}
