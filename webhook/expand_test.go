package webhook

import (
	"slices"
	"testing"

	"recarga/topup"
)

// TestExpand: a new event is for every endpoint that wants its type, and for the first of them itself where the caller
// has no callback URL.
func TestExpand(t *testing.T) {
	const kind, other = topup.EventType("topup.failed"), topup.EventType("topup.succeeded")
	callback, none := Endpoint{URL: "https://shop.example"}, Endpoint{}
	all, some, others := Endpoint{Name: "all"}, Endpoint{Name: "some",
		Types: []topup.EventType{other, kind}}, Endpoint{Name: "others", Types: []topup.EventType{other}}
	for _, c := range []struct {
		name      string
		callback  string
		endpoints []Endpoint
		want      []string
		adopt     bool
	}{
		{"nowhere", "", nil, nil, false},
		{"no callback URL alone", "", []Endpoint{none}, nil, false},
		{"a callback URL alone", "", []Endpoint{callback}, nil, false},
		{"a callback URL and endpoints", "", []Endpoint{callback, all, others, some}, []string{"all", "some"}, false},
		{"endpoints alone", "", []Endpoint{none, others, some, all}, []string{"some", "all"}, true},
		{"endpoints without an entry for the callback URL", "", []Endpoint{all}, []string{"all"}, true},
		{"endpoints and the order's callback URL", "https://shop.example/order", []Endpoint{none, all}, []string{"all"},
			false},
		{"endpoints that do not want it", "", []Endpoint{none, others}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, adopt := expand(topup.Event{Type: kind, CallbackURL: c.callback}, c.endpoints)
			if !slices.Equal(names, c.want) || adopt != c.adopt {
				t.Errorf("%v, adopt %t; want %v, %t", names, adopt, c.want, c.adopt)
			}
		})
	}
}
