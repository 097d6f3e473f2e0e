package tasks_test

import (
	"errors"
	"fmt"
	"testing"

	"recarga/tasks"
	"recarga/topup"
)

func TestVerify(t *testing.T) {
	payload := []byte(`{"distributor_transaction_id":"A"}`)
	signed := func(signature string) tasks.Task {
		headers := map[string]string{tasks.SignatureHeader: signature}
		return tasks.Task{Type: tasks.TypePurchase, Payload: payload, Headers: headers}
	}
	good := tasks.Sign("key", tasks.TypePurchase, payload)
	for _, c := range []struct {
		name string
		task tasks.Task
		keys []string
		want error
	}{
		{"with the key", signed(good), []string{"key"}, nil},
		{"with a former key", signed(good), []string{"new", "key"}, nil},
		{"no header", tasks.Task{Type: tasks.TypePurchase, Payload: payload}, []string{"key"}, tasks.ErrUnsigned},
		{"an empty one", signed(""), []string{"key"}, tasks.ErrUnsigned},
		{"another key", signed(good), []string{"other"}, tasks.ErrSignature},
		{"no key", signed(good), nil, tasks.ErrSignature},
		{"of another type", signed(tasks.Sign("key", tasks.TypeDeliver, payload)), []string{"key"}, tasks.ErrSignature},
		{"of another payload", signed(tasks.Sign("key", tasks.TypePurchase, append(payload, ' '))), []string{"key"},
			tasks.ErrSignature},
		{"cut short", signed(good[:len(good)-1]), []string{"key"}, tasks.ErrSignature},
		{"of another version", signed("v2" + good[2:]), []string{"key"}, tasks.ErrSignature},
	} {
		if err := tasks.Verify(c.task, c.keys...); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestSignedPurchase: the signature goes through Redis with the task.
func TestSignedPurchase(t *testing.T) {
	task, err := tasks.NewPurchase(topup.Request{ID: "ORD-1", Product: "MOVISTAR_TAE"}, tasks.SignedWith("key"))
	if err != nil {
		t.Fatal(err)
	}
	info := enqueue(t, task)
	got := tasks.Task{Type: info.Type, Payload: info.Payload, Headers: info.Headers}
	if err := tasks.Verify(got, "key"); err != nil {
		t.Errorf("%v: headers %v", err, info.Headers)
	}
}

// A program in another language signs these bytes, and sets the header of its asynq task.
func ExampleSign() {
	payload := `{"distributor_transaction_id":"ORD-1","phone_number":"5537686660",` +
		`"product_id":"MOVISTAR_TAE","amount":10}`
	fmt.Println(tasks.SignatureHeader + ": " + tasks.Sign("a key of 16 signs or more", "topup:purchase", []byte(payload)))
	// Output:
	// recarga-signature: v1=7ac4920ec96c757acebf242235266fa77e9624ecbd1c3f47883067ed58f0e8e6
}

// A program that has only Redis enqueues an order where RECARGA_TASK_KEY is set.
func ExampleNewPurchase() {
	request, err := topup.Fields{ID: "ORD-1", Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: "10"}.Request()
	if err != nil {
		fmt.Println(err) // names every wrong field
		return
	}
	task, err := tasks.NewPurchase(request, tasks.SignedWith("a key of 16 signs or more"))
	if err != nil {
		fmt.Println(err)
		return
	}
	// client.Enqueue(task), with an asynq.Client on Recarga's Redis
	fmt.Println(task.Type(), tasks.Verify(tasks.Received(task), "a key of 16 signs or more"))
	// Output:
	// topup:purchase <nil>
}
