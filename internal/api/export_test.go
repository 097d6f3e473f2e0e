package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/topup"
)

func (s *server) export(query string) answer {
	s.tb.Helper()
	return s.get(adminKey, "/v1/export?"+query)
}

// cells are the rows of a CSV export, by their columns.
func cells(tb testing.TB, a answer) (head []string, rows []map[string]string) {
	tb.Helper()
	records, err := csv.NewReader(bytes.NewReader(a.want(http.StatusOK).body)).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return records[0], rows
}

// TestExportIsTheOrder: the columns and the lines have the fields of the order, in its order, with its values.
func TestExportIsTheOrder(t *testing.T) {
	s := serve(t)
	for _, o := range []string{order("A", `"metadata":{"k":"a,\"b\""}`, `"operator":"TELCEL"`),
		order("B", `"process_at":"2099-01-01T00:00:00Z"`)} {
		s.post(shopKey, "/v1/topups", o).want(http.StatusAccepted)
	}
	head, rows := cells(t, s.export(""))
	columns := append(fieldsOf(t, s.get(shopKey, "/v1/topups?limit=1").body), "disputed_at", "conclusion")
	if diff := cmp.Diff(columns, head); diff != "" {
		t.Error(diff)
	}
	if len(rows) != 2 || rows[0]["distributor_transaction_id"] != "A" || rows[0]["metadata"] != `{"k":"a,\"b\""}` ||
		rows[0]["amount"] != "10" || rows[0]["process_at"] != "" || rows[1]["process_at"] != "2099-01-01T00:00:00Z" {
		t.Errorf("%v", rows)
	}
	lines := bytes.Split(bytes.TrimSpace(s.export("format=ndjson").want(http.StatusOK).body), []byte("\n"))
	for i, id := range []string{"A", "B"} {
		var whole struct{ Attempts, Events json.RawMessage }
		got := s.get(shopKey, "/v1/topups/"+id).want(http.StatusOK).body
		decode(t, got, &whole)
		want := strings.Replace(strings.TrimSpace(string(got)), `,"attempts":[],"events":[]`, "", 1)
		if string(lines[i]) != want {
			t.Errorf("line %d: %s, want %s", i, lines[i], want)
		}
	}
}

// fieldsOf are the names of the fields of the first order of a list, in their order.
func fieldsOf(tb testing.TB, list []byte) (names []string) {
	tb.Helper()
	var page struct{ Data []json.RawMessage }
	decode(tb, list, &page)
	d := json.NewDecoder(bytes.NewReader(page.Data[0]))
	if _, err := d.Token(); err != nil {
		tb.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err := errors.Join(err, d.Decode(&value)); err != nil {
			tb.Fatal(err)
		}
		names = append(names, name.(string))
	}
	return names
}

// TestExportParts: what is asked for is there also where it is empty, and what is not, is not.
func TestExportParts(t *testing.T) {
	s := serve(t)
	s.place("GONE").want(http.StatusAccepted)
	s.post(shopKey, "/v1/topups/GONE/cancel", "").want(http.StatusOK)
	for query, want := range map[string][2]int{
		"format=ndjson": {-1, -1}, "format=ndjson&attempts=true": {0, -1}, "format=ndjson&events=true": {-1, 1},
		"format=ndjson&attempts=true&events=true": {0, 1},
	} {
		var line struct{ Attempts, Events *[]json.RawMessage }
		decode(t, s.export(query).want(http.StatusOK).body, &line)
		for i, part := range []*[]json.RawMessage{line.Attempts, line.Events} {
			if got := count(part); got != want[i] {
				t.Errorf("%s: part %d has %d, want %d", query, i, got, want[i])
			}
		}
	}
}

// count is -1 for a part that is absent.
func count(part *[]json.RawMessage) int {
	if part == nil {
		return -1
	}
	return len(*part)
}

// TestExportFilters: more than a page of orders, each of them once.
func TestExportFilters(t *testing.T) {
	s := serve(t)
	var body strings.Builder
	for i := range 1203 {
		body.WriteString(order(fmt.Sprintf("ORD-%04d", i)) + "\n")
	}
	s.batch(shopKey, body.String()).want(http.StatusOK)
	s.post(otherKey, "/v1/topups", order("OTHER")).want(http.StatusAccepted)
	s.post(shopKey, "/v1/topups/ORD-0700/cancel", "").want(http.StatusOK)
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for query, want := range map[string]int{
		"": 1204, "caller=other": 1, "caller=shop": 1203, "state=canceled": 1, "state=queued&caller=shop": 1202,
		"phone_number=5537686660": 1204,
		"phone_number=5537686661": 0, "until=2020-01-01T00:00:00Z": 0, "since=2020-01-01T00:00:00Z": 1204, "since=" +
			later: 0,
		"finished_since=2020-01-01T00:00:00Z": 1, "finished_until=" + later: 1, "finished_since=" + later: 0,
	} {
		a := s.export(query)
		_, rows := cells(t, a)
		seen := map[string]bool{}
		for _, row := range rows {
			seen[row["distributor_transaction_id"]] = true
		}
		if len(rows) != want || len(seen) != want || a.trailer.Get("X-Export-Orders") != fmt.Sprint(want) {
			t.Errorf("%q: %d rows, %d orders, trailer %v, want %d", query, len(rows), len(seen), a.trailer, want)
		}
	}
}

func TestExportRefusals(t *testing.T) {
	s := serve(t)
	s.get(shopKey, "/v1/export").want(http.StatusForbidden)
	for query, field := range map[string]string{
		"format=xml": "query.format", "attempts=true": "query.format", "format=ndjson&events=1": "query.events",
		"limit=1":               "query.limit",
		"finished_since=monday": "query.finished_since", "since=x": "query.since", "cursor=x": "query.cursor",
	} {
		if named := s.export(query).want(http.StatusUnprocessableEntity).problem().named(); len(named) != 1 ||
			named[0] != field {
			t.Errorf("%s: %v, want %s", query, named, field)
		}
	}
}

// TestExportGzip: compressed for whoever accepts it, and only for them.
func TestExportGzip(t *testing.T) {
	s := serve(t)
	s.place("A").want(http.StatusAccepted)
	plain := s.export("").want(http.StatusOK)
	for accepted, want := range map[string]string{"gzip": "gzip", "br, gzip;q=0.5": "gzip", "identity": "",
		"gzip;q=0": ""} {
		a := s.send("GET", "/v1/export", "", "Authorization", "Bearer "+adminKey, "Accept-Encoding",
			accepted).want(http.StatusOK)
		body := a.body
		if want == "gzip" {
			unzipped, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(unzipped); err != nil {
				t.Fatal(err)
			}
		}
		if a.header.Get("Content-Encoding") != want || !bytes.Equal(body, plain.body) {
			t.Errorf("%s: %s", accepted, a.header)
		}
	}
}

// TestExportIsHarmless: what comes from outside is no formula.
func TestExportIsHarmless(t *testing.T) {
	s := serve(t)
	s.place("-2").want(http.StatusAccepted)
	o, err := s.journal.Begin(t.Context(), "-2", 0, "worker", time.Now().Add(time.Minute), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	balance := json.Number("-5.50")
	_, _, err = s.journal.Finish(t.Context(), topup.Settlement{ID: o.ID, Number: 1, State: topup.StateSucceeded,
		Result: topup.Result{
			Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", Message: `=HYPERLINK("http://evil.example","x")`,
			TransactionID: "@SUM(A1)", Reference: "＝1", AuthCode: "+1", BalanceAfter: &balance,
		}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, rows := cells(t, s.export(""))
	for column, want := range map[string]string{
		"distributor_transaction_id": "'-2", "response_message": `'=HYPERLINK("http://evil.example","x")`,
		"transaction_id": "'@SUM(A1)",
		"reference":      "'＝1", "auth_code": "'+1", "balance_after": "-5.50",
	} {
		if rows[0][column] != want {
			t.Errorf("%s is %s, want %s", column, rows[0][column], want)
		}
	}
}

// brokenBook fails after some orders.
type brokenBook struct {
	*journal.Journal
	after int
}

func (b brokenBook) Export(ctx context.Context, f search.Filter, parts search.Parts) iter.Seq2[topup.Details,
	error] {
	return func(yield func(topup.Details, error) bool) {
		n := 0
		for o, err := range b.Journal.Export(ctx, f, parts) {
			if n == b.after {
				o, err = topup.Details{}, errors.New("the disk is gone")
			}
			if !yield(o, err) || err != nil {
				return
			}
			n++
		}
	}
}

// TestExportBrokenOff: half an export never looks like a whole one.
func TestExportBrokenOff(t *testing.T) {
	for _, after := range []int{0, 1, 900} {
		s := serve(t)
		var body strings.Builder
		for i := range 1000 {
			body.WriteString(order(fmt.Sprintf("ORD-%04d", i)) + "\n")
		}
		s.batch(shopKey, body.String()).want(http.StatusOK)
		broken := serve(t, func(c *api.Config) { c.Book = brokenBook{s.journal, after} })
		for _, encoding := range []string{"gzip", "identity"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", broken.url+"/v1/export", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+adminKey)
			r.Header.Set("Accept-Encoding", encoding)
			res, err := broken.client.Do(r)
			switch {
			case after == 0 && (err != nil || res.StatusCode != http.StatusServiceUnavailable):
				t.Errorf("status %v %v, want 503", res, err)
			case after == 0 || err != nil: // it was cut before anything was sent
				continue
			}
			_, err = io.Copy(io.Discard, bufio.NewReader(res.Body))
			res.Body.Close()
			if err == nil || res.Trailer.Get("X-Export-Orders") != "" {
				t.Errorf("%s, after %d orders: the answer looks whole", encoding, after)
			}
		}
	}
}
