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

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/listen"
	"recarga/internal/reconcile"
)

const typeTSV = "text/tab-separated-values"

func opReconcile() huma.Operation {
	op := openapi.New(http.MethodPost, "/v1/reconciliations", "reconcile", 415, 503)
	op.Parameters = reconcileParameters()
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		openapi.TypeCSV: {Schema: openapi.Text(), Example: openapi.ExampleStatement}, typeTSV: {Schema: openapi.Text()}}}
	op.Responses["200"] = openapi.Response("One ReconciliationResult a line.", openapi.TypeLines,
		openapi.Lines("ReconciliationResult"), openapi.ExampleReconciled)
	return op
}

func reconcileParameters() []*huma.Param {
	query, text := openapi.Query, openapi.Text()
	return []*huma.Param{
		query("name", "The statement's file name, for the records of the orders that it settles.", text),
		query("by", "Who reconciles, for those records.", text),
		query("columns", "Columns that are not found by their headers: `id=HEADER,amount=3`, by header or number; see "+
			"docs/reconcile.md.", text),
		query("ignore_columns", "Columns that say nothing of money: headers or numbers, as in `Region,8-11`. As long as a "+
			"column is neither known, "+
			"mapped nor ignored, nothing is settled.", text),
		query("no_header", "The first line is a charge: columns are named by their numbers. Default: found out.",
			openapi.Flag()),
		query("delimiter", "`comma`, `semicolon`, `tab`, `pipe`, or the character itself. Default: found out.",
			text),
		query("decimal", "The decimal mark of amounts. Default: found out of each amount; one that could be read in two "+
			"ways is refused.", openapi.Text("point", "comma")),
		query("dates", "The order of day and month in dates like 05/11/2026.", openapi.Or("dmy", "dmy", "mdy")),
		query("timezone", "Of times without an offset.", openapi.Or(reconcile.DefaultZone)),
		query("status", "What words of the status column, or codes, mean: `1=charged,2=not_charged`, of charged, "+
			"not_charged, reversed, pending. As "+
			"long as a word is not known, nothing is settled.", text),
		query("charged", "More words of the status column, separated by commas, that mean a charge.", text),
		query("not_charged", "More words that mean that nothing was charged.", text),
		query("covers", "FROM..UNTIL: the time of which the statement names every charge; RFC 3339 or dates. Default: "+
			"from its first to its last charge. Not with `restored`.", text),
		query("margin", "By how much times may differ, and how far within that time an unknown order must lie to be "+
			"settled by absence.", openapi.Or(reconcile.DefaultMargin.String())),
		query("absent", "What becomes of an unknown order that the statement proves not to be charged.",
			openapi.Or("hold", "hold", "failed", "resend")),
		query("restored", "The book was restored from a backup: what the statement charges and the book does not know is "+
			"recorded as charged, and never bought.", openapi.Flag()),
		query("since", "With `restored` alone: when the backup was made; RFC 3339 or a date. A charge of before that the "+
			"book does not know is named, and not recorded.", text),
		query("dry_run", "Settle nothing, and say what would be.", openapi.Flag()),
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

func (s *Server) reconcile(ctx context.Context, in *reconcileInput) (stream, error) {
	if s.cfg.Reconciler == nil {
		return nil, problem.New(problem.NotHere, "statements are not reconciled here")
	}
	ctx, by, err := keys.By(ctx, in.query.Get("by"), "")
	if err != nil {
		return nil, problem.In("query", err)
	}
	if by != "" { // else the options have a name for it
		in.query.Set("by", by)
	}
	listen.Extend(ctx, listen.LongWait)
	opts, err := reconcile.ParseOptions(in.query, time.Now())
	if err != nil {
		return nil, problem.In("query", err)
	}
	statement, err := reconcile.Read(ctx, in.body, opts)
	if err != nil {
		return nil, err
	}
	return func(c huma.Context) {
		_, w := humago.Unwrap(c)
		err := s.reconciled(ctx, statement, w)
		if err = errors.Join(err, statement.Close()); err != nil {
			s.log.WarnContext(ctx, "reconciliation broken off", "request", problem.RequestID(ctx), "statement", opts.Name,
				"error", err)
			// What ends without a summary must not look like a whole answer.
			panic(http.ErrAbortHandler)
		}
	}, nil
}

// onWhole adds what is about many orders, or about all that is sold.
func (s *Server) onWhole(to openapi.Operations) {
	openapi.Add(to, opBatch(), s.batch)
	openapi.Add(to, opExport(), s.export)
	openapi.Add(to, opReconcile(), s.reconcile)
}

// reconciled streams the results. Progress is flushed: whoever waits should see it.
func (s *Server) reconciled(ctx context.Context, statement *reconcile.Statement, w http.ResponseWriter) error {
	conn := http.NewResponseController(w)
	w.Header().Set("Content-Type", openapi.TypeLines)
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
