package console

import (
	"net/url"
	"reflect"
	"time"

	"recarga/internal/bulk"
	"recarga/internal/seal"
	"recarga/topup"
)

// Seal is a confirmation as the console with this key makes it.
func Seal(
	adminKey string, action topup.BulkKind, by string, until time.Time, filter url.Values, set bulk.Set,
) (string, error) {
	c := confirmation{Action: action, By: by, Until: until, Filter: filter, shown: set.Fingerprints()}
	return c.seal(seal.New(adminKey))
}

// Route is what a test may know of a route.
type Route struct {
	Pattern     string
	Query, Form []string
}

// Routes are all routes of the console.
func (c *Console) Routes() (all []Route) {
	for _, r := range c.table() {
		all = append(all, Route{r.pattern, r.query, r.form})
	}
	return all
}

// Templates are the sources of the pages.
var Templates = pages

// Glance is what the overview shows.
var Glance = reflect.TypeFor[glance]()
