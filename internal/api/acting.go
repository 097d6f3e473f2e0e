package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/keys"
	"recarga/internal/audit"
	"recarga/producer"
	"recarga/topup"
)

// acting notes who asks and, where the operation changes something, in whose name it does. An order that a caller
// places is its own record.
func acting(ctx huma.Context, who keys.Identity) context.Context {
	noted := keys.With(ctx.Context(), who)
	op := ctx.Operation()
	places := op.OperationID == operationPlace || op.OperationID == operationPlaces
	if op.Method == http.MethodGet || places && !who.SeesAll() {
		return noted
	}
	var on []string
	for _, m := range pathParameter.FindAllStringSubmatch(op.Path, -1) {
		on = append(on, ctx.Param(m[1]))
	}
	via := topup.ViaAPI
	if strings.HasPrefix(ctx.Header("User-Agent"), producer.CLIUserAgent) {
		via = topup.ViaCLI
	}
	return audit.With(noted, who.Act(noted, via, op.OperationID, strings.Join(on, "/")))
}

// actingAtQueues does so for a button of /queues, and writes it before it is pressed: nothing of it is in the book.
func (s *Server) actingAtQueues(r *http.Request, who keys.Identity) error {
	via := topup.ViaConsole
	if r.Header.Get("Authorization") != "" {
		via = topup.ViaAPI
	}
	what := r.Method + " " + strings.TrimPrefix(r.URL.Path, queuesPath+"/api/")
	ctx := audit.With(r.Context(), who.Act(r.Context(), via, access.ActOf(access.QueuesAct), what))
	return s.cfg.Book.RecordAct(ctx)
}
