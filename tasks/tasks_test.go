package tasks_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"recarga/tasks"
	"recarga/topup"
)

// enqueue sends a task to a Redis and returns what asynq has there.
func enqueue(t *testing.T, task *asynq.Task) *asynq.TaskInfo {
	t.Helper()
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	info, err := client.Enqueue(task)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestPurchase(t *testing.T) {
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	r := topup.Request{ID: "ORD-1", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10), ProcessAt: &at}
	task, err := tasks.NewPurchase(r)
	if err != nil {
		t.Fatal(err)
	}
	info := enqueue(t, task)
	if info.ID != "ORD-1" || info.Queue != "topups" || info.Type != "topup:purchase" {
		t.Errorf("%s in %s of type %s", info.ID, info.Queue, info.Type)
	}
	if info.MaxRetry != tasks.MaxRetry || info.Timeout != tasks.Timeout || info.Retention != 0 ||
		!info.NextProcessAt.Equal(at) {
		t.Errorf("%+v", info)
	}
	got, err := topup.ParseRequest(info.Payload)
	r.Caller = topup.DefaultCaller
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseDelivery(t *testing.T) {
	for payload, id := range map[string]string{
		`{"event_id":"evt_1"}`: "evt_1", "\ufeff" + ` {"event_id" : "evt_1"} `: "evt_1", ``: "", `[]`: "",
		`{}`: "", `{"event_id":""}`: "", `{"event_id":null}`: "",
		`{"event_id":7}`: "", `{"Event_ID":"evt_1"}`: "", `{"event_id":"evt_1","event_id":"evt_2"}`: "",
		`{"event_id":"evt_1","x":1}`: "",
		`{"event_id":"evt_1"}{}`:     "", `{"event_id":"a\u0000"}`: "", `{"event_id":"a\ud800"}`: "",
		"{\"event_id\":\"\xff\"}": "",
	} {
		if d, err := tasks.ParseDelivery([]byte(payload)); (err == nil) != (id != "") || err == nil && d.EventID != id {
			t.Errorf("%q: %+v, %v; want %q", payload, d, err, id)
		}
	}
}

func TestDelivery(t *testing.T) {
	task, err := tasks.NewDelivery(t.Context(), "evt_1")
	if err != nil {
		t.Fatal(err)
	}
	info := enqueue(t, task)
	if info.ID != "evt_1" || info.Queue != "webhooks" || info.Type != "webhook:deliver" ||
		string(info.Payload) != `{"event_id":"evt_1"}` {
		t.Errorf("%+v %s", info, info.Payload)
	}
}
