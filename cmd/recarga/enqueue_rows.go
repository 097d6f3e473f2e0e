package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

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

// readRows calls use with every row of a file: CSV, or NDJSON by its name or its first character.
func readRows(in io.Reader, name string, c topup.Catalog, use func(row) error) error {
	buffered := bufio.NewReaderSize(in, 64<<10)
	if bom, err := buffered.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = buffered.Discard(len(bom)) // it is in the buffer
	}
	first, err := buffered.Peek(1)
	if err != nil {
		return errors.New("the file is empty")
	}
	if strings.HasSuffix(name, ".ndjson") || strings.HasSuffix(name, ".jsonl") || first[0] == '{' {
		return readNDJSON(buffered, c, use)
	}
	return readCSV(buffered, c, use)
}

// maxRow bounds a row, in bytes: a quote that is not closed must not read a whole file into memory.
const maxRow = 64 << 10

var errRowTooLong = fmt.Errorf("longer than %d bytes; is a quote not closed?", maxRow)

func readNDJSON(in *bufio.Reader, c topup.Catalog, use func(row) error) error {
	for number := 1; ; number++ {
		text, err := in.ReadSlice('\n')
		r := row{line: number}
		if errors.Is(err, bufio.ErrBufferFull) {
			r.err = errRowTooLong
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
		} else if text = bytes.TrimSpace(text); len(text) > 0 {
			r.request, r.err = c.ParseRequest(text)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if len(text) > 0 {
			if err := use(r); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

const metadataPrefix = topup.FieldMetadata + "."

// columns are what a CSV file may have, beside metadata.KEY.
func columns(f *topup.Fields) map[string]*string {
	return map[string]*string{
		topup.FieldID: &f.ID, topup.FieldPhone: &f.Phone, topup.FieldProduct: &f.Product, topup.FieldAmount: &f.Amount,
		topup.FieldOperator: &f.Operator, topup.FieldPriority: &f.Priority, topup.FieldCallbackURL: &f.CallbackURL, topup.FieldProcessAt: &f.ProcessAt,
		topup.FieldExpiresAt: &f.ExpiresAt,
	}
}

func readCSV(in *bufio.Reader, c topup.Catalog, use func(row) error) error {
	allowed := &allowance{in: in}
	records := csv.NewReader(allowed)
	records.FieldsPerRecord = -1 // a short row is one bad row, not the end of the file
	records.ReuseRecord = true
	allowed.left = maxRow
	head, err := records.Read()
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	head = slices.Clone(head)
	if err := checkHead(head); err != nil {
		return err
	}
	for line := 1; ; {
		allowed.left = maxRow
		record, err := records.Read()
		var broken *csv.ParseError
		var r row
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			r = row{line: broken.StartLine, err: broken.Err}
		case err != nil:
			return fmt.Errorf("the row after line %d: %w", line, err)
		default:
			line, _ = records.FieldPos(0)
			r = csvRow(c, line, head, record)
		}
		if err := use(r); err != nil {
			return err
		}
	}
}

// allowance reads until what is left of it is used up. What a CSV reader has read ahead of a row is
// small beside it.
type allowance struct {
	in   io.Reader
	left int
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errRowTooLong
	}
	n, err := a.in.Read(p)
	a.left -= n
	return n, err
}

func checkHead(head []string) error {
	allowed := columns(&topup.Fields{})
	for i, name := range head {
		if _, ok := allowed[name]; !ok && !strings.HasPrefix(name, metadataPrefix) || slices.Contains(head[:i], name) {
			return fmt.Errorf("header: column %q is not one of an order, or is there twice; must be distributor_transaction_id, phone_number, product_id, amount and optionally operator, callback_url, process_at, expires_at, metadata.KEY", name)
		}
	}
	for _, required := range []string{topup.FieldID, topup.FieldPhone, topup.FieldProduct, topup.FieldAmount} {
		if !slices.Contains(head, required) {
			return fmt.Errorf("header: column %s is missing", required)
		}
	}
	return nil
}

func csvRow(c topup.Catalog, line int, head, record []string) row {
	r := row{line: line}
	if len(record) != len(head) {
		r.err = fmt.Errorf("%d columns, the header has %d", len(record), len(head))
		return r
	}
	f := topup.Fields{Metadata: map[string]string{}}
	named := columns(&f)
	for i, name := range head {
		value := strings.Clone(strings.TrimSpace(record[i]))
		if key, ok := strings.CutPrefix(name, metadataPrefix); ok {
			if value != "" {
				f.Metadata[key] = value
			}
			continue
		}
		*named[name] = value
	}
	r.request, r.err = c.Request(f)
	return r
}
