package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestHangUps: 25 clients a second place an order, or look at one, and close their connection before the answer. The
// ten orders a second of a patient client are bought as if nobody had, and every order that was accepted, whoever has
// heard of it, is bought once and at once.
func TestHangUps(t *testing.T) {
	t.Parallel()
	during := time.Duration(testkit.Times(2, 12)) * time.Second
	const (
		patientEvery, hangUpEvery = time.Second / 10, time.Second / 25
		// soon is half of what an order waits that was not enqueued, until the sweep finds it.
		soon = 5 * time.Second
	)
	for _, s := range realStacks() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			s.set(t, w.env)
			p := w.start(t, "serve")
			c := p.client()
			var clients sync.WaitGroup
			over := time.After(during)
			patient, hangUp := time.NewTicker(patientEvery), time.NewTicker(hangUpEvery)
			defer patient.Stop()
			defer hangUp.Stop()
			placedAt := map[topup.ID]time.Time{}
			for i, on := 0, true; on; i++ {
				select {
				case <-over:
					on = false
				case <-patient.C:
					id := topup.ID(fmt.Sprintf("PATIENT-%04d", i))
					placedAt[id] = time.Now()
					clients.Go(func() {
						if _, _, err := c.Place(t.Context(), order(string(id), "5537686660")); err != nil {
							t.Error(err)
						}
					})
				case <-hangUp.C:
					clients.Go(func() {
						if err := placeAndHangUp(p.apiURL, order(fmt.Sprintf("GONE-%04d", i), "5537686660"), i%2 == 0); err != nil {
							t.Error(err)
						}
					})
				}
			}
			clients.Wait()

			var waits []time.Duration
			accepted, late := 0, 0
			for _, o := range everyOrder(t, c) {
				d := settled(t, c, o.ID)
				judge(t, d, w.charges()[o.ID])
				sent := slices.DeleteFunc(slices.Clone(d.Attempts), stoodStill)
				if len(sent) != 1 {
					t.Errorf("%s was sent %d times", o.ID, len(sent))
					continue
				}
				begun := d.Attempts[0].StartedAt
				if begun.Sub(d.CreatedAt) > soon {
					late++
				}
				if at, ok := placedAt[o.ID]; ok {
					waits = append(waits, begun.Sub(at))
				} else {
					accepted++
				}
			}
			if len(waits) != len(placedAt) || accepted == 0 {
				t.Fatalf("%d of %d patient orders, and %d of clients that hung up", len(waits), len(placedAt), accepted)
			}
			slices.Sort(waits)
			t.Logf("%d patient orders, bought %s (median), %s (p99), %s (most) after they were sent; %d orders of clients "+
				"that hung up were accepted",
				len(waits), waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1], accepted)
			// On a machine that stands still for half a second, an order may fail to be enqueued for itself.
			if most := (len(waits) + accepted) / 20; late > most {
				t.Errorf("%d of %d orders waited for more than %s", late, len(waits)+accepted, soon)
			}
			for line := range strings.Lines(p.log()) {
				if strings.Contains(line, "queue not reached") && strings.Contains(line, "context canceled") {
					t.Errorf("a client that hung up made Redis look gone: %s", line)
				}
			}
		})
	}
}

// placeAndHangUp sends an order, and with look a question after an older one, and closes the connection a moment
// later.
func placeAndHangUp(apiURL string, r topup.Request, look bool) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	method, path := http.MethodPost, "/v1/topups"
	if look {
		method, path, body = http.MethodGet, "/v1/topups/PATIENT-0000", nil
	}
	req, err := http.NewRequest(method, apiURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	patient := rand.N(3 * time.Millisecond << rand.IntN(9)) // a slow machine has accepted some orders by then
	if err := errors.Join(req.Write(conn), conn.SetReadDeadline(time.Now().Add(patient))); err != nil {
		return err
	}
	_, _ = conn.Read(make([]byte, 1)) // until the deadline, or the first byte of an answer that came sooner
	return nil
}

// everyOrder is all orders there are.
func everyOrder(t *testing.T, c *producer.Client) (all []topup.Order) {
	t.Helper()
	query := producer.OrderFilter{Limit: 100}
	for {
		page, next, err := c.List(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		query.Cursor = next
	}
}

// stoodStill reports whether nothing was sent because the machine stood still until the attempt's time had passed.
func stoodStill(a topup.Attempt) bool { return strings.Contains(string(a.Error), "too late to send") }
