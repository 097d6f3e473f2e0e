package webhook

import (
	"net/http"

	"recarga/topup"
)

// Response is what is kept of an answer of a URL.
func Response(header http.Header, body []byte, url string) *topup.TryResponse {
	return response(header, body, target{url: url}.hide())
}
