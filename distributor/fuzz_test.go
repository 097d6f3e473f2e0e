package distributor_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/topup"
)

// said is an answer's JSON as a careful stranger reads it.
type said struct {
	// ok is false for what is no JSON object, or more than one.
	ok       bool
	success  *bool
	id, code *string
	// doubtful: a word that decides is given twice, in other letters, or not plainly.
	doubtful bool
}

func read(body []byte) (s said) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	fields := map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') || !json.Valid(body) {
		return s
	}
	s.ok = true
	for d.More() {
		token, err := d.Token()
		name, isName := token.(string)
		var value json.RawMessage
		if err != nil || !isName || d.Decode(&value) != nil {
			return said{}
		}
		for _, known := range []string{"success", "response_code", "distributor_transaction_id"} {
			s.doubtful = s.doubtful || strings.EqualFold(known, name) && (known != name || fields[known] != nil)
		}
		fields[name] = value
	}
	s.success = plainly[bool](&s, fields["success"])
	s.code, s.id = plainly[string](&s, fields["response_code"]), plainly[string](&s, fields["distributor_transaction_id"])
	return s
}

// plainly reads a value as it is, or out of a text, or the text out of a number.
func plainly[T bool | string](s *said, value json.RawMessage) *T {
	if value == nil || string(value) == "null" {
		return nil
	}
	whole := strings.Trim(string(value), "0123456789") == ""
	var v T
	switch into := any(&v).(type) {
	case *bool:
		switch strings.Trim(string(value), `"`) {
		case "true":
			*into = true
		case "false":
		default:
			s.doubtful = true
		}
	case *string:
		if whole {
			*into = string(value)
		} else if json.Unmarshal(value, into) != nil {
			*into, s.doubtful = "?", true
		}
	}
	return &v
}

// rule is the table "Response codes" of the product's contract, and the outcomes that it leaves open.
func rule(status int, whole bool, body []byte) []topup.Outcome {
	s := read(body)
	success, failure := s.success != nil && *s.success, s.success != nil && !*s.success
	unknown := []topup.Outcome{topup.OutcomeUnknown}
	or := func(o topup.Outcome, certain bool) []topup.Outcome {
		if certain {
			return []topup.Outcome{o}
		}
		return append(unknown, o)
	}
	switch {
	case !whole:
		return unknown
	case !s.ok && (status == 401 || status == 429): // a gateway's own words
		return []topup.Outcome{topup.OutcomeNotSent}
	case !s.ok:
		return unknown
	case s.doubtful: // TestClassifyReadings has what is to come of each
		return []topup.Outcome{topup.OutcomeUnknown, topup.OutcomeDeclined, topup.OutcomeUnavailable, topup.OutcomeNotSent}
	case s.id != nil && *s.id != string(order.ID):
		return unknown
	}
	documented := slices.Contains([]int{200, 400, 402, 500}, status)
	code := ""
	if s.code != nil {
		code = *s.code
	}
	switch code {
	case "00":
		if status != 200 || !success || s.id == nil {
			return unknown
		}
		return or(topup.OutcomeApproved, true)
	case "05", "12", "13", "14", "51", "83":
		if success {
			return unknown
		}
		return or(topup.OutcomeDeclined, documented)
	case "91", "96":
		if success {
			return unknown
		}
		return or(topup.OutcomeUnavailable, documented)
	case "":
		switch {
		case success:
		case status == 401, status == 429:
			return []topup.Outcome{topup.OutcomeNotSent}
		case status == 402, status == 400 && failure:
			return or(topup.OutcomeDeclined, true)
		}
	}
	return unknown
}

// FuzzAnswer: whatever comes back over the wire, one request went out, and its outcome is the one that
// the contract's table gives.
func FuzzAnswer(f *testing.F) {
	type seed struct {
		status int
		header string
		body   string
		cut    uint8
	}
	const id = `"distributor_transaction_id":"ORD-1"`
	for _, s := range []seed{
		{200, "Content-Type: application/json", approved, 0},
		{200, "Content-Type: text/html", approved, 1},
		{200, "Content-Encoding: gzip", approved, 0},
		{200, "Transfer-Encoding: chunked", approved, 0},
		{307, "Location: /api/product_purchase", approved, 0},
		{100, "", approved, 0}, {204, "", approved, 0}, {101, "Upgrade: x\nConnection: upgrade", approved, 0},
		{402, "", `{"success":false}`, 0}, {402, "", `{` + id + `,"response_code":"51"}`, 0}, {402, "", `<html>`, 0},
		{400, "", `{"success":false,"error":"amount"}`, 0}, {400, "", `{"error":"amount"}`, 0},
		{429, "Retry-After: -1", `slow down`, 0}, {429, "Retry-After: 99999999999999999999", `{}`, 0}, {401, "",
			`{"success":true}`, 0},
		{500, "", `{"success":false,"response_code":"91",` + id + `}`, 0}, {500, "",
			`{"response_code":"96","distributor_transaction_id":"ORD-2"}`, 0},
		{200, "", `{"success":true,"response_code":"00","response_code":"51",` + id + `}`, 0},
		{200, "", `{"success":false,"SUCCESS":true,"response_code":"00",` + id + `}`, 0},
		{200, "", `{"success":true,` + id + `,"response_code":"51","reſponse_code":"00"}`, 0}, {402, "",
			`{"reſponse_code":"51"}`, 0},
		{200, "", approved + " {}", 0}, {502, "", `{"response_code":"51","success":false}`, 0}, {200, "",
			`{"transaction_id":7,"response_code":"51"}`, 0},
		{200, "", "\ufeff" + strings.Replace(approved, "990.00", `"N/A"`, 1), 0}, {200, "",
			strings.Replace(approved, "true", `"true"`, 1), 0},
	} {
		f.Add(s.status, s.header, []byte(s.body), s.cut)
	}
	var v rawVendor
	c, err := distributor.New(distributor.Config{URL: v.listen(f) + "/api", CustomerID: "me", SecretKey: secretKey,
		Timeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, status int, header string, body []byte, cut uint8) {
		now := response{status: 100 + int(uint(status-100)%500), header: header, body: body, cut: int(cut)}
		v.next.Store(&now)
		before := v.purchases.Load()
		got := c.Purchase(t.Context(), order, time.Now().Add(5*time.Second))
		if n := v.purchases.Load() - before; n != 1 {
			t.Fatalf("%d requests went out", n)
		}
		want := rule(now.status, now.whole(), body)
		// A body that says it is coded or chunked and is not can be anything but misunderstood.
		if now.coded() {
			want = append(want, topup.OutcomeUnknown)
		}
		if !slices.Contains(want, got.Outcome) {
			t.Errorf("HTTP %d %q %q is %s (%s), want %s", now.status, header, body, got.Outcome, got.Error, want)
		}
		checkResult(t, got)
	})
}

// checkResult: what goes with an outcome, and what never does.
func checkResult(t *testing.T, r topup.Result) {
	t.Helper()
	if r.RetryAfter < 0 || r.RetryAfter > time.Hour || r.RetryAfter > 0 &&
		(r.Outcome != topup.OutcomeNotSent || r.HTTPStatus != 429) {
		t.Errorf("%s after HTTP %d has to wait %s", r.Outcome, r.HTTPStatus, r.RetryAfter)
	}
	if r.LoginAgain != (r.Outcome == topup.OutcomeNotSent && r.HTTPStatus == 401) {
		t.Errorf("%s after HTTP %d: log in again is %v", r.Outcome, r.HTTPStatus, r.LoginAgain)
	}
	if r.Outcome == topup.OutcomeUnknown && (r.Evidence == "" || r.Error == "") || r.Outcome != topup.OutcomeUnknown &&
		strings.Contains(r.Evidence, "; answer") {
		t.Errorf("%s because of %q, with evidence %q", r.Outcome, r.Error, r.Evidence)
	}
	if r.Outcome == topup.OutcomeApproved && (r.Code != "00" || r.HTTPStatus != 200) {
		t.Errorf("approved by code %q and HTTP %d", r.Code, r.HTTPStatus)
	}
	if strings.Contains(r.Evidence, phone.Digits()) || strings.Contains(r.Evidence, secretKey) {
		t.Errorf("the evidence shows a secret: %s", r.Evidence)
	}
}

// response is written as it is: net/http's server would fix it.
type response struct {
	status int
	header string
	body   []byte
	cut    int // so many bytes of the body are announced and not sent
}

// lines are the header's, without what would end it or make it another one.
func (r response) lines() (lines []string) {
	for line := range strings.SplitSeq(r.header, "\n") {
		name, value, ok := strings.Cut(strings.Map(visible, line), ":")
		framing := []string{"content-length", "connection", "trailer"}
		if ok && name != "" && !strings.ContainsFunc(name, notToken) && !slices.Contains(framing, strings.ToLower(name)) {
			lines = append(lines, name+":"+value)
		}
	}
	return lines
}

func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func notToken(r rune) bool {
	return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// whole reports whether the body arrives as it was written: not cut, and of a status that has one.
func (r response) whole() bool {
	const most = 64 << 10
	return r.cut == 0 && len(r.body) <= most && r.status >= 200 && r.status != http.StatusNoContent &&
		r.status != http.StatusNotModified
}

func (r response) coded() bool {
	return slices.ContainsFunc(r.lines(), func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return slices.Contains([]string{"content-encoding", "transfer-encoding"}, strings.ToLower(name))
	})
}

// bytes are the response on the wire, and whether another may follow on the connection.
func (r response) bytes() (wire []byte, more bool) {
	more = r.whole() && !r.coded()
	text := fmt.Sprintf("HTTP/1.1 %03d Fuzzed\r\nContent-Length: %d\r\n", r.status, len(r.body)+r.cut)
	if !more {
		text += "Connection: close\r\n"
	}
	for _, line := range r.lines() {
		text += line + "\r\n"
	}
	return append([]byte(text+"\r\n"), r.body...), more
}

// rawVendor answers purchases with any bytes, and logins as it should.
type rawVendor struct {
	next      atomic.Pointer[response]
	purchases atomic.Int64
}

func (v *rawVendor) listen(tb testing.TB) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			all.Go(func() { v.serve(conn) })
		}
	})
	tb.Cleanup(func() { _ = listener.Close(); all.Wait() })
	return "http://" + listener.Addr().String()
}

func (v *rawVendor) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for more := true; more; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return // the client has closed it
		}
		_, _ = io.Copy(io.Discard, r.Body)
		answer := response{status: 200, body: []byte(
			`{"success":true,"access_token":"token","token_type":"Bearer","expires_in":3600}`)}
		if r.URL.Path == "/api/product_purchase" {
			v.purchases.Add(1)
			answer = *v.next.Load()
		}
		var wire []byte
		wire, more = answer.bytes()
		if _, err := conn.Write(wire); err != nil {
			return // the client had enough of it
		}
	}
}
