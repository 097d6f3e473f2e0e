package callers

import (
	"encoding/json"
	"fmt"
	"time"

	"recarga/topup"
)

// secretsPurpose is what secrets are sealed for, each for its caller's name: what is sealed for one cannot be
// opened for another.
const secretsPurpose = "recarga webhook secrets"

// secret is one webhook secret of a caller.
type secret struct {
	// Secret is in plain text, as webhook.NewSecret makes it.
	Secret string `json:"secret"`
	// Until is when it stops to sign; zero for the current one.
	Until time.Time `json:"until,omitzero"`
}

func (r *Registry) seal(name string, all []secret) ([]byte, error) {
	if !r.box.Ready() {
		return nil, ErrNoKey
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return r.box.Seal(secretsPurpose, plain, name), nil
}

// open returns a caller's secrets, the newest first.
func (r *Registry) open(c topup.Caller) (all []secret, err error) {
	if !r.box.Ready() {
		return nil, ErrNoKey
	}
	plain, err := r.box.Open(secretsPurpose, c.Secrets, c.Name)
	if err != nil {
		return nil, fmt.Errorf("the webhook secrets of caller %s: %w: set RECARGA_ENCRYPTION_KEY (or RECARGA_ADMIN_KEY,"+
			" where that is not set) to what it was, or rotate them", c.Name, err)
	}
	return all, json.Unmarshal(plain, &all)
}
