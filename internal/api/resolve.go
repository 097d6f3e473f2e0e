package api

import (
	"context"
	"net/http"

	"recarga/topup"
)

type resolveInput struct {
	ID   string `path:"id"`
	Body resolveRequest
}

type resolveRequest struct {
	Outcome topup.ResolvedAs `json:"outcome" enum:"succeeded,failed,resend"`
	Reason  string           `json:"reason" minLength:"1" maxLength:"500" example:"line 4711 of the statement"`
	By      string           `json:"by,omitempty" maxLength:"100" example:"ana"`
	Force   bool             `json:"force,omitempty"`
	Attempt int              `json:"attempt,omitempty" minimum:"1"`
	Receipt
}

// Receipt is what the distributor's statement says of a charge.
type Receipt struct {
	// TransactionID is the distributor's, Reference and AuthCode are the carrier's.
	TransactionID *string `json:"transaction_id,omitempty" nullable:"true" maxLength:"200"`
	Reference     *string `json:"reference,omitempty" nullable:"true" maxLength:"200"`
	AuthCode      *string `json:"auth_code,omitempty" nullable:"true" maxLength:"200"`
}

func (s *Server) resolve(ctx context.Context, in *resolveInput) (*orderOutput, error) {
	b := in.Body
	return s.decide(ctx, in.ID, b.By, func(id topup.ID, by string) (topup.Order, error) {
		return s.cfg.Orders.Resolve(ctx, id, topup.Resolution{
			Outcome: b.Outcome, Reason: b.Reason, By: by, Forced: b.Force, Attempt: b.Attempt,
			TransactionID: nullString(b.TransactionID), Reference: nullString(b.Reference), AuthCode: nullString(b.AuthCode),
		})
	})
}

type correctInput struct {
	ID   string `path:"id"`
	Body correctRequest
}

type correctRequest struct {
	Outcome topup.ResolvedAs `json:"outcome" enum:"succeeded,failed"`
	Reason  string           `json:"reason" minLength:"1" maxLength:"500" example:"the distributor, ticket 4711"`
	By      string           `json:"by,omitempty" maxLength:"100" example:"ana"`
	Receipt
}

func (s *Server) correct(ctx context.Context, in *correctInput) (*orderOutput, error) {
	b := in.Body
	return s.decide(ctx, in.ID, b.By, func(id topup.ID, by string) (topup.Order, error) {
		return s.cfg.Orders.Correct(ctx, id, topup.Correction{
			Outcome: b.Outcome, Reason: b.Reason, By: by,
			TransactionID: nullString(b.TransactionID), Reference: nullString(b.Reference), AuthCode: nullString(b.AuthCode),
		})
	})
}

type upholdInput struct {
	ID   string `path:"id"`
	Body upholdRequest
}

type upholdRequest struct {
	Outcome topup.DisputeEnd `json:"outcome" enum:"upheld" doc:"The order's state is right."`
	Reason  string           `json:"reason" minLength:"1" maxLength:"500" example:"the statement was cut off"`
	By      string           `json:"by,omitempty" maxLength:"100" doc:"Who decided. Kept with the order." example:"ana"`
}

func (s *Server) uphold(ctx context.Context, in *upholdInput) (*orderOutput, error) {
	b := in.Body
	return s.decide(ctx, in.ID, b.By, func(id topup.ID, by string) (topup.Order, error) {
		return s.cfg.Orders.Uphold(ctx, id, topup.Upholding{Outcome: b.Outcome, Reason: b.Reason, By: by})
	})
}

// decide answers with the order after a person's decision; given is who it says decided.
func (s *Server) decide(
	ctx context.Context, path, given string, do func(id topup.ID, by string) (topup.Order, error),
) (*orderOutput, error) {
	id, err := pathID(path)
	if err != nil {
		return nil, s.problem(ctx, "path", err)
	}
	by, err := identityOf(ctx).by(given, defaultOperator)
	if err != nil {
		return nil, s.problem(ctx, "body", err)
	}
	o, err := do(id, by)
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
