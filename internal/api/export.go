package api

import (
	"bufio"
	"cmp"
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
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/pages"
	"recarga/internal/api/problem"
	"recarga/internal/journal/search"
	"recarga/internal/listen"
	"recarga/internal/params"
	"recarga/topup"
)

// exportCount is the trailer of an export that is whole: how many orders it has.
const exportCount = "X-Export-Orders"

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
	in.query, in.gzip = u.Query(), pages.AcceptsGzip(ctx.Header("Accept-Encoding"))
	return nil
}

// exporting is what one export is asked for.
type exporting struct {
	filter search.Filter
	parts  search.Parts
	format string
	gzip   bool
}

func (s *Server) export(ctx context.Context, in *exportInput) (stream, error) {
	e, err := s.parseExport(ctx, keys.Of(ctx), in.query, time.Now())
	e.gzip = in.gzip
	return func(c huma.Context) {
		_, w := humago.Unwrap(c)
		s.exportTo(ctx, w, e)
	}, err
}

// parseExport reads the query. An export ends with the orders that there are now: it would otherwise not
// end where they come faster than they are read.
func (s *Server) parseExport(
	ctx context.Context, who keys.Identity, values url.Values, now time.Time,
) (exporting, error) {
	var e exporting
	var err error
	e.filter, err = s.parseFilter(ctx, who, values)
	q := params.Reader{Values: values}
	e.filter.FinishedSince = params.Read(&q, "finished_since", params.Moment("finished_since", now))
	e.filter.FinishedUntil = params.Read(&q, "finished_until", params.Moment("finished_until", now))
	e.format = params.Read(&q, "format", params.OneOf("format", formatCSV, formatNDJSON))
	e.parts.Attempts = params.Read(&q, "attempts", params.Flag("attempts"))
	e.parts.Events = params.Read(&q, "events", params.Flag("events"))
	e.format = cmp.Or(e.format, formatCSV)
	if e.format == formatCSV && e.parts != (search.Parts{}) {
		err = errors.Join(err, &topup.FieldError{Field: "format", Value: e.format,
			Allowed: "ndjson with attempts or events"})
	}
	e.parts.Conclusions = true // exports are for operators
	if e.filter.Until.IsZero() {
		e.filter.Until = now
	}
	return e, errors.Join(q.Err(), err)
}

// exportTo answers an export. Where it cannot begin, the answer is a problem; where it cannot end, the
// connection is cut, so that what came is not taken for all there is.
func (s *Server) exportTo(ctx context.Context, w http.ResponseWriter, e exporting) {
	next, stop := iter.Pull2(s.cfg.Book.Export(ctx, e.filter, e.parts))
	defer stop()
	first, err, more := next()
	if err != nil {
		problem.Write(w, s.problem(ctx, "query", err))
		return
	}
	listen.Extend(ctx, listen.LongWait)
	count, err := e.write(w, func(yield func(topup.Details, error) bool) {
		for o, err := first, error(nil); more && yield(o, err); {
			o, err, more = next()
		}
	})
	if err != nil {
		s.log.WarnContext(ctx, "export broken off", "request", problem.RequestID(ctx), "orders", count, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// write sends the orders. No order is read before the ones ahead of it are on their way.
func (e exporting) write(w http.ResponseWriter, orders iter.Seq2[topup.Details, error]) (count int64, err error) {
	kind := map[string]string{
		formatCSV: openapi.TypeCSV + "; charset=utf-8; header=present", formatNDJSON: openapi.TypeLines,
	}[e.format]
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
	// Attempts and Events are there where they were asked for; what was decided is there where something was.
	Attempts    []topup.Attempt    `json:"attempts,omitzero"`
	Events      []topup.Event      `json:"events,omitzero"`
	Resolutions []topup.Resolution `json:"resolutions,omitempty"`
	Corrections []topup.Correction `json:"corrections,omitempty"`
	Disputes    []topup.Dispute    `json:"disputes,omitempty"`
}

func opExport() huma.Operation {
	op := openapi.New(http.MethodGet, "/v1/export", "exportTopups")
	op.Parameters = append(filterParameters(),
		openapi.Query("finished_since", "Orders that became final at this time or later, as in since.", openapi.Moment()),
		openapi.Query("finished_until", "Orders that became final before this time, as in since.", openapi.Moment()),
		openapi.Query("format", "csv or ndjson.", openapi.Or(formatCSV, formatCSV, formatNDJSON)),
		openapi.Query("attempts", "With each order's attempts and resolutions; NDJSON only.", openapi.Flag()),
		openapi.Query("events", "With each order's events; NDJSON only.", openapi.Flag()))
	answer := openapi.Response("The orders. Of CSV the columns, of NDJSON each line has the fields of an Order.",
		openapi.TypeLines, openapi.Text(), openapi.ExampleOrder)
	answer.Content[openapi.TypeCSV] = &huma.MediaType{Schema: openapi.Text()}
	answer.Headers = map[string]*huma.Param{exportCount: {Description: "A trailer: how many orders there are. Only a " +
		"whole export has it.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
	op.Responses["200"] = answer
	return op
}
