package openapi

import (
	_ "embed" // the texts and the examples
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/internal/yamlfile"
	"recarga/topup"
	"recarga/topup/desk"
)

//go:embed texts.yaml
var textsFile []byte

// texts are what the document says beside what follows from the Go types.
var texts = yamlfile.Read[struct {
	// Tags are the tasks, with the operations of each.
	Tags []struct {
		Name, Text string
		Operations []string
	}
	// Properties are of each object its fields, as far as their types do not say what they are.
	Properties map[string]map[string]string
	// Webhooks are by the type of their event.
	Webhooks map[string]string
	// Problems are by their HTTP status.
	Problems map[int]string
	// Operations are by their ids: a summary, and what more there is to say.
	Operations map[string]struct{ Summary, Text string }
}](textsFile)

// tagOf is the task of an operation.
func tagOf(operation string) string {
	for _, tag := range texts.Tags {
		if slices.Contains(tag.Operations, operation) {
			return tag.Name
		}
	}
	panic("operation " + operation + " has no tag in texts.yaml")
}

// filler puts into a text what depends on the program and on its catalogue.
func filler(catalog topup.Catalog) *strings.Replacer {
	return strings.NewReplacer("{states}", states(), "{prices}", prices(catalog), "{metadata}",
		strconv.Itoa(topup.MaxMetadata), "{actions}", strconv.Itoa(desk.MostOnOrder))
}

func states() string {
	text := ""
	for _, f := range topup.StateTable() {
		text += fmt.Sprintf("`%s`: %s (money: %s). ", f.State, f.Meaning, f.Money)
	}
	return text
}

// prices are those of a catalogue that is short enough to be read here.
func prices(catalog topup.Catalog) string {
	const few = 20
	products, text := catalog.Products(), ""
	if len(products) > few {
		return "`GET /v1/products` has them."
	}
	for _, p := range products {
		text += p.Prices() + ". "
	}
	return text
}

// The examples: an order that is bought, and another of a wrong amount.
var (
	//go:embed examples/request.json
	exampleRequest string
	// ExampleRequestLines is a batch of both.
	//go:embed examples/requests.ndjson
	ExampleRequestLines string
	// ExampleOrder is the order of exampleRequest when it has been bought.
	//go:embed examples/order.json
	ExampleOrder string
	// ExampleBatchLines is the answer to ExampleRequestLines.
	//go:embed examples/answers.ndjson
	ExampleBatchLines string
	// exampleProblem is what the second line of ExampleRequestLines gets.
	//go:embed examples/problem.json
	exampleProblem string
	// ExampleStatement charges the order.
	//go:embed examples/statement.csv
	ExampleStatement string
	// ExampleReconciled is the answer to ExampleStatement.
	//go:embed examples/reconciled.ndjson
	ExampleReconciled string
)

// ExampleQueued is the order of exampleRequest when it was just accepted.
func ExampleQueued() topup.Order {
	r, err := topup.ParseRequest([]byte(exampleRequest))
	if err != nil {
		panic("the example of a request is not valid: " + err.Error())
	}
	r.Caller = topup.DefaultCaller
	return r.Order(time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC))
}
