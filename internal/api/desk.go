package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/controls"
	"recarga/internal/params"
	"recarga/topup"
)

// Controls is what people set at run time: controls.Desk, which documents its errors.
type Controls interface {
	Standings(ctx context.Context) ([]topup.ControlStanding, error)
	Set(ctx context.Context, c topup.Control) error
	End(ctx context.Context, c topup.Control) error
}

type actPage struct {
	// Data are the actions, the latest first.
	Data []topup.Act `json:"data"`
	// NextCursor is where the next page begins; nil: there is none.
	NextCursor *string `json:"next_cursor"`
}

func (s *Server) audit(ctx context.Context, in *listInput) (page actPage, err error) {
	q := params.Reader{Values: in.query}
	text := func(name string) string { return params.Read(&q, name, params.AsIs) }
	f := topup.ActFilter{
		ID: text("act"), By: text("by"), Action: text("action"), On: text("on"),
		Via:   params.Read(&q, "via", params.OneOf("via", topup.Vias()...)),
		Since: params.Read(&q, "since", params.Time("since")), Until: params.Read(&q, "until", params.Time("until")),
		Limit: params.Read(&q, "limit", limit), Cursor: text("cursor"),
	}
	list := listOfActs(f)
	if err = q.Err(); err == nil {
		f.Cursor, err = s.cursors.open(list, f.Cursor)
	}
	if err != nil {
		return page, err
	}
	acts, next, err := s.cfg.Book.Acts(ctx, f)
	return actPage{acts, s.cursors.seal(list, next)}, err
}

// controlPage is all that is set.
type controlPage struct {
	// Data are the controls, the oldest first.
	Data       []topup.ControlStanding `json:"data"`
	NextCursor *string                 `json:"next_cursor" doc:"Always null: all controls are listed."`
}

func (s *Server) listControls(ctx context.Context, _ *struct{}) (page controlPage, err error) {
	page.Data, err = s.cfg.Controls.Standings(ctx)
	return page, err
}

type pauseRequest struct {
	Kind   topup.ControlKind `json:"kind" enum:"purchases,webhooks,caller,product,operator" doc:"What to pause."`
	Name   string            `json:"name,omitempty" doc:"The caller, product or operator." example:"TELCEL"`
	Reason string            `json:"reason" minLength:"1" maxLength:"500" example:"the carrier's maintenance"`
	By     string            `json:"by,omitempty" maxLength:"100" example:"ana"`
}

// control does what a request asks for, in the name of whoever sent it.
func (s *Server) control(
	ctx context.Context, c topup.Control, do func(context.Context, topup.Control) error,
) (page controlPage, err error) {
	ctx, c.By, err = keys.By(ctx, c.By, access.AdminName)
	if err == nil {
		err = do(ctx, c)
	}
	if errors.As(err, new(*controls.QueueError)) { // it has ended in the book alone, and is to be ended again
		err = problem.WithHeader(problem.New(problem.Unavailable, err.Error()), "Retry-After", "1")
	}
	if err == nil {
		page.Data, err = s.cfg.Controls.Standings(ctx)
	}
	return page, err
}

type controlInput struct {
	// Body is what to pause, or to resume.
	Body pauseRequest
}

func (in controlInput) control() topup.Control {
	return topup.Control{Kind: in.Body.Kind, Name: topup.NullString(in.Body.Name), By: in.Body.By,
		Reason: topup.NullString(in.Body.Reason)}
}

func (s *Server) pause(ctx context.Context, in *controlInput) (controlPage, error) {
	return s.control(ctx, in.control(), s.cfg.Controls.Set)
}

func (s *Server) resume(ctx context.Context, in *controlInput) (controlPage, error) {
	return s.control(ctx, in.control(), s.cfg.Controls.End)
}

type limitRequest struct {
	Kind   topup.ControlKind `json:"kind" enum:"rate,concurrency" doc:"What to limit."`
	Value  string            `json:"value" minLength:"1" doc:"The limit; default: what the settings say." example:"100/m"`
	Reason string            `json:"reason" minLength:"1" maxLength:"500" example:"the distributor asked for it"`
	By     string            `json:"by,omitempty" maxLength:"100" example:"ana"`
}

// bySettings is the value of a limit that the settings say.
const bySettings = "default"

func (s *Server) limit(ctx context.Context, in *struct{ Body limitRequest }) (controlPage, error) {
	b, do := in.Body, s.cfg.Controls.Set
	if b.Value == bySettings {
		do = s.cfg.Controls.End
	}
	return s.control(ctx, topup.Control{Kind: b.Kind, Value: topup.NullString(b.Value), By: b.By,
		Reason: topup.NullString(b.Reason)}, do)
}

// onDesk adds what the operator's desk needs: the audit, and what is set at run time.
func (s *Server) onDesk(to openapi.Operations) {
	op := openapi.New(http.MethodGet, "/v1/audit", "listAudit")
	op.Parameters = append([]*huma.Param{
		openapi.Query("by", "What this operator or caller did.", openapi.Text()),
		openapi.Query("action", "Actions of this name, as in `resolveTopup`.", openapi.Text()),
		openapi.Query("on", "What was done to this: an order, also to its events; or an event, a caller, a control.",
			openapi.Text()),
		openapi.Query("via", "What was done with this.", openapi.Text(texts(topup.Vias())...)),
		openapi.Query("act", "Each thing that the action with this id changed.", openapi.Text()),
		openapi.Query("since", "What was done at this time or later.", openapi.Time()),
		openapi.Query("until", "What was done before this time.", openapi.Time()),
	}, openapi.Page("Actions", defaultLimit, maxLimit)...)
	openapi.Add(to, op, s.audit)
	openapi.Add(to, openapi.New(http.MethodGet, "/v1/controls", "listControls"), s.listControls)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/controls/pause", "pause"), s.pause)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/controls/resume", "resume"), s.resume)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/controls/limit", "limit"), s.limit)
}

func texts(all []string) (values []any) {
	for _, one := range all {
		values = append(values, one)
	}
	return values
}
