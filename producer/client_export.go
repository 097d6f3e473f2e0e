package producer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Export writes the orders that the options choose to w (nil: nowhere), and returns how many there are: -1 where a
// proxy has left that out. It takes as long as it takes: only ctx bounds it. It needs the admin key. After an error w
// has a part of them at most, whose end may be cut; that is noticed by the end of the answer's chunks and of its gzip.
func (c *Client) Export(ctx context.Context, o ExportOptions, w io.Writer) (orders int64, err error) {
	if w == nil {
		w = io.Discard
	}
	res, err := c.stream(ctx, http.MethodGet, "/v1/export"+o.query().encode(), "", nil)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(w, res.Body); err != nil {
		return 0, fmt.Errorf("export: broken off: %w", err)
	}
	orders, err = strconv.ParseInt(res.Trailer.Get("X-Export-Orders"), 10, 64)
	if err != nil {
		return -1, nil //nolint:nilerr // the answer is whole without its count
	}
	return orders, nil
}
