package sandbox

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// order is the body of a product_purchase request.
type order struct {
	id, phone, product, operator string
	amount                       decimal.Decimal
}

// servePurchase is POST /product_purchase. The body is read before the token is looked at, so that the record of
// requests names the refused ones too.
func (s *Server) servePurchase(w http.ResponseWriter, r *http.Request) {
	in, problem := readOrder(w, r)
	entry := s.received(in)
	a := s.gate(w, callPurchase, func() answer {
		token, ok := s.session(r)
		switch {
		case !ok:
			return unauthorized()
		case problem != "":
			return failed(http.StatusBadRequest, problem)
		}
		return s.purchase(r.Context(), in, token)
	})
	s.answered(entry, a)
	s.logPurchase(r.Context(), in, a)
	a.write(w)
}

// purchase decides a well-formed request.
func (s *Server) purchase(ctx context.Context, in order, token string) answer {
	if code := s.refuses(in); code != "" {
		return declined(code, in.id)
	}
	c := &call{s: s, ctx: ctx, cfg: s.config(), in: in, token: token, nth: s.count(in.id)}
	if run, magic := s.magic[in.phone]; magic {
		return run(c)
	}
	return c.draw()(c)
}

// refuses is the code of what is wrong with the order itself, or empty.
func (s *Server) refuses(in order) string {
	product, sold := s.products[in.product]
	switch {
	case !isPhone(in.phone):
		return "83"
	case !sold:
		return "14"
	case !product.sells(in.amount):
		return "13"
	}
	return ""
}

// isPhone says ten digits, which is all the document asks of a phone number.
func isPhone(s string) bool {
	return len(s) == 10 && strings.Trim(s, "0123456789") == ""
}

// readOrder parses a request. Along with a problem it returns what it could read.
func readOrder(w http.ResponseWriter, r *http.Request) (in order, problem string) {
	body, err := readBody(w, r)
	if err != nil {
		return order{}, "Request body is cut short or too large"
	}
	var fields map[string]json.RawMessage
	err = json.Unmarshal(body, &fields)
	in, problem = parseOrder(fields)
	switch {
	case !isJSON(r):
		return in, "Content-Type must be application/json"
	case err != nil:
		return in, "Invalid JSON"
	}
	return in, problem
}

// parseOrder takes the document's five fields, spelled exactly so, and ignores others.
func parseOrder(fields map[string]json.RawMessage) (in order, problem string) {
	var missing, wrong []string
	for _, field := range []struct {
		name string
		to   *string
	}{
		{"distributor_transaction_id", &in.id}, {"phone_number", &in.phone}, {"product_id", &in.product}, {"operator",
			&in.operator},
	} {
		value, ok := text(fields[field.name])
		*field.to = value
		switch {
		case !ok:
			wrong = append(wrong, field.name)
		case value == "" && field.name != "operator":
			missing = append(missing, field.name)
		}
	}
	switch raw := fields["amount"]; {
	case raw == nil || string(raw) == "null":
		missing = append(missing, "amount")
	case !isNumber(raw):
		wrong = append(wrong, "amount")
	default:
		in.amount = parseAmount(raw)
	}
	if in.operator == "" {
		in.operator, _, _ = strings.Cut(in.product, "_") // "auto-detected if omitted"
	}
	return in, complaint(missing, wrong)
}

// parseAmount reads a JSON number. One that is too large or too small to calculate with becomes 0, which no product
// costs, so that it is refused as any amount out of range is.
func parseAmount(raw json.RawMessage) decimal.Decimal {
	var m Money
	if m.UnmarshalJSON(raw) != nil {
		return decimal.Zero
	}
	return m.Decimal
}

func complaint(missing, wrong []string) string {
	switch {
	case missing != nil:
		return "Missing required fields: " + strings.Join(missing, ", ")
	case wrong != nil:
		return "Invalid type of fields: " + strings.Join(wrong, ", ")
	}
	return ""
}

func (s *Server) logPurchase(ctx context.Context, in order, a answer) {
	if !s.log.Enabled(ctx, slog.LevelDebug) { // the arguments alone would cost the benchmark
		return
	}
	phone := strings.Repeat("*", max(0, len(in.phone)-4)) + in.phone[max(0, len(in.phone)-4):]
	s.log.DebugContext(ctx, "purchase answered", "distributor_transaction_id", in.id, "phone_number", phone,
		"status", a.status, "response_code", a.code)
}
