package producer

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"recarga/internal/httpclient"
)

// Problem is an error that the API answered with (RFC 9457).
type Problem struct {
	// Status is that of HTTP, and Title its name.
	Status int    `json:"status"`
	Title  string `json:"title"`
	// Detail says what is wrong with this request.
	Detail string `json:"detail"`
	// Errors are the fields that are not valid.
	Errors []WrongField `json:"errors"`
	// RetryAfter is how long the API asked to wait; 0 when it did not.
	RetryAfter time.Duration `json:"-"`
}

// maxRetryAfter bounds what an answer may ask to wait.
const maxRetryAfter = 24 * time.Hour

// WrongField is one field of a request that is not valid.
type WrongField struct {
	// Location is where it is, as in body.amount or query.state.
	Location string `json:"location"`
	// Message is what is allowed.
	Message string `json:"message"`
	// Value is what was found there, cut short, and masked where it may be a phone number; nil where nothing was.
	Value any `json:"value"`
}

func (p *Problem) Error() string {
	said := []string{p.Detail}
	if len(p.Errors) > 0 { // the detail only counts them up
		said = nil
	}
	for _, f := range p.Errors {
		said = append(said, f.String())
	}
	text := fmt.Sprintf("%d %s", p.Status, p.Title)
	if details := strings.Join(said, "; "); details != "" {
		text += ": " + details
	}
	return text
}

func (f WrongField) String() string {
	field := strings.TrimPrefix(strings.TrimPrefix(f.Location, "body."), "query.")
	if f.Value == nil {
		return field + " " + f.Message
	}
	return fmt.Sprintf("%s %#v %s", field, f.Value, f.Message)
}

// Temporary reports whether the same request may succeed later.
func (p *Problem) Temporary() bool {
	return httpclient.MayRecover(p.Status)
}

func problemOf(res *http.Response) error {
	const most = 64 << 10
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err == nil {
		err = json.Unmarshal(body, p)
	}
	if err != nil {
		p.Detail = "the answer is no problem document; is this Recarga's API?"
	}
	p.Status, p.Title = res.StatusCode, http.StatusText(res.StatusCode)
	p.RetryAfter, _ = httpclient.RetryAfter(res.Header.Get("Retry-After"), time.Now(), maxRetryAfter)
	return p
}
