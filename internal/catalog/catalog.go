// Package catalog reads the catalogue from a YAML file: a new package of the vendor needs no new program.
// docs/products.md has the format.
package catalog

import (
	"bytes"
	_ "embed" // the file of the default
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"recarga/topup"
)

//go:generate go test -run TestDefault . -update

// Default is the file of the distributor's document, from which topup.DefaultCatalog is generated.
//
//go:embed products.yaml
var Default string

// maxFile is far more than topup.MaxProducts products take.
const maxFile = 1 << 20

// Mistake is one thing that a file may not have.
type Mistake struct {
	// Line is where in the file, from 1; 0 where it concerns the whole file.
	Line int
	// Product is the one it is about: its id, or else its place, as in "product 3"; empty for none.
	Product string
	// Field and Value are what was found there.
	Field, Value string
	// Allowed is what is, instead.
	Allowed string
}

func (m *Mistake) Error() string {
	var b strings.Builder
	if m.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", m.Line)
	}
	if m.Product != "" {
		fmt.Fprintf(&b, "%s: ", m.Product)
	}
	b.WriteString((&topup.FieldError{Field: m.Field, Value: m.Value, Allowed: m.Allowed}).Error())
	return b.String()
}

// ReadFile reads a file. The error joins all its mistakes, each with the file's name.
func ReadFile(path string) (topup.Catalog, error) {
	data, err := content(path)
	if err != nil {
		return topup.Catalog{}, err
	}
	c, err := Read(data)
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var named []error
		for _, mistake := range joined.Unwrap() {
			named = append(named, fmt.Errorf("%s: %w", path, mistake))
		}
		err = errors.Join(named...)
	}
	return c, err
}

func content(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // to open a pipe would wait for a writer
		return nil, fmt.Errorf("%s is not a file; must be a YAML file of products", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes; must have at most %d", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// Read reads the content of a file. The error joins a *Mistake for everything that is not allowed.
func Read(data []byte) (topup.Catalog, error) {
	var r reader
	if len(data) > maxFile {
		r.refuse(&yaml.Node{}, "file", fmt.Sprintf("%d bytes", len(data)), fmt.Sprintf("at most %d bytes", maxFile))
		return topup.Catalog{}, r.err()
	}
	var root, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		r.refuse(&yaml.Node{}, "products", "", "a list of products")
	case err != nil:
		r.refuse(&yaml.Node{}, "file", err.Error(), "YAML")
	case !errors.Is(d.Decode(&more), io.EOF):
		r.refuse(&more, "file", "a second document", "one document of YAML")
	default:
		r.file(root.Content[0])
	}
	if err := r.err(); err != nil {
		return topup.Catalog{}, err
	}
	return topup.NewCatalog(r.products)
}

// reader collects the products of a file and its mistakes.
type reader struct {
	products []topup.Product
	lines    map[string]int // where each product begins
	product  string         // the one that is being read
	mistakes []error
}

func (r *reader) refuse(at *yaml.Node, field, value, allowed string) {
	r.mistakes = append(r.mistakes, &Mistake{Line: at.Line, Product: r.product, Field: field, Value: value,
		Allowed: allowed})
}

// mostMistakes are shown of a file that is something else altogether.
const mostMistakes = 100

func (r *reader) err() error {
	if more := len(r.mistakes) - mostMistakes; more > 0 {
		r.mistakes = append(r.mistakes[:mostMistakes], fmt.Errorf("and %d more", more))
	}
	return errors.Join(r.mistakes...)
}

func (r *reader) file(root *yaml.Node) {
	found := r.fields(root, "products")
	list := found["products"]
	switch {
	case list == nil && root.Kind == yaml.MappingNode:
		r.refuse(root, "products", "", "a list of products")
	case list == nil:
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0 || len(list.Content) > topup.MaxProducts:
		r.refuse(list, "products", kindOf(list), fmt.Sprintf("a list of 1 to %d products", topup.MaxProducts))
	default:
		r.lines = map[string]int{}
		for i, item := range list.Content {
			r.product = fmt.Sprintf("product %d", i+1)
			r.item(item)
		}
	}
}

const fieldPrice = "price"

func (r *reader) item(item *yaml.Node) {
	before := len(r.mistakes)
	for i := 0; i+1 < len(item.Content); i += 2 { // the id first: what is said of the others names it
		if value := item.Content[i+1]; item.Content[i].Value == topup.FieldProduct && value.Kind == yaml.ScalarNode &&
			value.Value != "" {
			r.product = value.Value
		}
	}
	found := r.fields(item, topup.FieldProduct, topup.FieldDescription, topup.FieldOperator, fieldPrice,
		topup.FieldMinAmount, topup.FieldMaxAmount)
	if item.Kind != yaml.MappingNode {
		return
	}
	p := topup.Product{ID: r.text(found[topup.FieldProduct], topup.FieldProduct), Currency: topup.Currency}
	p.Description = r.text(found[topup.FieldDescription], topup.FieldDescription)
	if p.Operator = topup.OperatorOf(p.ID); found[topup.FieldOperator] != nil {
		p.Operator = r.text(found[topup.FieldOperator], topup.FieldOperator)
	}
	p.Min, p.Max = r.prices(item, found)
	if len(r.mistakes) > before { // else the same would be said twice
		return
	}
	for _, wrong := range topup.FieldErrors(p.Check()) {
		at := found[wrong.Field]
		if at == nil {
			at = item
		}
		r.refuse(at, wrong.Field, wrong.Value, wrong.Allowed)
		if wrong.Field == topup.FieldProduct {
			return // an operator that is made of the id is wrong for the same reason
		}
	}
	if line, twice := r.lines[p.ID]; twice {
		r.refuse(item, topup.FieldProduct, p.ID, fmt.Sprintf("given once; line %d has it as well", line))
	}
	r.lines[p.ID] = item.Line
	r.products = append(r.products, p)
}

func (r *reader) prices(item *yaml.Node, found map[string]*yaml.Node) (low, high topup.Amount) {
	price, least, most := found[fieldPrice], found[topup.FieldMinAmount], found[topup.FieldMaxAmount]
	switch {
	case price != nil && (least != nil || most != nil):
		r.refuse(price, fieldPrice, price.Value, "without min_amount and max_amount: a product has one price or a range")
	case price != nil:
		low = r.amount(price, fieldPrice)
		high = low
	case least == nil && most == nil:
		r.refuse(item, fieldPrice, "", "there, or min_amount and max_amount")
	case least == nil:
		r.refuse(item, topup.FieldMinAmount, "", "there, with max_amount")
	case most == nil:
		r.refuse(item, topup.FieldMaxAmount, "", "there, with min_amount")
	default:
		low, high = r.amount(least, topup.FieldMinAmount), r.amount(most, topup.FieldMaxAmount)
	}
	return low, high
}

// written is an amount as everybody reads it: YAML also has 0x1E, 1_000, 1e3 and 010, which is 8 to some.
var written = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// amount takes a number digit for digit: it never is a binary float.
func (r *reader) amount(at *yaml.Node, field string) topup.Amount {
	before := len(r.mistakes)
	text := r.text(at, field)
	a, err := topup.ParseAmount(text)
	if len(r.mistakes) == before && (err != nil || a <= 0 || !written.MatchString(text)) {
		r.refuse(at, field, text, "MXN above zero in digits, with at most 2 decimals, as in 30 or 30.50")
	}
	return a
}

// text is a value as it is written; empty where there is none.
func (r *reader) text(at *yaml.Node, field string) string {
	switch {
	case at == nil:
	case at.Kind != yaml.ScalarNode:
		r.refuse(at, field, kindOf(at), "one text or number")
	case at.ShortTag() == "!!null":
		r.refuse(at, field, "", "left out, or a value")
	default:
		return at.Value
	}
	return ""
}

// fields are a map's values by name, of those that are known.
func (r *reader) fields(in *yaml.Node, known ...string) map[string]*yaml.Node {
	if in.Kind != yaml.MappingNode {
		r.refuse(in, "entry", kindOf(in), "a map of "+strings.Join(known, ", "))
		return nil
	}
	found := map[string]*yaml.Node{}
	for i := 0; i+1 < len(in.Content); i += 2 {
		key, value := in.Content[i], in.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			r.refuse(key, "key", kindOf(key), "one of "+strings.Join(known, ", "))
		case found[key.Value] != nil:
			r.refuse(key, key.Value, "a second time", "given once")
		default:
			found[key.Value] = value
		}
	}
	return found
}

// kindOf is a value, or in words what is not a text or a number.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return fmt.Sprintf("a list of %d", len(n.Content))
	case yaml.MappingNode:
		return "a map"
	case yaml.AliasNode:
		return "*" + n.Value
	default:
		return n.Value
	}
}
