package params_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/params"
	"recarga/topup"
)

func TestCheckQuery(t *testing.T) {
	names := []string{"state", "caller", "name[]"}
	tests := []struct {
		query string
		wrong []string
	}{
		{"", nil},
		{"state=unknown&caller=shop", nil},
		{"state=&caller=", nil},
		{"name[]=a&name%5B%5D=b", nil},
		{"status=unknown", []string{"status"}},
		{"State=unknown", []string{"State"}},
		{"state=unknown&state=unknown", []string{"state"}},
		{"state&state", []string{"state"}},
		{"caller%3dshop%26state%3dunknown", []string{"caller=shop&state=unknown"}},
		{"z=1&a=2&state=failed", []string{"a", "z"}},
		{"state=%zz", []string{"query"}},
		{"state=unknown;caller=shop", []string{"query"}},
		{"=unknown", []string{""}},
		{"state=%00", []string{"state"}},
		{"caller=a%ffb&state=unknown", []string{"caller"}},
		{"name[]=a&name[]=%ed%a0%80", []string{"name[]"}},
		{"a%ff=1", []string{"a\ufffd"}},
		{strings.Repeat("é", 99) + "=1", []string{strings.Repeat("é", 30) + "…"}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			var wrong []string
			for _, e := range params.CheckQuery(tt.query, names...) {
				wrong = append(wrong, e.Field)
				if e.Allowed == "" {
					t.Errorf("%s: what is allowed is not said", e.Field)
				}
			}
			if diff := cmp.Diff(tt.wrong, wrong); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFaultsAreFew: however much is wrong, an error names topup.MaxFaults and says that there may be more.
func TestFaultsAreFew(t *testing.T) {
	for _, count := range []int{1, topup.MaxFaults - 1, topup.MaxFaults, 4000} {
		var query strings.Builder
		for i := range count {
			fmt.Fprintf(&query, "&k%d=1&k%d=2", i, i)
		}
		wrong := params.CheckQuery(query.String(), "state")
		text := topup.JoinFields(wrong).Error()
		more := strings.Contains(text, topup.MostNamed)
		if len(wrong) != min(count, topup.MaxFaults) || more != (count >= topup.MaxFaults) {
			t.Errorf("%d wrong: %d named in\n%s", count, len(wrong), text)
		}
	}
}

func TestRefusalsNameWhatIsAllowed(t *testing.T) {
	for names, want := range map[string]string{"": "there are none", "state caller": "there are: state, caller"} {
		wrong := params.CheckQuery("x=1", strings.Fields(names)...)
		if len(wrong) != 1 || !strings.HasSuffix(wrong[0].Allowed, want) {
			t.Errorf("%v does not say %q", wrong, want)
		}
	}
}

func TestOnly(t *testing.T) {
	served := false
	refuse := func(w http.ResponseWriter, _ *http.Request, wrong []*topup.FieldError) {
		http.Error(w, wrong[0].Field, http.StatusBadRequest)
	}
	h := params.Only(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }), refuse, "verbose")
	for target, want := range map[string]int{"/?verbose": 200, "/": 200, "/?verbos": 400, "/?verbose=%00": 400,
		"/a%00b": 400, "/%ff?verbose": 400, "/?verbose=1&verbose=2": 400} {
		served = false
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != want || served != (want == http.StatusOK) {
			t.Errorf("%s: %d, served %t", target, w.Code, served)
		}
	}
}
