package console

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"recarga/internal/bulk"
)

// confirmationLasts is how long a page that asks for a confirmation is good.
const confirmationLasts = time.Hour

// confirmation is what a page showed to an operator who is asked to confirm a bulk action. The page carries it,
// sealed:
// nobody can change the filter, or what it chose, between the question and the answer.
type confirmation struct {
	Action bulk.Action `json:"action"` // what was to be done
	// By is who was asked; another one has not seen it.
	By string `json:"by"`
	// Until is when it ends.
	Until time.Time `json:"until"`
	// Filter is the query of what was shown.
	Filter url.Values `json:"filter"`
	// shown are the fingerprints of the set.
	shown []byte
}

// seals makes and opens confirmations. As with the sessions, every process has the same key.
type seals struct{ key []byte }

func newSeals(adminKey string) seals {
	return seals{derive(adminKey, "recarga console confirmations")}
}

func (s seals) seal(c confirmation) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	text = append(append(text, '\n'), c.shown...)
	return sign(s.key, base64.RawURLEncoding.EncodeToString(text)), nil
}

// open returns what seal has sealed for this action and operator. It may be too old.
func (s seals) open(sealed string, action bulk.Action, by string) (c confirmation, err error) {
	foreign := &problem{http.StatusBadRequest, "Nothing was done: this confirmation is not of a page that you were " +
		"shown for it. Begin with the list."}
	text, ok := signed(s.key, sealed)
	if !ok {
		return c, foreign
	}
	content, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, foreign
	}
	head, shown, _ := bytes.Cut(content, []byte("\n"))
	if err := json.Unmarshal(head, &c); err != nil || c.Action != action || c.By != by {
		return confirmation{}, foreign
	}
	c.shown = shown
	return c, nil
}
