package api

import (
	"context"
	"net/http"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/producer"
	"recarga/topup"
)

// decision is a request with what a person has decided of an order.
type decision[B any] struct {
	// ID is the order's.
	ID string `path:"id"`
	// Body is what was decided.
	Body B
}

type resolveRequest struct {
	// Outcome is what happened; resend has it sent again. Reason is why that is known, and By who decided.
	Outcome topup.ResolvedAs `json:"outcome" enum:"succeeded,failed,resend"`
	Reason  string           `json:"reason" minLength:"1" maxLength:"500" example:"line 4711 of the statement"`
	By      string           `json:"by,omitempty" maxLength:"100" example:"ana"`
	// Force: also while a worker may still be acting on it.
	Force bool `json:"force,omitempty"`
	// Attempt is the number of the one that the decision is about; 0: the latest.
	Attempt int `json:"attempt,omitempty" minimum:"1"`
	Receipt
}

// Receipt is what the distributor's statement says of a charge.
type Receipt struct {
	// TransactionID is the distributor's, Reference and AuthCode are the carrier's.
	TransactionID *string `json:"transaction_id,omitempty" nullable:"true" maxLength:"200"`
	Reference     *string `json:"reference,omitempty" nullable:"true" maxLength:"200"`
	AuthCode      *string `json:"auth_code,omitempty" nullable:"true" maxLength:"200"`
}

func (s *Server) resolve(ctx context.Context, in *decision[resolveRequest]) (topup.Order, error) {
	b := in.Body
	return decide(ctx, in.ID, b.By, s.cfg.Orders.Resolve, func(by string) topup.Resolution {
		return topup.Resolution{
			Outcome: b.Outcome, Reason: b.Reason, By: by, Forced: b.Force, Attempt: b.Attempt,
			TransactionID: nullString(b.TransactionID), Reference: nullString(b.Reference), AuthCode: nullString(b.AuthCode),
		}
	})
}

type correctRequest struct {
	// Outcome is what happened. Reason is why that is known, and By who decided.
	Outcome topup.ResolvedAs `json:"outcome" enum:"succeeded,failed"`
	Reason  string           `json:"reason" minLength:"1" maxLength:"500" example:"the distributor, ticket 4711"`
	By      string           `json:"by,omitempty" maxLength:"100" example:"ana"`
	Receipt
}

func (s *Server) correct(ctx context.Context, in *decision[correctRequest]) (topup.Order, error) {
	b := in.Body
	return decide(ctx, in.ID, b.By, s.cfg.Orders.Correct, func(by string) topup.Correction {
		return topup.Correction{
			Outcome: b.Outcome, Reason: b.Reason, By: by,
			TransactionID: nullString(b.TransactionID), Reference: nullString(b.Reference), AuthCode: nullString(b.AuthCode),
		}
	})
}

type upholdRequest struct {
	Outcome topup.DisputeEnd `json:"outcome" enum:"upheld" doc:"The order's state is right."`
	// Reason is why that is known.
	Reason string `json:"reason" minLength:"1" maxLength:"500" example:"the statement was cut off"`
	By     string `json:"by,omitempty" maxLength:"100" doc:"Who decided. Kept with the order." example:"ana"`
}

func (s *Server) uphold(ctx context.Context, in *decision[upholdRequest]) (topup.Order, error) {
	b := in.Body
	return decide(ctx, in.ID, b.By, s.cfg.Orders.Uphold, func(by string) topup.Upholding {
		return topup.Upholding{Outcome: b.Outcome, Reason: b.Reason, By: by}
	})
}

type holdRequest struct {
	// Reason is why, and By who decided.
	Reason string `json:"reason" minLength:"1" maxLength:"500" example:"the number was mistyped"`
	By     string `json:"by,omitempty" maxLength:"100" example:"ana"`
}

func (s *Server) hold(ctx context.Context, in *decision[holdRequest]) (topup.Order, error) {
	return decide(ctx, in.ID, in.Body.By, s.cfg.Orders.HoldBack, in.Body.actor)
}

func (s *Server) release(ctx context.Context, in *decision[holdRequest]) (topup.Order, error) {
	return decide(ctx, in.ID, in.Body.By, s.cfg.Orders.LetGo, in.Body.actor)
}

func (b holdRequest) actor(by string) producer.Actor { return producer.Actor{By: by, Reason: b.Reason} }

// defaultOperator is who decided, where a request with the admin key does not say.
const defaultOperator = "operator"

// decide returns the order after a person's decision; given is who it says decided.
func decide[D any](
	ctx context.Context, path, given string, do func(context.Context, topup.ID, D) (topup.Order, error),
	decision func(by string) D,
) (topup.Order, error) {
	id, err := pathID(path)
	if err != nil {
		return topup.Order{}, err
	}
	ctx, by, err := keys.By(ctx, given, defaultOperator)
	if err != nil {
		return topup.Order{}, err
	}
	return do(ctx, id, decision(by))
}

func nullString(s *string) topup.NullString {
	if s == nil {
		return ""
	}
	return topup.NullString(*s)
}

// onDecisions adds what a person decides of an order.
func (s *Server) onDecisions(to openapi.Operations) {
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/topups/{id}/resolve", "resolveTopup", 404, 409), s.resolve)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/topups/{id}/hold", "holdTopup", 404, 409), s.hold)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/topups/{id}/release", "releaseTopup", 404, 409), s.release)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/topups/{id}/correct", "correctTopup", 404, 409), s.correct)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/topups/{id}/dispute", "endDispute", 404, 409), s.uphold)
}
