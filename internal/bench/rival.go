package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/hibiken/asynq"

	"recarga/internal/listen"
)

// Rival is a program that does the standard job without a journal.
type Rival struct {
	// Kind is "plain", an asynq worker as asynq's documentation shows it with two tasks an order, or
	// "ceiling", which keeps nothing anywhere.
	Kind string
	// RedisAddr is for the plain one.
	RedisAddr          string
	VendorURL, HookURL string
}

// rivalReady is what a rival prints before its URL.
const rivalReady = "listening on "

// Serve runs the rival until stdin ends or ctx does.
func (r Rival) Serve(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	var accept func(order []byte) error
	var stop func()
	var err error
	switch r.Kind {
	case "plain":
		accept, stop, err = r.plain(ctx)
	case "ceiling":
		accept, stop = r.ceiling(ctx)
	default:
		err = fmt.Errorf("rival %q: must be plain or ceiling", r.Kind)
	}
	if err != nil {
		return err
	}
	defer stop()
	url, end, err := listen.Local(ctx, rivalAPI(accept))
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _, _ = io.Copy(io.Discard, stdin); cancel() }()
	_, _ = fmt.Fprintln(stdout, rivalReady+url)
	<-ctx.Done()
	return nil
}

func rivalAPI(accept func([]byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = accept(body)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
}

func (r Rival) plain(ctx context.Context) (accept func([]byte) error, stop func(), err error) {
	redis := asynq.RedisClientOpt{Addr: r.RedisAddr}
	client, http := asynq.NewClient(redis), newClient()
	enqueue := func(kind string, order []byte, opts ...asynq.Option) error {
		_, err := client.Enqueue(asynq.NewTask(kind, order), opts...)
		return err
	}
	worker := asynq.NewServer(redis, asynq.Config{LogLevel: asynq.FatalLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc("topup", func(_ context.Context, task *asynq.Task) error {
		if err := post(ctx, http, r.VendorURL+"/product_purchase", "token", task.Payload()); err != nil {
			return err
		}
		return enqueue("webhook", task.Payload())
	})
	mux.HandleFunc("webhook", func(_ context.Context, task *asynq.Task) error {
		return post(ctx, http, r.HookURL, "", task.Payload())
	})
	if err := worker.Start(mux); err != nil {
		return nil, nil, err
	}
	stop = func() { worker.Shutdown(); _ = client.Close() }
	return func(body []byte) error {
		var o order
		if err := json.Unmarshal(body, &o); err != nil {
			return err
		}
		if o.ProcessAt == nil {
			return enqueue("topup", body)
		}
		return enqueue("topup", body, asynq.ProcessAt(*o.ProcessAt))
	}, stop, nil
}

// ceiling buys and delivers in a bounded number of goroutines.
func (r Rival) ceiling(ctx context.Context) (accept func([]byte) error, stop func()) {
	const workers = 64
	orders := make(chan []byte, workers)
	http := newClient()
	for range workers {
		go func() {
			for order := range orders {
				if post(ctx, http, r.VendorURL+"/product_purchase", "token", order) == nil {
					_ = post(ctx, http, r.HookURL, "", order) // one that is lost is missed at the end
				}
			}
		}()
	}
	return func(order []byte) error { orders <- order; return nil }, func() {}
}
