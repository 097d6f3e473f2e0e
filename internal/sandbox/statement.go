package sandbox

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"slices"
	"time"
)

// StatementRow is one line of the statement, and its JSON names are the columns. Date is RFC 3339 in UTC, Amount in
// MXN with two decimals.
type StatementRow struct {
	// The columns, in their order. Of a row that alters another one, what is empty stays as it is.
	Date                     string `json:"date,omitempty"`
	TransactionID            string `json:"transaction_id,omitempty"`
	DistributorTransactionID string `json:"distributor_transaction_id,omitempty"`
	PhoneNumber              string `json:"phone_number,omitempty"`
	ProductID                string `json:"product_id,omitempty"`
	Amount                   string `json:"amount,omitempty"`
	Currency                 string `json:"currency,omitempty"`
	Reference                string `json:"reference,omitempty"`
	AuthCode                 string `json:"auth_code,omitempty"`
	ResponseCode             string `json:"response_code,omitempty"`
	Status                   string `json:"status,omitempty"`
}

func statementHeader() []string {
	return []string{"date", "transaction_id", "distributor_transaction_id", "phone_number", "product_id", "amount",
		"currency", "reference", "auth_code", "response_code", "status"}
}

// columns are the fields in the header's order.
func (r *StatementRow) columns() []*string {
	return []*string{&r.Date, &r.TransactionID, &r.DistributorTransactionID, &r.PhoneNumber, &r.ProductID, &r.Amount,
		&r.Currency, &r.Reference, &r.AuthCode, &r.ResponseCode, &r.Status}
}

// serveStatement is GET /sandbox/statement.csv?month=2006-01, by default this month, in UTC.
func (s *Server) serveStatement(w http.ResponseWriter, r *http.Request) {
	month := r.URL.Query().Get("month")
	if month == "" {
		month = time.Now().UTC().Format("2006-01")
	}
	if _, err := time.Parse("2006-01", month); err != nil {
		failed(http.StatusBadRequest, "month: "+month+" is not allowed (allowed: YYYY-MM)").write(w)
		return
	}
	body, err := writeStatement(statement(s.config(), s.Purchases(), month))
	if err != nil {
		failed(http.StatusInternalServerError, err.Error()).write(w)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="statement-`+month+`.csv"`)
	answer{status: http.StatusOK, contentType: "text/csv; charset=utf-8", body: body}.write(w)
}

// statement is the month as the vendor says it, lies included: the rows that were added come last, in every month.
func statement(cfg Config, purchases []Purchase, month string) []StatementRow {
	var rows []StatementRow
	for _, p := range purchases {
		if p.ChargedAt.Format("2006-01") != month || slices.Contains(cfg.StatementLeaveOut, p.DistributorTransactionID) {
			continue
		}
		rows = append(rows, altered(rowOf(p), cfg.StatementAlter))
	}
	return append(rows, cfg.StatementAdd...)
}

// Statement is the statement of the charges, as [Server] writes it when it has nothing to lie about.
func Statement(purchases []Purchase) ([]byte, error) {
	rows := make([]StatementRow, len(purchases))
	for i, p := range purchases {
		rows[i] = rowOf(p)
	}
	return writeStatement(rows)
}

func rowOf(p Purchase) StatementRow {
	return StatementRow{
		Date:                     p.ChargedAt.Format(time.RFC3339),
		TransactionID:            p.TransactionID,
		DistributorTransactionID: p.DistributorTransactionID,
		PhoneNumber:              p.PhoneNumber,
		ProductID:                p.ProductID,
		Amount:                   p.Amount.StringFixed(2),
		Currency:                 p.Currency,
		Reference:                p.Reference,
		AuthCode:                 p.AuthCode,
		ResponseCode:             "00",
		Status:                   "Aprobado",
	}
}

// altered is row with the columns that a change for its id gives.
func altered(row StatementRow, changes []StatementRow) StatementRow {
	for _, change := range changes {
		if change.DistributorTransactionID != row.DistributorTransactionID {
			continue
		}
		to := row.columns()
		for i, from := range change.columns() {
			if *from != "" {
				*to[i] = *from
			}
		}
	}
	return row
}

func writeStatement(rows []StatementRow) ([]byte, error) {
	lines := [][]string{statementHeader()}
	for _, row := range rows {
		var line []string
		for _, column := range row.columns() {
			line = append(line, *column)
		}
		lines = append(lines, line)
	}
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(lines)
	return b.Bytes(), err
}
