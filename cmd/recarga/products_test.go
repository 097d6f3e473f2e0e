package main

import (
	"path/filepath"
	"regexp"
	"testing"

	"recarga/internal/catalog"
	"recarga/internal/command"
)

// TestProductsCheck: a file of products is looked at without any API, and all that is wrong with it is said at once.
func TestProductsCheck(t *testing.T) {
	none := map[string]string{}
	want(t, none, command.ExitOK, `^`+regexp.QuoteMeta(catalog.Default)+`$`, `^$`, "products", "--default")
	standard := written(t, catalog.Default)
	want(t, none, command.ExitOK, `(?s)^PRODUCT .*MOVISTAR_TAE +Traditional Airtime +MOVISTAR +10 +5000\n.*MOVISTAR_PAQUETE_25 `,
		`11 products, no mistakes\n$`,
		"products", "--check", standard)
	want(t, none, command.ExitOK, `^\[{"product_id":"MOVISTAR_TAE",.*"max_amount":5000`, `11 products`, "products", "--check",
		standard, "--json")
	want(t, map[string]string{"RECARGA_CATALOG": standard}, command.ExitOK, `MOVISTAR_TAE`, `11 products`, "products", "--check")
	want(t, none, command.ExitOK, `MOVISTAR_TAE`, `11 products`, "products", "--check", "--catalog", standard)
	one := written(t, "products:\n  - product_id: A_1\n    price: 12.50\n")
	want(t, map[string]string{"RECARGA_CATALOG": standard}, command.ExitOK, `A_1 +A +12.50 +12.50\n$`,
		`1 product, no mistakes\n$`, "products", "--check", one)

	wrong := written(t, "products:\n  - product_id: A_1\n    price: -1\n  - product_id: A_1\n    price: 2\n    colour: "+
		"red\n")
	want(t, none, command.ExitFailed, `^$`, `^recarga: .*: line 3: A_1: price: "-1" .*\n.*: line 6: A_1: key: "colour" .*\n$`,
		"products", "--check", wrong)
	want(t, none, command.ExitFailed, `^$`, `no such file`, "products", "--check", filepath.Join(t.TempDir(), "none.yaml"))
	want(t, none, command.ExitFailed, `^$`, `is not a file`, "products", "--check", t.TempDir())
	want(t, none, command.ExitUsage, `^$`, `there is no file to check`, "products", "--check")
	want(t, none, command.ExitUsage, `^$`, `a file needs --check`, "products", standard)
	want(t, none, command.ExitUsage, `^$`, `exclude each other`, "products", "--check", "--default")
	want(t, map[string]string{"RECARGA_CATALOG": wrong}, command.ExitUsage, ``, `RECARGA_CATALOG: .*line 3: A_1: price`, "serve")
}
