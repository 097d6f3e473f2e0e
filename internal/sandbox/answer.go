package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
)

// answer is what the client gets. The zero value is the connection cut without a byte of an answer.
type answer struct {
	status      int
	contentType string
	body        []byte
	code        string // response code, empty where the answer has none
	retryAfter  string // seconds, empty for no header
}

// failure is the document's error response. The last two are there only where the vendor behind the API has spoken.
type failure struct {
	Success       bool   `json:"success"` // always false
	Error         string `json:"error"`   // in English, as the document has it
	ResponseCode  string `json:"response_code,omitempty"`
	TransactionID string `json:"distributor_transaction_id,omitempty"`
}

func reply(status int, body any) answer {
	raw, err := json.Marshal(body)
	if err != nil { // a NaN or a cycle: none of our types can hold one
		panic(err)
	}
	return answer{status: status, contentType: "application/json", body: append(raw, '\n')}
}

// failed is an error of the API itself: no response code.
func failed(status int, text string) answer { return reply(status, failure{Error: text}) }

// declined is an error of the vendor behind it.
func declined(code, id string) answer {
	is := refusals[code]
	a := reply(is.status, failure{Error: is.text, ResponseCode: code, TransactionID: id})
	a.code = code
	return a
}

// approved is the document's success response.
func approved(p Purchase) answer {
	a := reply(http.StatusOK, struct {
		// The fields of the document, in its order.
		Success         bool   `json:"success"`
		TransactionID   string `json:"transaction_id"`
		DistributorID   string `json:"distributor_transaction_id"`
		ResponseCode    string `json:"response_code"`
		ResponseMessage string `json:"response_message"`
		Reference       string `json:"reference"`
		AuthCode        string `json:"auth_code"`
		BalanceAfter    Money  `json:"balance_after"`
	}{true, p.TransactionID, p.DistributorTransactionID, "00", "Aprobado", p.Reference, p.AuthCode, p.BalanceAfter})
	a.code = "00"
	return a
}

func (a answer) write(w http.ResponseWriter) {
	if a.status == 0 {
		cut(w)
		return
	}
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	w.Header().Set("Content-Type", a.contentType)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that left is no fault
}

// bent is an answer as another vendor would give it. One that is cut or no JSON object stays as it is.
func (a answer) bent(odd OddAnswer) answer {
	if odd.Status == 0 && odd.Set == nil && odd.Omit == nil {
		return a
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(a.body, &fields) != nil {
		return a
	}
	if odd.Set != nil || odd.Omit != nil {
		maps.Copy(fields, odd.Set)
		for _, name := range odd.Omit {
			delete(fields, name)
		}
		a.body = reply(0, fields).body
	}
	if odd.Status != 0 {
		a.status = odd.Status
	}
	return a
}

// cut resets the connection. Where it can't be taken over (HTTP/2), the handler is aborted, which ends the stream.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // close with RST instead of FIN
	}
	_ = conn.Close()
}
