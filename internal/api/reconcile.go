package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recarga/internal/listen"
	"recarga/internal/reconcile"
)

const (
	typeCSV = "text/csv"
	typeTSV = "text/tab-separated-values"
)

func opReconcile() huma.Operation {
	op := operation(http.MethodPost, "/v1/reconciliations", "reconcile", "Reconcile with a statement",
		"The body is the distributor's statement, a table (CSV) of any length and in any order. It is read to its end "+
			"before anything is settled. The answer is a ReconciliationResult a line: findings and progress, and at the end "+
			"the summary; an "+
			"answer without one was broken off: send the statement again. See docs/reconcile.md.",
		403, 415, 503)
	op.Parameters = reconcileParameters()
	text := &huma.MediaType{Schema: textSchema(), Example: exampleStatement}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{typeCSV: text,
		typeTSV: {Schema: textSchema()}}}
	op.Responses["200"] = &huma.Response{Description: "One ReconciliationResult a line.",
		Content: map[string]*huma.MediaType{
			typeLines: {Schema: &huma.Schema{Type: huma.TypeString, Description: "One ReconciliationResult a line."},
				Example: exampleReconciled},
		}}
	return op
}

func reconcileParameters() []*huma.Param {
	one := func(standard string, values ...any) *huma.Schema {
		s := &huma.Schema{Type: huma.TypeString, Enum: values}
		if standard != "" {
			s.Default = standard
		}
		return s
	}
	return []*huma.Param{
		query("name", "The statement's file name, for the records of the orders that it settles.", textSchema()),
		query("by", "Who reconciles, for those records.", textSchema()),
		query("columns", "Columns that are not found by their headers: `id=HEADER,amount=3`, by header or number; see "+
			"docs/reconcile.md.", textSchema()),
		query("ignore_columns", "Columns that say nothing of money: headers or numbers, as in `Region,8-11`. As long as a "+
			"column is neither known, "+
			"mapped nor ignored, nothing is settled.", textSchema()),
		query("no_header", "The first line is a charge: columns are named by their numbers. Default: found out.",
			&huma.Schema{Type: huma.TypeBoolean, Default: false}),
		query("delimiter", "`comma`, `semicolon`, `tab`, `pipe`, or the character itself. Default: found out.",
			textSchema()),
		query("decimal", "The decimal mark of amounts. Default: found out of each amount; one that could be read in two "+
			"ways is refused.", one("", "point", "comma")),
		query("dates", "The order of day and month in dates like 05/11/2026.", one("dmy", "dmy", "mdy")),
		query("timezone", "Of times without an offset.", &huma.Schema{Type: huma.TypeString,
			Default: reconcile.DefaultZone}),
		query("status", "What words of the status column, or codes, mean: `1=charged,2=not_charged`, of charged, "+
			"not_charged, reversed, pending. As "+
			"long as a word is not known, nothing is settled.", textSchema()),
		query("charged", "More words of the status column, separated by commas, that mean a charge.", textSchema()),
		query("not_charged", "More words that mean that nothing was charged.", textSchema()),
		query("covers", "FROM..UNTIL: the time of which the statement names every charge; RFC 3339 or dates. Default: "+
			"from its first to its last charge.", textSchema()),
		query("margin", "By how much times may differ, and how far within that time an unknown order must lie to be "+
			"settled by absence.", &huma.Schema{Type: huma.TypeString, Default: reconcile.DefaultMargin.String()}),
		query("absent", "What becomes of an unknown order that the statement proves not to be charged.",
			one("hold", "hold", "failed", "resend")),
		query("dry_run", "Settle nothing, and say what would be.", &huma.Schema{Type: huma.TypeBoolean, Default: false}),
	}
}

// reconcileInput takes the request as it is: its body is streamed.
type reconcileInput struct {
	query url.Values
	body  io.Reader
}

// Resolve is called by huma with the request.
func (in *reconcileInput) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	in.query, in.body = r.URL.Query(), r.Body
	return nil
}

func (s *Server) reconcile(ctx context.Context, in *reconcileInput) (*batchOutput, error) {
	if s.cfg.Reconciler == nil {
		return nil, huma.Error503ServiceUnavailable("statements are not reconciled here")
	}
	by, err := identityOf(ctx).by(in.query.Get("by"), "")
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	if by != "" { // else the options have a name for it
		in.query.Set("by", by)
	}
	listen.Extend(ctx, listen.LongWait)
	opts, err := reconcile.ParseOptions(in.query, time.Now())
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	statement, err := reconcile.Read(ctx, in.body, opts)
	if err != nil {
		return nil, s.problem(ctx, "body", err)
	}
	return &batchOutput{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		err := s.reconciled(ctx, statement, w)
		if err = errors.Join(err, statement.Close()); err != nil {
			s.log.WarnContext(ctx, "reconciliation broken off", "request", requestID(ctx), "statement", opts.Name, "error", err)
			// What ends without a summary must not look like a whole answer.
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// reconciled streams the results. Progress is flushed: whoever waits should see it.
func (s *Server) reconciled(ctx context.Context, statement *reconcile.Statement, w http.ResponseWriter) error {
	conn := http.NewResponseController(w)
	w.Header().Set("Content-Type", typeLines)
	buffer := bufio.NewWriterSize(w, 16<<10)
	lines := json.NewEncoder(buffer)
	lines.SetEscapeHTML(false)
	err := s.cfg.Reconciler.Run(ctx, statement, func(r reconcile.Result) error {
		if err := lines.Encode(r); err != nil || r.Progress == nil {
			return err
		}
		return errors.Join(buffer.Flush(), conn.Flush())
	})
	if err != nil {
		return err
	}
	return buffer.Flush()
}
