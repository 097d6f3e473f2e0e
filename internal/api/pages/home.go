package pages

import (
	"bytes"
	_ "embed" // the page
	"html/template"
	"net/http"
)

//go:embed home.html
var homePage string

var home = template.Must(template.New("home").Parse(homePage))

// Home is what a process says of itself.
type Home struct {
	// Version is the program's.
	Version string
	// Console and Queues report whether the process has these pages.
	Console, Queues bool
}

// NewHome is the page at /: what this is, and where to go. It asks for no key, and says nothing that needs one.
func NewHome(h Home) *File {
	var page bytes.Buffer
	if err := home.Execute(&page, h); err != nil {
		panic(err) // it is this package's own, and a buffer takes everything
	}
	return NewFile(http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
		"Content-Security-Policy": {contentPolicy(page.Bytes())},
	}, page.Bytes())
}
