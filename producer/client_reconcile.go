package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Reconcile sends a statement of the distributor, with the options of POST /v1/reconciliations, and
// calls each (nil: nobody) for every line of the answer while it comes. It takes as long as it takes: only ctx bounds
// it. It needs the admin key. After an error the same may be sent again: what was settled stays so.
func (c *Client) Reconcile(
	ctx context.Context, statement io.Reader, options url.Values, each func(json.RawMessage) error,
) error {
	res, err := c.stream(ctx, http.MethodPost, "/v1/reconciliations?"+options.Encode(), "text/csv", statement)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	for answer := newAnswer(res.Body); ; answer.body.N = maxAnswer {
		var line json.RawMessage
		err := answer.decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && each != nil {
			err = each(line)
		}
		if err != nil {
			return fmt.Errorf("reconcile: answer: %w", err)
		}
	}
}
