package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"recarga/webhook"
)

const exampleBody = `{"type":"topup.succeeded","timestamp":"2026-01-31T18:00:00Z","data":{"sequence":1,` +
	`"distributor_transaction_id":"ORD-1","state":"succeeded","amount":10}}`

func ExampleVerify() {
	secret := webhook.NewSecret() // yours is the one that Recarga gave you

	// In a receiver, body and header are those of the request.
	body := []byte(exampleBody)
	header, err := webhook.SignTest(secret, "evt_1", time.Now(), body)
	if err != nil {
		panic(err)
	}

	event, err := webhook.Verify(body, header, secret)
	fmt.Println(event.ID, event.Type, event.Data.ID, event.Data.Sequence, err)

	_, err = webhook.Verify([]byte(strings.Replace(exampleBody, "ORD-1", "ORD-2", 1)), header, secret)
	fmt.Println(err)
	// Output:
	// evt_1 topup.succeeded ORD-1 1 <nil>
	// no webhook-signature matches
}

func ExampleHandler() {
	secret := webhook.NewSecret() // yours is the one that Recarga gave you
	handler := webhook.Handler(secret, func(_ context.Context, event webhook.Event) error {
		fmt.Println("order", event.Data.ID, "is", event.Data.State)
		return nil // an error makes Recarga send the event again
	})

	// Recarga would send this request.
	request := httptest.NewRequest(http.MethodPost, "/recarga", strings.NewReader(exampleBody))
	request.Header, _ = webhook.SignTest(secret, "evt_1", time.Now(), []byte(exampleBody))
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	fmt.Println(response.Code)
	// Output:
	// order ORD-1 is succeeded
	// 204
}
