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
// calls line for every line of the answer while it comes. It takes as long as it takes: only ctx bounds
// it. It needs the admin key. After an error the same may be sent again: what was settled stays so.
func (c *Client) Reconcile(ctx context.Context, statement io.Reader, options url.Values, line func(json.RawMessage) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/reconciliations?"+options.Encode(), statement)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "text/csv")
	patient := *c.http
	patient.Timeout = 0
	res, err := patient.Do(req)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("reconcile: %w", problemOf(res))
	}
	for lines := json.NewDecoder(res.Body); ; {
		var one json.RawMessage
		err := lines.Decode(&one)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = line(one)
		}
		if err != nil {
			return fmt.Errorf("reconcile: answer: %w", err)
		}
	}
}
