package producer_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/internal/journal"
	"recarga/producer"
	"recarga/topup"
)

// A checkout places an order. Whatever happens on the way, it may place the same order again: the id
// makes it one order.
func ExampleClient_Place() {
	server, stop := exampleAPI()
	defer stop()
	client, err := producer.NewClient(server, "dev-api-key")
	if err != nil {
		fmt.Println(err) // the URL or the key can never work
		return
	}
	defer func() { _ = client.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request, err := topup.Fields{
		ID: "CART-1042", Phone: "+52 55 3768 6660", Product: "MOVISTAR_TAE", Amount: "50", Operator: "MOVISTAR",
	}.Request()
	if err != nil {
		fmt.Println(err) // names every wrong field
		return
	}
	for range 2 {
		order, replayed, err := client.Place(ctx, request)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(order.ID, order.State, order.Amount, "MXN; placed before:", replayed)
	}
	// Output:
	// CART-1042 queued 50 MXN; placed before: false
	// CART-1042 queued 50 MXN; placed before: true
}

// exampleAPI is Recarga's API on a journal of its own, with nobody to buy.
func exampleAPI() (url string, stop func()) {
	folder, err := os.MkdirTemp("", "recarga-example-")
	if err != nil {
		panic(err)
	}
	j, err := journal.Open(context.Background(), "sqlite:"+filepath.Join(folder, "recarga.db"))
	if err != nil {
		panic(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	server := httptest.NewServer(api.New(api.Config{
		Orders: producer.New(j, &waker{}, quiet), Book: j, Callers: keys.Static("dev-api-key", "", ""), Log: quiet,
	}))
	return server.URL, func() {
		server.Close()
		_ = j.Close()
		_ = os.RemoveAll(folder)
	}
}
