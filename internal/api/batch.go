package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/lines"
	"recarga/internal/listen"
	"recarga/topup"
)

// batchWidth is how many lines of a batch are placed at once: the journal commits them together.
const batchWidth = 64

// stream is an answer that is written while it is made.
type stream = func(huma.Context)

func (s *Server) batch(ctx context.Context, _ *struct{}) (stream, error) {
	who := keys.Of(ctx)
	return func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if err := s.placeLines(ctx, who, r.Body, w); err != nil {
			// A batch that was not read to its end must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
	}, nil
}

// placeLines places the lines of body and answers them on w, in their order. Its memory is bounded by
// batchWidth lines: when the client does not read its answers, its lines are not read either.
func (s *Server) placeLines(ctx context.Context, who keys.Identity, body io.Reader, w http.ResponseWriter) error {
	conn := http.NewResponseController(w)
	if err := conn.EnableFullDuplex(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.Header().Set("Content-Type", openapi.TypeLines)
	started := make(chan *placing, batchWidth)
	written := make(chan error, 1)
	listen.Extend(ctx, listen.LongWait)
	go func() { written <- writeLines(newAnswers(ctx, w), started, cancel) }()
	readErr := s.readLines(ctx, who, body, started)
	close(started)
	return errors.Join(readErr, <-written)
}

// placing is one line on its way. answer may be read once done is closed.
type placing struct {
	id     topup.ID
	done   chan struct{}
	answer batchLine
}

// batchLine is a line of the answer.
type batchLine struct {
	Line int `json:"line" minimum:"1" doc:"Counts from 1; blank lines are counted and not answered."`
	// ID is the order's; empty for a line whose id is not valid.
	ID     topup.NullString `json:"distributor_transaction_id"`
	Status int              `json:"status" example:"202" doc:"What POST /v1/topups would have answered."`
	// Topup is the order as it now is, or Error why there is none.
	Topup *topup.Order   `json:"topup,omitempty"`
	Error *problem.Model `json:"error,omitempty"`
}

// readLines starts to place each line that is not blank, as long as started has room.
func (s *Server) readLines(ctx context.Context, who keys.Identity, body io.Reader, started chan<- *placing) error {
	in := lines.NewReader(body, openapi.MaxBody+2) // a line of the limit with its line break
	var earlier recentLines
	for {
		read, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !read.Blank() {
			listen.Extend(ctx, listen.LongWait)
			line := &placing{done: make(chan struct{}), answer: batchLine{Line: int(read.Number)}}
			s.startLine(ctx, who, line, read, &earlier)
			started <- line
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// survive makes a panic the answer of one line: outside the request's own goroutine it would end the
// program.
func (s *Server) survive(ctx context.Context, line *placing) {
	if p := recover(); p != nil {
		s.logPanic(ctx, p)
		s.fail(ctx, line, problem.Fault())
	}
}

// startLine answers a line that is not valid at once, and has a valid one placed.
func (s *Server) startLine(
	ctx context.Context, who keys.Identity, line *placing, read lines.Line, earlier *recentLines,
) {
	r, err := topup.Request{}, error(problem.TooLarge(openapi.MaxBody))
	if text := bytes.TrimSpace(read.Text); !read.Long && len(text) <= openapi.MaxBody {
		r, err = s.parse(who, text, "")
	}
	line.id, line.answer.ID = r.ID, topup.NullString(r.ID)
	if err != nil {
		s.fail(ctx, line, err)
		close(line.done)
		return
	}
	before := earlier.add(line)
	go func() {
		defer close(line.done)
		defer s.survive(ctx, line)
		if before != nil {
			<-before.done // of two lines with the same id the first one is the order
		}
		s.placeLine(ctx, who, line, r)
	}()
}

func (s *Server) placeLine(ctx context.Context, who keys.Identity, line *placing, r topup.Request) {
	o, replayed, err := s.cfg.Orders.Place(ctx, r)
	if err != nil {
		s.fail(ctx, line, err)
		return
	}
	o = shown(who, o)
	line.answer.Status, line.answer.Topup = placedStatus(replayed), &o
}

func (s *Server) fail(ctx context.Context, line *placing, err error) {
	line.answer.Error = problem.ModelOf(s.problem(ctx, "body", err))
	line.answer.Status = line.answer.Error.Status
}

// recentLines are the last lines: all that may still be on their way, and some more.
type recentLines struct {
	lines [2 * batchWidth]*placing
	n     int
}

// add returns the newest earlier line of the same id, if there is one.
func (r *recentLines) add(line *placing) (before *placing) {
	for i := range r.lines {
		l := r.lines[(r.n+i)%len(r.lines)] // from the oldest to the newest
		if l != nil && l.id == line.id {
			before = l
		}
	}
	r.lines[r.n%len(r.lines)] = line
	r.n++
	return before
}

// writeLines answers in the order of started until it is closed. When the client is gone it calls stop
// and continues, without writing, so that what was started ends.
func writeLines(out *answers, started <-chan *placing, stop func()) error {
	var failed error
	for {
		line, ok := soon(started, out.flush)
		if !ok {
			break
		}
		soon(line.done, out.flush)
		if failed == nil {
			if failed = out.json.Encode(line.answer); failed != nil {
				stop()
			}
		}
	}
	out.flush()
	return errors.Join(failed, out.err)
}

// soon receives; if it has to wait, it calls idle first.
func soon[T any](from <-chan T, idle func()) (T, bool) {
	select {
	case v, ok := <-from:
		return v, ok
	default:
	}
	idle()
	v, ok := <-from
	return v, ok
}

// answers writes lines of JSON. err is what a flush failed with.
type answers struct {
	ctx    context.Context
	buffer *bufio.Writer
	conn   *http.ResponseController
	json   *json.Encoder
	err    error
}

func newAnswers(ctx context.Context, w http.ResponseWriter) *answers {
	buffer := bufio.NewWriterSize(w, 16<<10)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	return &answers{ctx: ctx, buffer: buffer, conn: http.NewResponseController(w), json: encoder}
}

func (a *answers) flush() {
	if a.buffer.Buffered() == 0 || a.err != nil {
		return
	}
	if a.err = a.buffer.Flush(); a.err == nil {
		a.err = a.conn.Flush()
	}
	listen.Extend(a.ctx, listen.LongWait) // for a client that sends its next lines when it knows this
}

func opBatch() huma.Operation {
	op := openapi.New(http.MethodPost, "/v1/topups/batch", "placeTopups", 415)
	content := &huma.MediaType{Schema: openapi.Lines("OrderRequest"), Example: openapi.ExampleRequestLines}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		openapi.TypeLines: content, "application/ndjson": content}}
	op.Responses["200"] = openapi.Response("One BatchLine a line.", openapi.TypeLines,
		openapi.Lines("BatchLine"), openapi.ExampleBatchLines)
	return op
}
