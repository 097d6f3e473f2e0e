package orderfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"recarga/internal/table"
	"recarga/topup"
)

// TestOrderCases reads files as people's programs have written them. Each row is "ID AMOUNT METADATA" or, where it is
// refused, "ID! " and the beginning of the reason.
func TestOrderCases(t *testing.T) {
	for name, want := range map[string][]string{
		"amounts.csv": {"A-1 10 map[]", "A-2 10 map[]", "A-3 1000 map[]", `A-4! amount: "1e1"`, "A-5 10 map[]"},
		"ids.ndjson": {`! distributor_transaction_id: "."`, `! distributor_transaction_id: ".."`, "a:b 10 map[]",
			"... 10 map[]", "-x 10 map[]"},
		"invisible.csv": {"I-1 10 map[]", "I-2! phone_number: ", "I-3! phone_number: ", "I-4! phone_number: "},
		"latin1.csv":    {"L-1 10 map[nota:niño]"},
		"long-row.csv":  {"G-1 10 map[]", "G-2! longer than 65536 bytes", "G-3 10 map[]"},
		"phones.csv": {
			"P-1! phone_number: ", "P-2! phone_number: ", "P-3! phone_number: ", "P-4 10 map[]", "P-5! phone_number: ",
			"P-6! phone_number: ",
			"P-7! phone_number: ", "P-8 10 map[]", "P-9! phone_number: ",
		},
		"sep-line.csv":      {"E-1 10 map[]"},
		"spanish-excel.csv": {"S-1 10 map[]", "S-2 1000 map[]"},
		"utf16.txt":         {"U-1 10 map[]"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := os.Open(filepath.Join("testdata", "orders", name))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			var got []string
			err = readRows(file, name, ordinary, func(r row) error {
				text := fmt.Sprintf("%s %s %v", r.request.ID, r.request.Amount, r.request.Metadata)
				if r.err != nil {
					text = fmt.Sprintf("%s! %v", r.request.ID, r.err)
				}
				got = append(got, text)
				return nil
			}, func(note string) { t.Errorf("note %s", note) })
			for i := range min(len(got), len(want)) {
				if strings.Contains(want[i], "! ") && strings.HasPrefix(got[i], want[i]) {
					got[i] = want[i]
				}
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// orderTable is a table of orders, of a header and rows.
type orderTable [][]string

func (o orderTable) write(delimiter, lineBreak string) string {
	var b strings.Builder
	for _, cells := range o {
		for i, c := range cells {
			if i > 0 {
				b.WriteString(delimiter)
			}
			if strings.ContainsAny(c, delimiter+"\"\n") {
				c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			b.WriteString(c)
		}
		b.WriteString(lineBreak)
	}
	return b.String()
}

// TestEightSpellings: the same orders in eight encodings and spellings are the same orders, byte for byte.
func TestEightSpellings(t *testing.T) {
	orders := func(header []string, ten, thousand string) orderTable {
		return orderTable{
			header,
			{"A-1", "5537686660", "MOVISTAR_TAE", ten, `{"nota":"niño, \"ñandú\""}`, "canción"},
			{"A-2", "55 3768 6661", "MOVISTAR_TAE", thousand, "", "con;punto|y\tmás"},
			{"A-3", "5537686662", "NO_SUCH", ten, "", ""},
			{"A-4", "5537686662", "MOVISTAR_TAE", "1,234", "", ""},
		}
	}
	header := []string{"distributor_transaction_id", "phone_number", "product_id", "amount", "metadata", "metadata.title"}
	plain := orders(header, "10", "1000.00")
	text := plain.write(",", "\n")
	comma := orders([]string{"Distributor_Transaction_ID ", " Phone Number", "PRODUCT ID", "Amount", "Metadata",
		"metadata.title"}, "10,00", "1.000,00")
	encoded := func(endian unicode.Endianness) string {
		s, err := unicode.UTF16(endian, unicode.UseBOM).NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	latin1, err := charmap.ISO8859_1.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	want := ordersJSON(t, text, 0)
	if bytes.Count(want, []byte("\n")) != 4 || !bytes.Contains(want, []byte("ñandú")) ||
		!bytes.Contains(want, []byte("amount:")) {
		t.Fatalf("%s", want)
	}
	for name, c := range map[string]struct {
		text string
		skip int // lines before the first
	}{
		"UTF-8":                     {text, 0},
		"UTF-8 with its mark":       {"\ufeff" + text, 0},
		"UTF-16 LE":                 {encoded(unicode.LittleEndian), 0},
		"UTF-16 BE":                 {encoded(unicode.BigEndian), 0},
		"Latin-1":                   {latin1, 0},
		"semicolons, decimal comma": {comma.write(";", "\r\n"), 0},
		"tabs, CR LF":               {plain.write("\t", "\r\n"), 0},
		"sep=, a preamble, header in other case": {
			"sep=;\r\nPedidos de noviembre\r\n\r\n" + comma.write(";", "\r\n"), 3,
		},
		"pipes, CR":          {plain.write("|", "\r"), 0},
		"UTF-16 LE, no mark": {strings.TrimPrefix(encoded(unicode.LittleEndian), "\xff\xfe"), 0},
		"a total, a footer, blank rows": {strings.ReplaceAll(text, "A-3", "\n,,,,,\nA-3") +
			"\nTOTAL,,,1010.00,,\nFin del reporte\n", -1},
	} {
		if got := ordersJSON(t, c.text, c.skip); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s", name, cmp.Diff(string(want), string(got)))
		}
	}
}

// ordersJSON is every row of a file, by its line unless skip is -1, with its order or what is wrong with it.
func ordersJSON(t *testing.T, text string, skip int) []byte {
	t.Helper()
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	line := 1
	err := readRows(strings.NewReader(text), "orders.csv", ordinary, func(r row) error {
		if line++; skip >= 0 && r.line != line+skip {
			t.Errorf("row %s is at line %d, want %d", r.request.ID, r.line, line+skip)
		}
		wrong := ""
		if r.err != nil {
			wrong = r.err.Error()
		}
		return out.Encode(struct {
			Order topup.Request
			Wrong string
		}{r.request, wrong})
	}, func(string) {})
	if err != nil {
		t.Errorf("%.100q: %v", text, err)
	}
	return b.Bytes()
}

// TestTableFlags: columns by number, by name and ignored, for orders as for statements.
func TestTableFlags(t *testing.T) {
	flag := func(columns, ignored, delimiter, decimal string, noHeader bool) (options, error) {
		return Format{columns, ignored, delimiter, decimal, noHeader}.options(ordinary.catalog)
	}
	const numbered = "distributor_transaction_id=2,phone_number=1,product_id=4,amount=3"
	for _, c := range []struct {
		name, columns, ignored, delimiter, decimal string
		noHeader                                   bool
		text, want                                 string
	}{
		{"numbers", numbered, "", "|", "", false, "5537686660|A|10.00|MOVISTAR_TAE\n", "1 A"},
		{"numbers, no header said", numbered, "", "", "", true, "5537686660;A;10,00;MOVISTAR_TAE\n", "1 A"},
		{"numbers, and a header", numbered, "", "", "", false, "phone,x,monto,product\n5537686660,A,10,MOVISTAR_TAE\n",
			"2 A"},
		{"names", "distributor_transaction_id=Mi clave", "color", "", "", false,
			"Mi Clave,phone,amount,product,Color\nA,5537686660,10,MOVISTAR_TAE,x\n", "2 A"},
		{"a decimal mark", "", "", "", "comma", false, header + "\nA,5537686660,MOVISTAR_TAE,\"10,000\"\n", "2 A"},
	} {
		opts, err := flag(c.columns, c.ignored, c.delimiter, c.decimal, c.noHeader)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		err = readRows(strings.NewReader(c.text), "-", opts, func(r row) error {
			got = append(got, fmt.Sprintf("%d %s", r.line, r.request.ID))
			return r.err
		}, func(string) {})
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	_, err := flag("colour=1", "9-3", "x", "dot", false)
	for _, name := range []string{"--columns: ", "--ignore-columns: ", "--delimiter: ", "--decimal: "} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not refused: %v", name, err)
		}
	}
	opts, err := flag("amount=9", "", "", "", true)
	if err != nil {
		t.Fatal(err)
	}
	err = readRows(strings.NewReader("A,B\n"), "-", opts, func(row) error { return nil }, func(string) {})
	var f *table.FileError
	if !errors.As(err, &f) || f.Part != table.PartColumns || !strings.Contains(f.Allowed, "1 to 2") {
		t.Errorf("a column that is not there: %v", err)
	}
}
