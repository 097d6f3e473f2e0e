package doctor

import (
	"context"
	"net"
	"net/url"
)

// newAuxiliaries checks what purchases do not need: the operator's endpoint and tracing.
func newAuxiliaries(cfg Config) part {
	a := auxiliaries{cfg}
	return part{stages: []stage{{
		check("operator endpoint", a.operator),
		check("traces", a.traces),
	}}, close: func() {}}
}

type auxiliaries struct{ Config }

func (a auxiliaries) operator(ctx context.Context) Finding {
	switch {
	case a.OperatorOff != nil:
		return warn("off: %v", a.OperatorOff)
	case a.OperatorCallbackURL == "":
		return nothing()
	}
	u, err := url.Parse(a.OperatorCallbackURL)
	if err != nil {
		return warn("RECARGA_OPERATOR_CALLBACK_URL cannot be parsed")
	}
	return reached(connect(ctx, a.endpointDialer(a.RootCAs), u))
}

func (a auxiliaries) traces(ctx context.Context) Finding {
	switch {
	case a.TracesOff != nil:
		return warn("not exported: %v", a.TracesOff)
	case a.TraceCollector == "":
		return nothing()
	}
	return reached(connect(ctx, new(net.Dialer), &url.URL{Host: a.TraceCollector}))
}

func reached(where string, err error) Finding {
	if err != nil {
		return warn("%v", err)
	}
	return ok("%s", where)
}
