package console

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
