package orderfile

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/table"
	"recarga/topup"
)

// ordinary are the options of a client that has no catalogue of its own.
var ordinary = options{catalog: topup.DefaultCatalog().Lenient()}

// rowsOf is what is read of a file: "LINE ID" for a good row, "LINE! REASONS" for a bad one.
func rowsOf(in io.Reader, name string) (rows []string, err error) {
	err = readRows(in, name, ordinary, func(r row) error {
		if r.err != nil {
			rows = append(rows, fmt.Sprintf("%d! %s", r.line, strings.ReplaceAll(r.err.Error(), "\n", "; ")))
			return nil
		}
		rows = append(rows, fmt.Sprintf("%d %s", r.line, r.request.ID))
		return nil
	}, func(note string) { rows = append(rows, note) })
	return rows, err
}

const header = "distributor_transaction_id,phone_number,product_id,amount"

const good = ",5537686660,MOVISTAR_TAE,10"

func TestRows(t *testing.T) {
	cases := map[string]struct {
		in   string
		want []string // the beginning of each row
	}{
		"plain": {header + "\nA" + good + "\nB" + good, []string{"2 A", "3 B"}},
		"BOM and CRLF": {"\xef\xbb\xbf" + header + "\r\nA" + good + "\r\nB" + good + "\r\n",
			[]string{"2 A", "3 B"}},
		"blank lines": {header + "\n\nA" + good + "\n\n\nB" + good, []string{"3 A", "6 B"}},
		"a line break in quotes": {header + ",metadata.note\nA" + good + ",\"two\nlines\"\nB" + good + ",\n",
			[]string{"2 A", "4 B"}},
		"columns in any order": {"amount,operator,product_id,phone_number,distributor_transaction_id\n10,,MOVISTAR_TAE,5537686660,A", []string{"2 A"}},
		"spaces around":        {header + "\n A , 5537686660 , MOVISTAR_TAE , 10 ", []string{"2 A"}},
		"header only":          {header + "\n", nil},
		"short and long rows": {header + "\nA,1\nB" + good + ",5\nC" + good,
			[]string{"2! 2 values", "3! 5 values", "4 C"}},
		"a stray quote":     {header + "\nA\"" + good + "\nB" + good, []string{"2! bare", "3 B"}},
		"a quote left open": {header + "\nA" + good + "\n\"B" + good + "\nC" + good, []string{"2 A", "3! ", "4 C"}},
		"a row without end": {header + "\nA" + good + "\n\"B" +
			strings.Repeat(strings.Repeat("x", table.MaxRow)+"\n", 2) + "C" + good,
			[]string{"2 A", "3! longer than", "4! longer than", "5 C"}},
		"a row that is too long": {header + "\nG-1" + good + "\nG-2,5537686660,MOVISTAR_TAE," +
			strings.Repeat("9", 70_000) + "\nG-3" + good, []string{"2 G-1", "3! longer than", "4 G-3"}},
		"a preamble, a total": {"Pedidos\n\n" + header + ",operator\nA" + good + ",MOVISTAR\nTOTAL,,,10,\n",
			[]string{"4 A", "what stands before the header is not read: lines 1 to 1", "line 5 is a total"}},
		"a row before the header": {"A" + good + "\n" + header + "\nB" + good,
			[]string{"1! it stands before the header", "3 B", "what stands before"}},
		"other words":           {"Pedido;Teléfono;Producto;Monto\nA;5537686660;MOVISTAR_TAE;10,00", []string{"2 A"}},
		"only carriage returns": {header + "\rA" + good + "\rB" + good, []string{"2 A", "3 B"}},
		"text of a formula":     {header + "\nA,=\"5537686660\",MOVISTAR_TAE,10\n", []string{"2 A"}},
		"every wrong field": {header + "\n,12,X,ten",
			[]string{"2! distributor_transaction_id: an absent or empty value is not allowed; must be 1 to 64"}},
		"NDJSON": {"{\"distributor_transaction_id\":\"A\",\"phone_number\":\"5537686660\",\"product_id\":\"MOVISTAR_TAE\",\"amount\":10}\r\n\n{]\n", []string{"1 A",
			"3! not a JSON object"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := rowsOf(iotest.OneByteReader(strings.NewReader(c.in)), "-")
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}

// TestWrongFieldsOfARow are all reported, not only the first.
func TestWrongFieldsOfARow(t *testing.T) {
	got, err := rowsOf(strings.NewReader(header+",process_at\nno good,12,X,ten,tomorrow"), "orders.csv")
	if err != nil || len(got) != 1 {
		t.Fatalf("got %q, %v", got, err)
	}
	for _, field := range []string{"distributor_transaction_id", "phone_number", "product_id", "amount", "process_at"} {
		if !strings.Contains(got[0], field+": ") {
			t.Errorf("%s is not named: %s", field, got[0])
		}
	}
}

func TestRowHasAllFields(t *testing.T) {
	const in = header + ",operator,callback_url,process_at,expires_at,metadata.cart,metadata.empty\n" +
		"A,+52 55 3768 6660,MOVISTAR_TAE,10.50,MOVISTAR,https://shop.example/x,2030-01-01T00:00:00Z,2030-01-02T00:00:00Z,\"7, \"\"big\"\"\",\n"
	var got row
	if err := readRows(strings.NewReader(in), "-", ordinary, func(r row) error { got = r; return r.err },
		nil); err != nil {
		t.Fatal(err)
	}
	r := got.request
	if r.Phone != "5537686660" || r.Amount != 1050 || r.Operator != "MOVISTAR" ||
		r.CallbackURL != "https://shop.example/x" || r.ProcessAt == nil || r.ExpiresAt == nil {
		t.Errorf("got %+v", r)
	}
	if diff := cmp.Diff(map[string]string{"cart": `7, "big"`}, r.Metadata); diff != "" {
		t.Error(diff)
	}
}

// TestUnusableFile is refused as a whole: a wrong header would make every row wrong, or drop a column.
func TestUnusableFile(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty":          {"", "empty"},
		"only a BOM":     {"\xef\xbb\xbf", "empty"},
		"unknown column": {header + ",colour\n", `"colour"`},
		"column twice":   {header + ",amount\n", `"amount"`},
		"column missing": {"distributor_transaction_id,phone_number,amount\n", "product_id is missing"},
		"a workbook": {"PK\x03\x04\x14\x00\x06\x00",
			`an Excel workbook (.xlsx), or another ZIP archive; must be text: open it with the spreadsheet program and save it as "CSV UTF-8"`},
		"an old workbook": {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", `save it as "CSV UTF-8"`},
		"a web page":      {"\n<table><tr><td>A</td></tr></table>", "web page"},
		"JSON":            {"[{}]", "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := rowsOf(strings.NewReader(c.in), "-"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := rowsOf(io.MultiReader(strings.NewReader(header+"\nA"+good+"\n"), iotest.ErrReader(io.ErrUnexpectedEOF)),
		"-"); err == nil {
		t.Error("a file that cannot be read to its end looks like a whole one")
	}
}

// TestLongLine: one line of NDJSON that is too long is one bad row.
func TestLongLine(t *testing.T) {
	line := `{"distributor_transaction_id":"A","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10}`
	got, err := rowsOf(strings.NewReader(strings.Repeat("x", 3*table.MaxRow)+"\n"+line), "x.ndjson")
	if err != nil || len(got) != 2 || !strings.HasPrefix(got[0], "1! longer than") || got[1] != "2 A" {
		t.Errorf("got %q, %v", got, err)
	}
}
