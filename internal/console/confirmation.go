package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"recarga/internal/seal"
	"recarga/topup"
)

// confirmationLasts is how long a page that asks for a confirmation is good.
const confirmationLasts = time.Hour

// confirmation is what a page showed to an operator who is asked to confirm a bulk action. The page carries it, sealed
// for the action and for who was asked, as another one has not seen it. Nobody can change the filter, or what it
// chose, between the question and the answer.
type confirmation struct {
	// Action is what was to be done, and By who was asked.
	Action topup.BulkKind `json:"-"`
	By     string         `json:"-"`
	// Until is when it ends.
	Until time.Time `json:"until"`
	// Filter is the query of what was shown.
	Filter url.Values `json:"filter"`
	// shown are the fingerprints of the set.
	shown []byte
}

// confirmationPurpose is what confirmations are sealed for.
const confirmationPurpose = "recarga console confirmations"

func (c confirmation) seal(box *seal.Box) (string, error) {
	text, err := json.Marshal(c)
	return box.SealText(confirmationPurpose, append(append(text, '\n'), c.shown...), string(c.Action), c.By), err
}

// openConfirmation returns what was sealed for this action and operator. It may be too old.
func openConfirmation(box *seal.Box, sealed string, action topup.BulkKind, by string) (confirmation, error) {
	c := confirmation{Action: action, By: by}
	content, err := box.OpenText(confirmationPurpose, sealed, string(action), by)
	if err == nil {
		head, shown, _ := bytes.Cut(content, []byte("\n"))
		c.shown, err = shown, json.Unmarshal(head, &c)
	}
	if err != nil {
		return c, &problem{http.StatusBadRequest, "Nothing was done: this confirmation is not of a page that you were " +
			"shown for it. Begin with the list."}
	}
	return c, nil
}
