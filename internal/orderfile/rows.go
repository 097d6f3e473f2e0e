package orderfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"recarga/internal/table"
	"recarga/topup"
)

// row is one order of a file: valid, or with what is wrong with it.
type row struct {
	// line is where it begins in the file, from 1.
	line    int
	request topup.Request
	err     error
	// result is "placed" or "already_there", once it is known.
	result string
}

// Format is how a table of orders is written, as an option each; empty: it is found out. See docs/tables.md.
type Format struct {
	// Columns names columns that are not found by their headers: COLUMN=HEADER,… or COLUMN=NUMBER,…, from 1.
	Columns string
	// Ignored are the headers or numbers of columns that say nothing.
	Ignored string
	// Delimiter is comma, semicolon, tab, pipe, or the character itself.
	Delimiter string
	// Decimal is point or comma.
	Decimal string
	// NoHeader: the first line is a row.
	NoHeader bool
}

// options are those of reading a table of orders.
type options struct {
	table.Options
	decimal table.Decimal
	catalog topup.Catalog
}

// options reads the format; the error names every part that is wrong, by its flag.
func (f Format) options(c topup.Catalog) (options, error) {
	o := options{catalog: c}
	var errs [4]error
	columns, _ := orderColumns()
	o.Named, errs[0] = table.ParseNamed(f.Columns, columns)
	o.Ignored, errs[1] = table.ParseIgnored(f.Ignored)
	o.Delimiter, errs[2] = table.ParseDelimiter(f.Delimiter)
	o.decimal, errs[3] = table.ParseDecimal(f.Decimal)
	o.NoHeader = f.NoHeader
	for _, err := range errs {
		var wrong *table.FileError
		if errors.As(err, &wrong) {
			wrong.Part = "--" + strings.ReplaceAll(wrong.Part, "_", "-")
		}
	}
	return o, errors.Join(errs[:]...)
}

// readRows calls use with every row of a file: a table, or NDJSON by its name or its first character. A file that is
// neither is a *table.FileError. note gets what of a table is no row, at the end.
func readRows(in io.Reader, name string, opts options, use func(row) error, note func(string)) error {
	lines, err := table.NewLines(in)
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, ".ndjson") || strings.HasSuffix(name, ".jsonl") ||
		bytes.HasPrefix(lines.First(), []byte("{")) {
		return readNDJSON(lines, opts.catalog, use)
	}
	return readTable(lines, opts, use, note)
}

func readNDJSON(lines *table.Lines, c topup.Catalog, use func(row) error) error {
	for {
		line, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		r := row{line: int(line.Number)}
		text := bytes.TrimSpace(line.Text)
		switch {
		case line.Long:
			r.err = fmt.Errorf("longer than %d bytes", table.MaxRow)
		case len(text) == 0:
			continue
		default:
			r.request, r.err = c.ParseRequest(text)
		}
		if err := use(r); err != nil {
			return err
		}
	}
}

const metadataPrefix = topup.FieldMetadata + "."

// column is one that a table of orders may have, beside metadata.KEY.
type column struct {
	table.Column
	// to is where the text of its cell goes; nil for metadata, which are read by themselves.
	to *string
}

// needed is how many columns every table has: the first ones.
const needed = 4

// columnsOf are all columns, whose texts go to f.
func columnsOf(f *topup.Fields) []column {
	return []column{
		{table.Column{Name: topup.FieldID, Headers: table.Words("id")}, &f.ID},
		{table.Column{Name: topup.FieldPhone, Headers: table.Words("phone")}, &f.Phone},
		{table.Column{Name: topup.FieldProduct, Headers: table.Words("product"), Words: true}, &f.Product},
		{table.Column{Name: topup.FieldAmount, Headers: table.Words("amount"), Total: true}, &f.Amount},
		{table.Column{Name: topup.FieldOperator, Headers: table.Words("operator"), Words: true}, &f.Operator},
		{table.Column{Name: topup.FieldPriority, Headers: table.Words("priority")}, &f.Priority},
		{table.Column{Name: topup.FieldCallbackURL, Headers: []string{"callback url"}}, &f.CallbackURL},
		{table.Column{Name: topup.FieldProcessAt, Headers: []string{"process at"}}, &f.ProcessAt},
		{table.Column{Name: topup.FieldExpiresAt, Headers: []string{"expires at"}}, &f.ExpiresAt},
		{table.Column{Name: topup.FieldMetadata, Headers: []string{"metadata"}, Words: true}, nil},
	}
}

// orderColumns are all columns as a table has them, and names what they are called.
func orderColumns() (all []table.Column, names []string) {
	for _, c := range columnsOf(&topup.Fields{}) {
		all, names = append(all, c.Column), append(names, c.Name)
	}
	return all, names
}

func readTable(lines *table.Lines, opts options, use func(row) error, note func(string)) error {
	columns, names := orderColumns()
	opts.Columns, opts.Prefix = columns, metadataPrefix
	opts.Enough = func(has func(string) bool) bool {
		return !slices.ContainsFunc(names[:needed], func(column string) bool { return !has(column) })
	}
	rows, err := table.NewReader(lines, opts.Options)
	if err == nil {
		err = checkLayout(rows)
	}
	if err != nil {
		return err
	}
	for last := int64(0); ; {
		one, err := rows.Next()
		switch {
		case errors.Is(err, io.EOF):
			for _, n := range rows.Notes() {
				note(n)
			}
			return nil
		case err != nil:
			return fmt.Errorf("after line %d: %w", last, err)
		}
		last = one.Last
		if r, ok := tableRow(rows.Layout(), one, opts); ok {
			if err := use(r); err != nil {
				return err
			}
		}
	}
}

// checkLayout refuses a table with a column that would be passed over, or without one that every order has.
func checkLayout(rows *table.Reader) error {
	l := rows.Layout()
	_, names := orderColumns()
	if unknown := rows.NotUnderstood(); len(unknown) > 0 {
		return &table.FileError{Part: table.PartHeader, Value: strings.Join(unknown, ", "),
			Allowed: "each column of an order once (" + strings.Join(names[:needed], ", ") + " and optionally " +
				strings.Join(names[needed:], ", ") + ", " + metadataPrefix + "KEY), or named with --columns or --ignore-columns"}
	}
	for _, column := range names[:needed] {
		if !l.Has(column) {
			return &table.FileError{Part: table.PartHeader, Value: strings.Join(l.Head(), ", "),
				Allowed: "with all columns that an order needs: " +
					column + " is missing; name it with --columns, as in " + column + "=NAME"}
		}
	}
	return nil
}

// tableRow is the order of a row; not ok for a line that stands before the header and is none.
func tableRow(l *table.Layout, one table.Row, opts options) (r row, ok bool) {
	r = row{line: int(one.Line), err: one.Err}
	if one.Err == nil {
		r.request, r.err = orderOf(l, one.Cells, opts)
	} else if id, err := topup.ParseID(l.Value(one.Cells, topup.FieldID)); err == nil {
		r.request.ID = id
	}
	if one.Early {
		if r.err != nil {
			return r, false
		}
		r.err = errors.New("it stands before the header")
	}
	return r, true
}

// orderOf reads every cell, so that all mistakes are reported at once.
func orderOf(l *table.Layout, cells []string, opts options) (topup.Request, error) {
	metadata, wrong := metadataOf(l.Value(cells, topup.FieldMetadata))
	for key, i := range l.Prefixed() {
		if cells[i] != "" {
			metadata[key] = strings.Clone(cells[i])
		}
	}
	f := topup.Fields{Metadata: metadata}
	for _, c := range columnsOf(&f) {
		if c.to != nil {
			*c.to = strings.Clone(l.Value(cells, c.Name))
		}
	}
	if text := f.Amount; text != "" {
		amount, err := opts.decimal.Amount(text)
		if f.Amount = amount.String(); err != nil {
			wrong, f.Amount = append(wrong, topup.FieldErrors(err)...), ""
		}
	}
	request, err := opts.catalog.Request(f)
	return request, joined(topup.FieldErrors(err), wrong)
}

// joined are all errors, where those of instead replace those of the same fields.
func joined(fields, instead []*topup.FieldError) error {
	var errs []error
	for _, e := range fields {
		if !slices.ContainsFunc(instead, func(i *topup.FieldError) bool { return i.Field == e.Field }) {
			errs = append(errs, e)
		}
	}
	for _, e := range instead {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// metadataOf reads the metadata of a cell as those of a request are read.
func metadataOf(cell string) (map[string]string, []*topup.FieldError) {
	if cell == "" {
		return map[string]string{}, nil
	}
	if !strings.HasPrefix(cell, "{") || !json.Valid([]byte(cell)) {
		return map[string]string{}, []*topup.FieldError{{Field: topup.FieldMetadata, Value: cell,
			Allowed: "a JSON object whose values are strings"}}
	}
	r, err := topup.AnyProduct().ParseRequest([]byte(`{"` + topup.FieldMetadata + `":` + cell + `}`))
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	return r.Metadata, slices.DeleteFunc(topup.FieldErrors(err),
		func(e *topup.FieldError) bool { return !strings.HasPrefix(e.Field, topup.FieldMetadata) })
}
