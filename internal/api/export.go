package api

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recarga/internal/journal/search"
	"recarga/internal/listen"
	"recarga/topup"
)

// exportCount is the trailer of an export that is whole: how many orders it has.
const exportCount = "X-Export-Orders"

func opExport() huma.Operation {
	op := operation(http.MethodGet, "/v1/export", "exportTopups", "Export orders",
		"All orders that the filters choose, the oldest first, as CSV (RFC 4180, with a header) or one order a line. Of "+
			"any "+
			"length; gzip where it is accepted. An export that breaks off has its connection cut: it lacks the end of its "+
			"chunks, that of its "+
			"gzip, and the trailer `"+exportCount+"`. In CSV a text that a spreadsheet would take for a formula gets a quote "+
			"(') in front. See docs/export.md.",
		403, 503)
	flag := &huma.Schema{Type: huma.TypeBoolean, Default: false}
	op.Parameters = append(filterParameters(),
		query("finished_since", "Orders that became final at this time or later.", timeSchema()),
		query("finished_until", "Orders that became final before this time.", timeSchema()),
		query("format", "csv or ndjson.", &huma.Schema{Type: huma.TypeString, Enum: []any{formatCSV, formatNDJSON},
			Default: formatCSV}),
		query("attempts", "With each order's attempts and resolutions; NDJSON only.", flag),
		query("events", "With each order's events; NDJSON only.", flag))
	op.Responses["200"] = &huma.Response{
		Description: "The orders. Of CSV the columns, of NDJSON each line has the fields of an Order.",
		Headers: map[string]*huma.Param{exportCount: {Description: "A trailer: how many orders there are. Only a " +
			"whole export has it.", Schema: &huma.Schema{Type: huma.TypeInteger}}},
		Content: map[string]*huma.MediaType{typeCSV: {Schema: textSchema()},
			typeLines: {Schema: textSchema(), Example: exampleOrder + "\n"}},
	}
	return op
}

const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
)

type exportInput struct {
	query url.Values
	gzip  bool
}

// Resolve is called by huma with the request.
func (in *exportInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.query, in.gzip = u.Query(), acceptsGzip(ctx.Header("Accept-Encoding"))
	return nil
}

func acceptsGzip(accepted string) bool {
	for one := range strings.SplitSeq(accepted, ",") {
		coding, quality, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";q=")
		if coding == "gzip" {
			weight, err := strconv.ParseFloat(quality, 64)
			return quality == "" || err == nil && weight > 0
		}
	}
	return false
}

// exporting is what one export is asked for.
type exporting struct {
	filter search.Filter
	parts  search.Parts
	format string
	gzip   bool
}

func (s *Server) export(ctx context.Context, in *exportInput) (*batchOutput, error) {
	e, err := s.parseExport(ctx, identityOf(ctx), in.query, time.Now())
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	e.gzip = in.gzip
	return &batchOutput{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		s.exportTo(ctx, w, e)
	}}, nil
}

// parseExport reads the query. An export ends with the orders that there are now: it would otherwise not
// end where they come faster than they are read.
func (s *Server) parseExport(ctx context.Context, who Identity, values url.Values, now time.Time) (exporting, error) {
	var e exporting
	var err error
	e.filter, err = s.parseFilter(ctx, who, values)
	q := queryReader{values: values}
	e.filter.FinishedSince = read(&q, "finished_since", timeOf("finished_since"))
	e.filter.FinishedUntil = read(&q, "finished_until", timeOf("finished_until"))
	e.format = read(&q, "format", oneOf("format", formatCSV, formatNDJSON))
	e.parts.Attempts = read(&q, "attempts", oneOf("attempts", "true", "false")) == "true"
	e.parts.Events = read(&q, "events", oneOf("events", "true", "false")) == "true"
	if e.format == "" {
		e.format = formatCSV
	}
	if e.format == formatCSV && e.parts != (search.Parts{}) {
		q.errs = append(q.errs, &topup.FieldError{Field: "format", Value: e.format,
			Allowed: "ndjson with attempts or events"})
	}
	if e.filter.Until.IsZero() {
		e.filter.Until = now
	}
	return e, errors.Join(append(q.errs, err)...)
}

func oneOf(name string, values ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, v := range values {
			if s == v {
				return s, nil
			}
		}
		return "", &topup.FieldError{Field: name, Value: s, Allowed: "one of " + strings.Join(values, ", ")}
	}
}

// exportTo answers an export. Where it cannot begin, the answer is a problem; where it cannot end, the
// connection is cut, so that what came is not taken for all there is.
func (s *Server) exportTo(ctx context.Context, w http.ResponseWriter, e exporting) {
	next, stop := iter.Pull2(s.cfg.Book.Export(ctx, e.filter, e.parts))
	defer stop()
	first, err, more := next()
	if err != nil {
		writeProblem(w, s.problem(ctx, "query", err))
		return
	}
	listen.Extend(ctx, listen.LongWait)
	count, err := e.write(w, func(yield func(topup.Details, error) bool) {
		for o, err := first, error(nil); more && yield(o, err); {
			o, err, more = next()
		}
	})
	if err != nil {
		s.log.WarnContext(ctx, "export broken off", "request", requestID(ctx), "orders", count, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// write sends the orders. No order is read before the ones ahead of it are on their way.
func (e exporting) write(w http.ResponseWriter, orders iter.Seq2[topup.Details, error]) (count int64, err error) {
	kind := map[string]string{formatCSV: typeCSV + "; charset=utf-8; header=present", formatNDJSON: typeLines}[e.format]
	head := w.Header()
	head.Set("Content-Type", kind)
	head.Set("Content-Disposition", `attachment; filename="orders.`+e.format+`"`)
	head.Set("Vary", "Accept-Encoding")
	head.Set("Trailer", exportCount)
	out, closeOut := io.Writer(w), func() error { return nil }
	if e.gzip {
		head.Set("Content-Encoding", "gzip")
		zipped, _ := gzip.NewWriterLevel(out, gzip.BestSpeed) // the level is one
		out, closeOut = zipped, zipped.Close
	}
	buffer := bufio.NewWriterSize(out, 64<<10)
	put, err := e.writer(buffer)
	for o, failed := range orders {
		if err = errors.Join(err, failed); err != nil {
			return count, err
		}
		if err = put(o); err != nil {
			return count, err
		}
		count++
	}
	if err = errors.Join(err, buffer.Flush(), closeOut()); err != nil {
		return count, err
	}
	head.Set(exportCount, strconv.FormatInt(count, 10))
	return count, nil
}

// writer writes orders in the format; what comes before the first it has written.
func (e exporting) writer(w *bufio.Writer) (func(topup.Details) error, error) {
	if e.format == formatNDJSON {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		return func(d topup.Details) error {
			return lines.Encode(exportLine{d.Order, d.Attempts, d.Events, d.Resolutions, d.Corrections, d.Disputes})
		}, nil
	}
	rows := csv.NewWriter(w)
	rows.UseCRLF = true
	columns := exportColumns()
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	return func(d topup.Details) error {
		for i, c := range columns {
			row[i] = c.of(&d.Order)
		}
		if err := rows.Write(row); err != nil {
			return err
		}
		rows.Flush() // into w, which has its own room
		return rows.Error()
	}, rows.Write(row)
}

// exportLine is an order with those of its parts that were asked for.
type exportLine struct {
	topup.Order
	Attempts    []topup.Attempt    `json:"attempts,omitzero"`
	Events      []topup.Event      `json:"events,omitzero"`
	Resolutions []topup.Resolution `json:"resolutions,omitempty"`
	Corrections []topup.Correction `json:"corrections,omitempty"`
	Disputes    []topup.Dispute    `json:"disputes,omitempty"`
}
