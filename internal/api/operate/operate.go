// Package operate is what the API has for the operator's desk: the audit, and what people set at run time.
package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/controls"
	"recarga/internal/params"
	"recarga/topup"
	"recarga/topup/desk"
)

// Controls is what people set at run time: controls.Desk, which documents its errors.
type Controls interface {
	Standings(ctx context.Context) ([]desk.ControlStanding, error)
	Set(ctx context.Context, c desk.Control) error
	End(ctx context.Context, c desk.Control) error
}

// Acts is the audit: the journal.
type Acts interface {
	// Acts are the actions of a filter, the latest first; a bad cursor is a *topup.FieldError.
	Acts(ctx context.Context, f desk.ActFilter) (acts []desk.Act, next string, err error)
}

// Desk is the operator's.
type Desk struct {
	// Acts is the audit.
	Acts Acts
	// Controls is what people set at run time.
	Controls Controls
	// Open and Seal read and make the cursors of a list.
	Open func(list, cursor string) (string, error)
	Seal func(list, next string) *string
}

// The actions of a page, if the request does not say, and at most.
const defaultLimit, maxLimit = 50, 200

func limit(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, &topup.FieldError{Field: "limit", Value: s, Allowed: fmt.Sprintf("a number from 1 to %d", maxLimit)}
	}
	return n, nil
}

// listInput is a request with a query.
type listInput struct{ query url.Values }

// Resolve is called by huma with the request.
func (in *listInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.query = u.Query()
	return nil
}

// listOf names the list of a filter, which its cursors are of.
func listOf(f desk.ActFilter) string {
	f.Limit, f.Cursor = 0, ""
	name, _ := json.Marshal(f) // it has texts and times alone
	return "audit " + string(name)
}

type actPage struct {
	// Data are the actions, the latest first.
	Data []desk.Act `json:"data"`
	// NextCursor is where the next page begins; nil: there is none.
	NextCursor *string `json:"next_cursor"`
}

func (d Desk) audit(ctx context.Context, in *listInput) (page actPage, err error) {
	q := params.Reader{Values: in.query}
	text := func(name string) string { return params.Read(&q, name, params.AsIs) }
	f := desk.ActFilter{
		ID: text("act"), By: text("by"), Action: text("action"), On: text("on"),
		Via:   params.Read(&q, "via", params.OneOf("via", desk.Vias()...)),
		Since: params.Read(&q, "since", params.Time("since")), Until: params.Read(&q, "until", params.Time("until")),
		Limit: params.Read(&q, "limit", limit), Cursor: text("cursor"),
	}
	list := listOf(f)
	if err = q.Err(); err == nil {
		f.Cursor, err = d.Open(list, f.Cursor)
	}
	if err != nil {
		return page, err
	}
	acts, next, err := d.Acts.Acts(ctx, f)
	return actPage{acts, d.Seal(list, next)}, err
}

// controlPage is all that is set.
type controlPage struct {
	// Data are the controls, the oldest first.
	Data       []desk.ControlStanding `json:"data"`
	NextCursor *string                `json:"next_cursor" doc:"Always null: all controls are listed."`
}

func (d Desk) listControls(ctx context.Context, _ *struct{}) (page controlPage, err error) {
	page.Data, err = d.Controls.Standings(ctx)
	return page, err
}

type pauseRequest struct {
	Kind   desk.ControlKind `json:"kind" enum:"purchases,webhooks,caller,product,operator" doc:"What to pause."`
	Name   string           `json:"name,omitempty" doc:"The caller, product or operator." example:"TELCEL"`
	Reason string           `json:"reason" minLength:"1" maxLength:"500" example:"the carrier's maintenance"`
	By     string           `json:"by,omitempty" maxLength:"100" example:"ana"`
}

// control does what a request asks for, in the name of whoever sent it.
func (d Desk) control(
	ctx context.Context, c desk.Control, do func(context.Context, desk.Control) error,
) (page controlPage, err error) {
	ctx, c.By, err = keys.By(ctx, c.By, access.AdminName)
	if err == nil {
		err = do(ctx, c)
	}
	if errors.As(err, new(*controls.QueueError)) { // it has ended in the book alone, and is to be ended again
		err = problem.WithHeader(problem.New(problem.Unavailable, err.Error()), "Retry-After", "1")
	}
	if err == nil {
		page.Data, err = d.Controls.Standings(ctx)
	}
	return page, err
}

type controlInput struct {
	// Body is what to pause, or to resume.
	Body pauseRequest
}

func (in controlInput) control() desk.Control {
	return desk.Control{Kind: in.Body.Kind, Name: topup.NullString(in.Body.Name), By: in.Body.By,
		Reason: topup.NullString(in.Body.Reason)}
}

func (d Desk) pause(ctx context.Context, in *controlInput) (controlPage, error) {
	return d.control(ctx, in.control(), d.Controls.Set)
}

func (d Desk) resume(ctx context.Context, in *controlInput) (controlPage, error) {
	return d.control(ctx, in.control(), d.Controls.End)
}

type limitRequest struct {
	Kind   desk.ControlKind `json:"kind" enum:"rate,concurrency" doc:"What to limit."`
	Value  string           `json:"value" minLength:"1" doc:"The limit; default: what the settings say." example:"100/m"`
	Reason string           `json:"reason" minLength:"1" maxLength:"500" example:"the distributor asked for it"`
	By     string           `json:"by,omitempty" maxLength:"100" example:"ana"`
}

// bySettings is the value of a limit that the settings say.
const bySettings = "default"

func (d Desk) limit(ctx context.Context, in *struct{ Body limitRequest }) (controlPage, error) {
	b, do := in.Body, d.Controls.Set
	if b.Value == bySettings {
		do = d.Controls.End
	}
	return d.control(ctx, desk.Control{Kind: b.Kind, Value: topup.NullString(b.Value), By: b.By,
		Reason: topup.NullString(b.Reason)}, do)
}

// Register adds the operations.
func (d Desk) Register(to openapi.Operations) {
	op := openapi.New(http.MethodGet, "/v1/audit", "listAudit")
	op.Parameters = append([]*huma.Param{
		openapi.Query("by", "What this operator or caller did.", openapi.Text()),
		openapi.Query("action", "Actions of this name, as in `resolveTopup`.", openapi.Text()),
		openapi.Query("on", "What was done to this: an order, also to its events; or an event, a caller, a control.",
			openapi.Text()),
		openapi.Query("via", "What was done with this.", openapi.Text(texts(desk.Vias())...)),
		openapi.Query("act", "Each thing that the action with this id changed.", openapi.Text()),
		openapi.Query("since", "What was done at this time or later.", openapi.Time()),
		openapi.Query("until", "What was done before this time.", openapi.Time()),
	}, openapi.Page("Actions", defaultLimit, maxLimit)...)
	openapi.Add(to, op, d.audit)
	openapi.Add(to, openapi.New(http.MethodGet, "/v1/controls", "listControls"), d.listControls)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/controls/pause", "pause"), d.pause)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/controls/resume", "resume"), d.resume)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/controls/limit", "limit"), d.limit)
}

func texts(all []string) (values []any) {
	for _, one := range all {
		values = append(values, one)
	}
	return values
}
