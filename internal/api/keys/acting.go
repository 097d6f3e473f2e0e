package keys

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/audit"
	"recarga/producer"
	"recarga/topup/desk"
)

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// Acting notes who asks for an operation and, where that changes something, in whose name it does. An order that a
// caller places is its own record.
func Acting(ctx huma.Context, who Identity) context.Context {
	noted := With(ctx.Context(), who)
	op := ctx.Operation()
	if op.Method == http.MethodGet || strings.HasPrefix(op.OperationID, "place") && !who.SeesAll() {
		return noted
	}
	var on []string
	for _, m := range pathParameter.FindAllStringSubmatch(op.Path, -1) {
		on = append(on, ctx.Param(m[1]))
	}
	via := desk.ViaAPI
	if strings.HasPrefix(ctx.Header("User-Agent"), producer.CLIUserAgent) {
		via = desk.ViaCLI
	}
	return audit.With(noted, who.Act(noted, via, op.OperationID, strings.Join(on, "/")))
}

// ActingAt does so for a button of the queue UI, which is at root.
func ActingAt(root string, r *http.Request, who Identity) context.Context {
	via := desk.ViaConsole
	if r.Header.Get("Authorization") != "" {
		via = desk.ViaAPI
	}
	what := r.Method + " " + strings.TrimPrefix(r.URL.Path, root+"/api/")
	return audit.With(r.Context(), who.Act(r.Context(), via, access.ActOf(access.QueuesAct), what))
}
