package catalog

import (
	"errors"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

var update = flag.Bool("update", false, "write topup.DefaultCatalog anew")

// TestDefault: the document's catalogue is one file, and what package topup has is made of it.
func TestDefault(t *testing.T) {
	c, err := Read([]byte(Default))
	if err != nil {
		t.Fatal(err)
	}
	const path = "../../topup/default_catalog.go"
	want := generated(t, c)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not what products.yaml says; run: go generate ./internal/catalog (%v)", path, err)
	}
	if diff := cmp.Diff(c, topup.DefaultCatalog()); diff != "" && !*update {
		t.Error(diff)
	}
}

func generated(t *testing.T, c topup.Catalog) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString("// Code generated from internal/catalog/products.yaml by go generate ./internal/catalog. DO NOT " +
		"EDIT.\n\npackage topup\n\n" +
		"// DefaultCatalog is the catalogue of the distributor's document.\nfunc DefaultCatalog() Catalog {\n\treturn " +
		"catalogOf([]Product{\n")
	for _, p := range c.Products() {
		fmt.Fprintf(&b, "\t\t{ID: %q, Description: %q, Operator: %q, Min: %d, Max: %d, Currency: Currency},\n", p.ID,
			p.Description, p.Operator, p.Min, p.Max)
	}
	b.WriteString("\t})\n}\n")
	source, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestRead(t *testing.T) {
	c, err := Read([]byte("\ufeff" + `products:
  - {product_id: TELCEL_DATOS_1, description: "Datos 1 GB: 7 días", price: 19.90}
  - product_id: "ATT_TAE"
    operator: AT&T MX
    min_amount: "10"
    max_amount: 90071992547409.93
  - product_id: 0123
    price: 30.50
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []topup.Product{
		{ID: "TELCEL_DATOS_1", Description: "Datos 1 GB: 7 días", Operator: "TELCEL", Min: 1990, Max: 1990,
			Currency: "MXN"},
		{ID: "ATT_TAE", Operator: "AT&T MX", Min: 1000, Max: 9007199254740993, Currency: "MXN"},
		{ID: "0123", Operator: "0123", Min: 3050, Max: 3050, Currency: "MXN"},
	}
	if diff := cmp.Diff(want, c.Products()); diff != "" {
		t.Error(diff)
	}
}

// TestMistakes: every mistake is named by its line, product and field, with what is allowed, and all at once.
func TestMistakes(t *testing.T) {
	one := func(fields string) string { return "products:\n  - product_id: A_1\n    " + fields + "\n" }
	many := "products:\n" + strings.Repeat("  - {}\n", topup.MaxProducts+1)
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"nothing":       {"", []string{`^products: an absent or empty value is not allowed; must be a list of products$`}},
		"comment alone": {"# x\n", []string{`^products: .* a list of products$`}},
		"no YAML":       {"products:\n\t- x", []string{`^file: .*line 2: found character.* must be YAML$`}},
		"binary":        {"\x00\x01", []string{`^file: .* must be YAML$`}},
		"a list": {"- product_id: A",
			[]string{`^line 1: entry: "a list of 1" is not allowed; must be a map of products$`}},
		"unknown key": {"produkts: []", []string{`^line 1: key: "produkts" .* one of products$`,
			`^line 1: products: `}},
		"empty list": {"products: []", []string{`^line 1: products: "a list of 0" .* 1 to 1000 products$`}},
		"too many":   {many, []string{`^line 2: products: "a list of 1001" .* 1 to 1000 products$`}},
		"text for list": {"products: MOVISTAR_TAE",
			[]string{`^line 1: products: "MOVISTAR_TAE" .* a list of 1 to 1000`}},
		"second document": {one("price: 1") + "---\n" + one("price: 2"), []string{`one document of YAML$`}},
		"item a text":     {"products: [A_1]", []string{`^line 1: product 1: entry: "A_1" .* a map of product_id, `}},
		"no id":           {"products:\n  - price: 3", []string{`^line 2: product 1: product_id: an absent`}},
		"id with a space": {"products:\n  - product_id: A 1\n    price: 3",
			[]string{`^line 2: A 1: product_id: "A 1" .*A-Z a-z 0-9`}},
		"null": {one("price:"), []string{`^line 3: A_1: price: an absent`}},
		"no price": {one("description: x"),
			[]string{`^line 2: A_1: price: .* there, or min_amount and max_amount$`}},
		"half a range": {one("min_amount: 10"), []string{`^line 2: A_1: max_amount: .* there, with min_amount$`}},
		"price and range": {one("price: 1\n    max_amount: 10"),
			[]string{`^line 3: A_1: price: "1" .* without min_amount`}},
		"range upside down": {one("min_amount: 10\n    max_amount: 9.99"),
			[]string{`^line 4: A_1: max_amount: "9.99" .* at least min_amount, which is 10$`}},
		"key twice": {one("price: 1\n    price: 2"), []string{`^line 4: A_1: price: "a second time" .* given once$`}},
		"unknown field": {one("price: 1\n    prize: 2"),
			[]string{`^line 4: A_1: key: "prize" .* one of product_id, description`}},
		"merge": {"products:\n  - &a {product_id: A_1, price: 1}\n  - <<: *a\n    product_id: B_1",
			[]string{`^line 3: B_1: key: "<<"`, `B_1: price: `}},
		"alias": {"products:\n  - &a {product_id: A_1, price: 1}\n  - *a",
			[]string{`^line 3: product 2: entry: "\*a"`}},
		"list for text": {one("price: [1, 2]"), []string{`^line 3: A_1: price: "a list of 2" .* one text or number$`}},
		"twice": {one("price: 1") + "  - product_id: A_1\n    price: 2\n",
			[]string{`^line 4: A_1: product_id: "A_1" .* given once; line 2 has it as well$`}},
		"operator":    {one("price: 1\n    operator: '?'"), []string{`^line 4: A_1: operator: "\?" .* carrier's name`}},
		"description": {one("price: 1\n    description: \"a\\nb\""), []string{`^line 4: A_1: description: .* one line`}},
		"all at once": {"x: 1\nproducts:\n  - product_id: A_1\n    price: 0\n  - product_id: B_1\n    min_amount: x\n    " +
			"max_amount: 1.001\n", []string{
			`^line 1: key: "x"`, `^line 4: A_1: price: "0"`, `^line 6: B_1: min_amount: "x"`,
			`^line 7: B_1: max_amount: "1.001"`}},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.file, c.want) })
	}
	for _, amount := range []string{"0", "-1", "+1", "1e3", "1E1", "0x1E", "0o17", "010", "1_000", "1.", ".5", "1,50",
		"30.005", ".inf", ".nan", "true", "2026-01-31", "99999999999999999999", "''"} {
		t.Run("price "+amount, func(t *testing.T) {
			refused(t, one("price: "+amount), []string{`^line 3: A_1: price: .* MXN above zero in digits`})
		})
	}
}

func refused(t *testing.T, file string, want []string) {
	t.Helper()
	_, err := Read([]byte(file))
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d mistakes, want %d:\n%v", len(lines), len(want), err)
	}
	for i, pattern := range want {
		if !regexp.MustCompile(pattern).MatchString(lines[i]) {
			t.Errorf("mistake %d is %q, want %s", i+1, lines[i], pattern)
		}
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "products.yaml")
	if _, err := ReadFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
	for _, c := range []struct{ content, want string }{
		{Default, ""}, {"x: 1\nproducts: 2", path + ": line 1: key: "}, {strings.Repeat("#", maxFile+1), "at most 1048576"},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: got %v, want %q", c.content, err, c.want)
		}
	}
}

// FuzzRead: whatever a file has, it is refused with what is allowed, or its products are as they are written.
func FuzzRead(f *testing.F) {
	f.Add([]byte(Default))
	f.Add([]byte("products: [{product_id: A, price: 1.50}]"))
	f.Add([]byte("products:\n  - &a {product_id: A_1, price: 1}\n  - *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Read(data)
		if err != nil {
			if !strings.Contains(err.Error(), "must be ") {
				t.Errorf("%v does not say what is allowed", err)
			}
			return
		}
		again := "products:\n"
		for _, p := range c.Products() {
			if err := p.Check(); err != nil {
				t.Fatalf("accepted: %v", err)
			}
			again += fmt.Sprintf("  - {product_id: %q, description: %q, operator: %q, min_amount: %s, max_amount: %s}\n", p.ID,
				p.Description, p.Operator, p.Min, p.Max)
		}
		if back, err := Read([]byte(again)); err != nil || !back.Equal(c) {
			t.Errorf("%s is read otherwise: %v", again, err)
		}
	})
}
