package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/lines"
	"recarga/internal/testkit"
)

func columns() []Column {
	return []Column{
		{Name: "time", Headers: []string{"fecha", "date"}},
		{Name: "id", Headers: Words("id")},
		{Name: "phone", Headers: Words("phone")},
		{Name: "amount", Headers: Words("amount"), Total: true},
		{Name: "status", Headers: []string{"estatus", "status"}, Words: true},
	}
}

func withIDs(o Options) Options {
	o.Columns, o.Harmless = columns(), []string{"region"}
	o.Enough = func(has func(string) bool) bool { return has("id") }
	return o
}

// readAll is what is read of a table: "LINE id=… …" for a row, "LINE! why" for one that is wrong, and the notes.
func readAll(in io.Reader, opts Options) (rows []string, r *Reader, err error) {
	lines, err := NewLines(in)
	if err == nil {
		r, err = NewReader(lines, opts)
	}
	for err == nil {
		var row Row
		row, err = r.Next()
		switch {
		case err != nil:
		case row.Err != nil:
			rows = append(rows, fmt.Sprintf("%d! %s %v", row.Line, r.Layout().Value(row.Cells, "id"), row.Err))
		default:
			text := fmt.Sprint(row.Line)
			if row.Early {
				text += " early"
			}
			for _, c := range columns() {
				if v := r.Layout().Value(row.Cells, c.Name); v != "" {
					text += fmt.Sprintf(" %s=%s", c.Name, v)
				}
			}
			rows = append(rows, text)
		}
	}
	if errors.Is(err, io.EOF) {
		return append(rows, r.Notes()...), r, nil
	}
	return rows, r, err
}

func TestReader(t *testing.T) {
	const head = "Fecha;Id;Telefono;Monto;Estatus\n"
	for _, c := range []struct {
		name, in string
		opts     Options
		want     []string
	}{
		{"commas", "date,id\nD,A\n", Options{}, []string{"2 time=D id=A"}},
		{"semicolons", "date;id\nD;A", Options{}, []string{"2 time=D id=A"}},
		{"tabs, empty cells", "date\tid\tmonto\n\tA\t\n", Options{}, []string{"2 id=A"}},
		{"pipes", "date|id\nD|A\n", Options{}, []string{"2 time=D id=A"}},
		{"a delimiter of its own", "date^id\nD^A\n", Options{Delimiter: '^'}, []string{"2 time=D id=A"}},
		{"sep=", "\"SEP=|\"\r\ndate|id\r\nD|A\r\n", Options{}, []string{"3 time=D id=A"}},
		{"CR alone, and mixed", "date,id\rD,A\r\nD,B\nD,C", Options{}, []string{"2 time=D id=A", "3 time=D id=B",
			"4 time=D id=C"}},
		{"case, accents and blanks", "\u200b FECHA ,Ｉd,Tele\u0301fono\nD,A,5\n",
			Options{Named: map[string]string{"id": "Ｉd"}}, []string{"2 time=D id=A phone=5"}},
		{"a header over two lines", "\"Fe\ncha\",id\nD,A\n", Options{Named: map[string]string{"time": "fe cha"}},
			[]string{"3 time=D id=A"}},
		{"a blank after the delimiter", "date, id, monto\nD, A, \"1,000.00\"\n", Options{},
			[]string{"2 time=D id=A amount=1,000.00"}},
		{"cells made texts", "date,id,telefono\nD,\"=\"\"001\"\"\",=\"55\"\n", Options{},
			[]string{"2 time=D id=001 phone=55"}},
		{"Windows-1252", "date,id,estatus\nD,A,\x93\xc9xito\x94\n", Options{}, []string{"2 time=D id=A status=“Éxito”"}},

		{"a preamble", "Reporte;de;ventas\nFecha;24/11/2026\n\n" + head + "D;A;;1;\n", Options{},
			[]string{"5 time=D id=A amount=1", "what stands before the header is not read: lines 1 to 2"}},
		{"a row before the header", "D;A;5;1;ok\n" + head, Options{},
			[]string{"1 early time=D id=A phone=5 amount=1 status=ok",
				"what stands before the header is not read: lines 1 to 1"}},
		{"a quote left open before the header takes no row with it", "\"Reporte\nid,fecha\nA\",D\n", Options{},
			[]string{"3!  bare \" in non-quoted-field", "what stands before the header is not read: lines 1 to 1"}},
		{"the header again, rules", head +
			"D;A;5;1;ok\n;;;;\n-----;----;---;---;--\nFECHA;ID;teléfono;Monto;Estatus\nD;B;5;1;ok\n", Options{},
			[]string{"2 time=D id=A phone=5 amount=1 status=ok", "6 time=D id=B phone=5 amount=1 status=ok",
				"line 4 is a ruled line and not a row: -----;----;---;---;--",
				"line 5 is the header again and not a row: FECHA;ID;teléfono;Monto;Estatus"}},
		{"totals", head + "TOTAL;;;30,00;\nTotal de ventas: 2;;;;\n;;Importe total;30;\nSubtotal;30\n", Options{},
			[]string{"line 2 is a total and not a row: TOTAL;;;30,00;",
				"line 3 is a total and not a row: Total de ventas: 2;;;;",
				"line 4 is a total and not a row: ;;Importe total;30;", "line 5 is a total and not a row: Subtotal;30"}},
		{"footers", head + "Fin del reporte\nRegistros;2\n2 registros;;;;\nElaborado por Ana\nHecho con gusto;;;;\n",
			Options{},
			[]string{"line 2 is a footer and not a row: Fin del reporte", "line 3 is a footer and not a row: Registros;2",
				"line 4 is a footer and not a row: 2 registros;;;;",
				"line 5 is a footer and not a row: Elaborado por Ana", "line 6 is a footer and not a row: Hecho con gusto;;;;"}},
		{"rows that look like totals", head +
			"D;TOTAL-1;;10;\nTOTAL;A;;10;\n;TOTAL;5;10;ok\nTOTAL-1;10\n24/11/2026 1\nNOTE-1;x\n", Options{},
			[]string{"2 time=D id=TOTAL-1 amount=10", "3 time=TOTAL id=A amount=10", "4 id=TOTAL phone=5 amount=10 status=ok",
				"5! 10 2 values, the header has 5", "6!  1 values, the header has 5", "7! x 2 values, the header has 5"}},
		{"two columns are too few to know a total", "id;monto\nTOTAL;30\n", Options{}, []string{"2 id=TOTAL amount=30"}},

		{"too long, too short, broken", head + "D;A;5;1;ok;x\nD;B;5\nD;C;\"5\"x;1;ok\nD;E;5;1;ok\n", Options{},
			[]string{"2! A 6 values, the header has 5", "3! B 3 values, the header has 5",
				"4! C extraneous or missing \" in quoted-field", "5 time=D id=E phone=5 amount=1 status=ok"}},
		{"longer than a row", "id,date\nA," + strings.Repeat("9", MaxRow) + "\nB,D\n", Options{},
			[]string{"2! A longer than 65536 bytes", "3 time=D id=B"}},
		{"a NUL", "id,date\nA,\x00\nB,D\n", Options{}, []string{"2! A it holds a NUL: it is no text", "3 time=D id=B"}},
		{"a line break in quotes", "id,estatus,date\nA,\"o\nk\",D\nB,ok,D\n", Options{},
			[]string{"2 time=D id=A status=o\nk", "4 time=D id=B status=ok"}},
		{"a quote left open takes no row with it", "id,estatus,date\nA,\"ok,D\nB,ok,D\nC,\"ok\",D\n", Options{},
			[]string{"2! A extraneous or missing \" in quoted-field", "3 time=D id=B status=ok", "4 time=D id=C status=ok"}},
		{"two quotes left open take no row between them", "id,estatus,date\nA,\"ok\nB,ok,D\nC,ok\",D\n", Options{},
			[]string{"2! A extraneous or missing \" in quoted-field", "3 time=D id=B status=ok",
				"4! C bare \" in non-quoted-field"}},

		{"numbers", "1|A|x\n2|B|y\n", Options{Named: map[string]string{"time": "1", "id": "#2"}, Ignored: []string{"3"}},
			[]string{"1 time=1 id=A", "2 time=2 id=B"}},
		{"numbers and a header", "fecha|clave\n1|A\n", Options{Named: map[string]string{"time": "1", "id": "2"}},
			[]string{"2 time=1 id=A"}},
		{"a header that is a number", "fecha,12,id\nD,X,A\n", Options{Named: map[string]string{"status": "12", "id": "id"}},
			[]string{"2 time=D id=A status=X"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := readAll(iotest.OneByteReader(strings.NewReader(c.in)), withIDs(c.opts))
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// TestNotUnderstood: every column is understood, named, ignored, or reported.
func TestNotUnderstood(t *testing.T) {
	for _, c := range []struct {
		in   string
		opts Options
		want []string
	}{
		{"id,fecha,region\nA,D,9\n", Options{}, nil},
		{"id,fecha,color,sabor\nA,D,,\n", Options{}, []string{"color", "sabor"}},
		{"id,fecha,color,sabor\nA,D,,\n", Options{Ignored: []string{"COLOR"}, Named: map[string]string{"status": "sabor"}},
			nil},
		{"id,id,fecha\nA,B,D\n", Options{}, []string{"id"}},
		{"id,fecha,,\nA,D,,x\n", Options{}, []string{"column 4"}},
		{"id,fecha,,\nA,D,,\n", Options{}, nil},
		{"A,D,x,,\n", Options{NoHeader: true, Named: map[string]string{"id": "1"}}, []string{"column 2", "column 3"}},
		{"id,x,x\nA,1,2\n", Options{Ignored: []string{"x"}}, nil},
	} {
		_, r, err := readAll(strings.NewReader(c.in), withIDs(c.opts))
		if err != nil || cmp.Diff(c.want, r.NotUnderstood()) != "" {
			t.Errorf("%q: %v, want %q", c.in, err, c.want)
			continue
		}
	}
}

func TestUnreadable(t *testing.T) {
	for name, c := range map[string]struct {
		in         string
		opts       Options
		part, want string
	}{
		"empty":                    {"", Options{}, PartFile, "an empty file"},
		"a byte order mark":        {"\xef\xbb\xbf", Options{}, PartFile, "an empty file"},
		"blank":                    {" \r\n\t\n", Options{}, PartFile, "an empty file"},
		"xlsx":                     {"PK\x03\x04...", Options{}, PartFile, `"CSV UTF-8"`},
		"xls":                      {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Options{}, PartFile, `"CSV UTF-8"`},
		"HTML":                     {"<html>", Options{}, PartFile, "web page"},
		"PDF":                      {"%PDF-1.7", Options{}, PartFile, "PDF"},
		"gzip":                     {"\x1f\x8b\x08", Options{}, PartFile, "gunzip"},
		"JSON":                     {"[1]", Options{}, PartFile, "JSON"},
		"sep= alone":               {"sep=;\n", Options{}, PartHeader, "names of the columns"},
		"no header":                {"A,B\nC,D\n", Options{}, PartHeader, `"A, B"`},
		"a header too long":        {strings.Repeat("x", MaxRow+1), Options{}, PartHeader, "65536"},
		"a name that is not there": {"id,b\n", Options{Named: map[string]string{"amount": "c"}}, PartColumns, "amount=c"},
		"a number too high":        {"id,b\n", Options{Named: map[string]string{"amount": "3"}}, PartColumns, "amount=3"},
		"named and ignored": {"id,b\n", Options{Named: map[string]string{"amount": "b"}, Ignored: []string{"b"}},
			PartColumns, "amount=b"},
		"named twice": {"id,b\n", Options{Named: map[string]string{"amount": "b", "status": "b"}}, PartColumns,
			"status=b"},
		"ignored and not there": {"id,b\n", Options{Ignored: []string{"c"}}, PartIgnored, `"c"`},
		"names without a header": {"A,B\n", Options{NoHeader: true, Named: map[string]string{"id": "clave"}}, PartColumns,
			"1 to 2"},
	} {
		_, _, err := readAll(strings.NewReader(c.in), withIDs(c.opts))
		var f *FileError
		if !errors.As(err, &f) || f.Part != c.part || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s: %s", name, err, c.part, c.want)
		}
	}
}

// TestBrokenOff: a file that cannot be read to its end gives its error, and no row that may be cut short.
func TestBrokenOff(t *testing.T) {
	broken := func(text string) io.Reader {
		return io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	for _, in := range []string{"", "id,mon", "id,monto\n", "id,monto\nA,10\nB,1", "id,monto\nA,10\r"} {
		got, _, err := readAll(broken(in), withIDs(Options{}))
		if !errors.Is(err, io.ErrUnexpectedEOF) || slices.ContainsFunc(got, func(row string) bool {
			return strings.Contains(row,
				"=B")
		}) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// TestMemory: a long table is a stream, also where its quotes are wrong and its line breaks are of one byte: less of it is
// in memory than it has.
func TestMemory(t *testing.T) {
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for name, line := range map[string]string{"LF": "A,1,ok\n", "CR": "A,1,ok\r", "open quotes": "A,\"1,ok\n",
		"long rows": "A," + strings.Repeat("1", MaxRow/2) + ",ok\n"} {
		size := testkit.Times(1<<20, 8<<20)
		in := io.MultiReader(strings.NewReader("id,monto,estatus\n"),
			io.LimitReader(&repeated{text: line}, int64(size/len(line)*len(line))))
		lines, err := NewLines(in)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(lines, withIDs(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		rows, before, most := 0, inUse(), uint64(0)
		for ; ; rows++ {
			if _, err := r.Next(); err != nil {
				break
			}
			if rows%(size/len(line)/4+1) == 0 {
				most = max(most, inUse())
			}
		}
		if rows != size/len(line) || most > before+uint64(size) {
			t.Errorf("%s: %d rows of %d, from %d to %d bytes in memory", name, rows, size/len(line), before, most)
		}
	}
}

type repeated struct{ text, left string }

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == "" {
		r.left = r.text
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func TestOptionTexts(t *testing.T) {
	named, err := ParseNamed(`id=Ref,"amount=Monto, total",phone=12`, columns())
	if diff := cmp.Diff(map[string]string{"id": "Ref", "amount": "Monto, total", "phone": "12"}, named); diff != "" ||
		err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, wrong := range []string{"id", "=x", "id=", "colour=x", "id=a,id=b", "\"id=a"} {
		if _, err := ParseNamed(wrong, columns()); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	ignored, err := ParseIgnored("3, Región,8-10,tel-2")
	if diff := cmp.Diff([]string{"3", "Región", "8", "9", "10", "tel-2"}, ignored); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, wrong := range []string{"9-3", "a,,b", "1-99999"} {
		if _, err := ParseIgnored(wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	for text, want := range map[string]rune{"": 0, "comma": ',', "tab": '\t', "\t": '\t', `\t`: '\t', "pipe": '|',
		"|": '|', "^": '^', "¬": '¬'} {
		if got, err := ParseDelimiter(text); got != want || err != nil {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, wrong := range []string{"x", "0", "\"", " ", "\n", "||", "\xff"} {
		if _, err := ParseDelimiter(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// FuzzTable: of whatever file, no line is passed over in silence: each is blank, of the header or before it, of
// exactly one row, or noted; and a row without an error is what a CSV reader finds in its lines alone.
func FuzzTable(f *testing.F) {
	for _, s := range []string{
		"date,id\nD,A\n", "x\n\nFecha;Id;Monto\r\nD;A;\"1\r\n2\"\r\nTOTAL;;3\r\nFin del reporte\r\n",
		"sep=|\nid|fecha|monto\nA|\"D|1\nB|D|1\"\n", "id\n\"\n\"a\nb\"\n\x00\xff\n",
		"1|A|x\n2|B|y\n", "id,fecha,monto\rA,=\"D\",1\r\r\n-,---,-\r", "\xff\xfei\x00d\x00\n\x00A\x00\n\x00",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, numbers bool) {
		opts := withIDs(Options{})
		if numbers {
			opts.Named = map[string]string{"id": "1"}
		}
		lines, err := NewLines(bytes.NewReader(data))
		var r *Reader
		if err == nil {
			r, err = NewReader(lines, opts)
		}
		if err != nil {
			if !errors.As(err, new(*FileError)) {
				t.Fatalf("no word of what is allowed: %v", err)
			}
			return
		}
		texts := physical(t, data)
		begin := int64(len(texts)) + 1 // where the rows begin
		if first, err := r.lines.peekNumber(); err == nil {
			begin = first
		}
		next := begin
		for {
			row, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Early {
				if row.Line >= begin {
					t.Fatalf("line %d is early", row.Line)
				}
				continue
			}
			checkBlank(t, r, texts, next, row.Line)
			if row.Line < next || row.Last < row.Line || row.Last > int64(len(texts)) {
				t.Fatalf("row at %d to %d, after %d", row.Line, row.Last, next-1)
			}
			next = row.Last + 1
			if row.Err == nil && row.aside == "" {
				checkCells(t, r, row, texts)
			}
		}
		checkBlank(t, r, texts, next, int64(len(texts))+1)
	})
}

// physical are the file's lines.
func physical(t *testing.T, data []byte) (texts []string) {
	t.Helper()
	all, err := NewLines(bytes.NewReader(data))
	for err == nil {
		var line lines.Line
		if line, err = all.Next(); err == nil {
			texts = append(texts, string(utf8Text(line.Text)))
		}
	}
	return texts
}

// checkBlank: the lines between two rows hold nothing but delimiters, quotes and what cannot be seen.
func checkBlank(t *testing.T, r *Reader, texts []string, from, until int64) {
	t.Helper()
	for n := from; n < until; n++ {
		if left := strings.NewReplacer(string(r.split.comma), "", `"`, "", "=",
			"").Replace(texts[n-1]); trimmed(left) != "" {
			t.Fatalf("line %d is passed over: %q", n, texts[n-1])
		}
	}
}

func checkCells(t *testing.T, r *Reader, row Row, texts []string) {
	t.Helper()
	text := strings.Join(texts[row.Line-1:row.Last], "\n")
	if strings.Contains(text, `="`) {
		return // not CSV, and read nevertheless
	}
	alone := csv.NewReader(strings.NewReader(text))
	alone.Comma, alone.TrimLeadingSpace = r.split.comma, r.split.comma != '\t'
	want, err := alone.Read()
	for i := range want {
		want[i] = trimmed(want[i])
	}
	if err != nil || !slices.Equal(want, row.Cells) || len(want) != len(r.layout.head) {
		t.Fatalf("line %d is %q, want %q, %v", row.Line, row.Cells, want, err)
	}
}

func (l *Lines) peekNumber() (int64, error) {
	if !l.look(0) {
		return 0, io.EOF
	}
	return l.ahead[0].Number, nil
}
