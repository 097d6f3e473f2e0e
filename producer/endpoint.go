package producer

import (
	"context"
	"log/slog"
	"time"

	"recarga/internal/audit"
	"recarga/topup"
)

// EnableEndpoint has events sent to an endpoint of a caller again, and clears the record of its failures. What became
// exhausted meanwhile is sent by RedeliverAll.
func (p *Producer) EnableEndpoint(ctx context.Context, e topup.DisabledEndpoint, who Actor) error {
	ctx = audit.Because(audit.On(ctx, e.Caller+"/"+e.Endpoint), who.Reason)
	err := p.journal.EndpointHealthy(ctx, e.Caller, e.URL)
	return p.switched(ctx, e, false, who, err)
}

// DisableEndpoint has nothing more sent to an endpoint of a caller. Its events become exhausted, and are kept. No
// event says so: who did it knows.
func (p *Producer) DisableEndpoint(ctx context.Context, e topup.DisabledEndpoint, who Actor) error {
	e.Reason = topup.DisabledByOperator
	ctx = audit.Because(audit.On(ctx, e.Caller+"/"+e.Endpoint), who.Reason)
	_, _, err := p.journal.DisableEndpoint(ctx, e, false, time.Now())
	return p.switched(ctx, e, true, who, err)
}

func (p *Producer) switched(ctx context.Context, e topup.DisabledEndpoint, disabled bool, who Actor, err error) error {
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelInfo, "endpoint switched", append(who.attrs(), slog.String("caller", e.Caller),
			slog.String("endpoint", e.Endpoint), slog.Bool("disabled", disabled))...)
	}
	return err
}
