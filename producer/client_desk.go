package producer

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"recarga/topup/desk"
)

// Audit lists what people and programs did, the latest first, with an operator's key, as all methods below. next is
// the Cursor of the next page, empty after the last.
func (c *Client) Audit(ctx context.Context, f desk.ActFilter) (acts []desk.Act, next string, err error) {
	q := url.Values{}
	for name, value := range map[string]string{"act": f.ID, "by": f.By, "action": f.Action, "via": f.Via, "on": f.On,
		"cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			q.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return list[desk.Act](ctx, c, "audit", "/v1/audit?"+q.Encode())
}

// Controls are the pauses and limits that people have set, the oldest first.
func (c *Client) Controls(ctx context.Context) ([]desk.ControlStanding, error) {
	all, _, err := list[desk.ControlStanding](ctx, c, "list controls", "/v1/controls")
	return all, err
}

// Pause pauses what a control says, for its reason, and returns all that is set then.
func (c *Client) Pause(ctx context.Context, what desk.Control) ([]desk.ControlStanding, error) {
	return c.control(ctx, "pause "+what.String(), "/v1/controls/pause", what)
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, what desk.Control) ([]desk.ControlStanding, error) {
	return c.control(ctx, "resume "+what.String(), "/v1/controls/resume", what)
}

// Limit sets a limit; its value "default" has the settings say it again.
func (c *Client) Limit(ctx context.Context, what desk.Control) ([]desk.ControlStanding, error) {
	return c.control(ctx, "limit "+what.String(), "/v1/controls/limit", what)
}

func (c *Client) control(
	ctx context.Context, what, path string, control desk.Control,
) ([]desk.ControlStanding, error) {
	request := struct {
		Kind   desk.ControlKind `json:"kind"`
		Name   string           `json:"name,omitempty"`
		Value  string           `json:"value,omitempty"`
		Reason string           `json:"reason"`
		By     string           `json:"by,omitempty"`
	}{control.Kind, string(control.Name), string(control.Value), string(control.Reason), control.By}
	p, err := ask(ctx, c, what, http.MethodPost, path, request, func(p page[desk.ControlStanding]) error {
		if p.Data == nil {
			return errNotRecarga
		}
		return nil
	})
	return p.Data, err
}
