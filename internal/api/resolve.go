package api

import (
	"cmp"
	"context"
	"net/http"

	"recarga/topup"
)

// defaultOperator is who decided, where the request does not say.
const defaultOperator = "operator"

type resolveInput struct {
	ID   string `path:"id"`
	Body resolveRequest
}

type resolveRequest struct {
	Outcome       topup.Verdict `json:"outcome" enum:"succeeded,failed,resend" doc:"What happened: it was charged; it was not, and is given up; or send it again, which charges twice if it was charged after all."`
	Reason        string        `json:"reason" minLength:"1" maxLength:"500" doc:"Why this is known. Kept with the order." example:"line 4711 of the statement of 22 November"`
	By            string        `json:"by,omitempty" maxLength:"100" doc:"Who decided. Kept with the order." example:"ana"`
	Force         bool          `json:"force,omitempty" doc:"Also while a worker may still be acting on the attempt, or its answer may be on the way."`
	TransactionID *string       `json:"transaction_id,omitempty" nullable:"true" maxLength:"200" doc:"The distributor's id of the purchase, where it succeeded."`
	Reference     *string       `json:"reference,omitempty" nullable:"true" maxLength:"200"`
	AuthCode      *string       `json:"auth_code,omitempty" nullable:"true" maxLength:"200"`
}

func (s *Server) resolve(ctx context.Context, in *resolveInput) (*orderOutput, error) {
	if !identityOf(ctx).Admin {
		return nil, forbidden("an order is resolved with the admin key")
	}
	id, err := pathID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, "path", err)
	}
	b := in.Body
	o, err := s.cfg.Orders.Resolve(ctx, id, topup.Resolution{
		Outcome: b.Outcome, Reason: b.Reason, By: cmp.Or(b.By, defaultOperator), Forced: b.Force,
		TransactionID: nullString(b.TransactionID), Reference: nullString(b.Reference), AuthCode: nullString(b.AuthCode),
	})
	if err != nil {
		return nil, s.problem(ctx, "body", err)
	}
	return &orderOutput{Status: http.StatusOK, Body: o}, nil
}

func nullString(s *string) topup.NullString {
	if s == nil {
		return ""
	}
	return topup.NullString(*s)
}
