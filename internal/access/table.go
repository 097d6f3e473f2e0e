package access

import (
	"cmp"
	"maps"
	"slices"
)

// Permission says whose key may do something. The zero value is nobody's.
type Permission struct {
	// Open: no key is needed.
	Open bool
	// Callers: a caller may, with what is its own.
	Callers bool
	// Least is the least role of an operator that may; Caller, the zero value: none may.
	Least Role
}

var (
	anybody = Permission{Open: true}
	// lookedAt is what a caller and every operator may see.
	lookedAt = Permission{Callers: true, Least: Viewer}
	// acted is what a caller does with its own orders, and an operator with all.
	acted = Permission{Callers: true, Least: Operator}
	// bought spends money as the caller of the settings.
	bought    = Permission{Callers: true, Least: Admin}
	viewers   = Permission{Least: Viewer}
	operators = Permission{Least: Operator}
	admins    = Permission{Least: Admin}
)

// Allows reports whether a role has the permission.
func (p Permission) Allows(r Role) bool {
	switch {
	case p.Open:
		return true
	case r == Caller:
		return p.Callers
	}
	return p.Least > Caller && r >= p.Least
}

// Of is the permission of an operation of the API, by its operation id; of a page of the console, by its pattern; or
// of the queue UI (QueuesView, QueuesAct). Whoever serves something that has none must refuse to start.
func Of(name string) (p Permission, known bool) {
	p, known = permissions[name]
	return p, known
}

// Names are those that have a permission.
func Names() []string { return slices.Sorted(maps.Keys(permissions)) }

// What may be done at /queues.
const (
	QueuesView = "GET /queues"
	QueuesAct  = "POST /queues"
)

// ActOf names what somebody does by a name of the table, in the audit: a form of the console has the name of the
// operation of the API that does the same. {action} stands for that part of the form's address.
func ActOf(name string) string { return cmp.Or(acts[name], name) }

var acts = map[string]string{
	QueuesAct:                           "queues",
	"POST /console/login":               "login",
	"POST /console/logout":              "logout",
	"POST /console/orders/{id}/resolve": "resolveTopup", "POST /console/bulk/resolve": "startBulk",
	"POST /console/orders/{id}/cancel": "cancelTopup", "POST /console/bulk/cancel": "startBulk",
	"POST /console/controls/{action}": "{action}", "POST /console/queues/{queue}/{action}": "{action}",
	"POST /console/orders/{id}/uphold": "endDispute", "POST /console/orders/{id}/correct": "correctTopup",
	"POST /console/events/{id}/redeliver": "redeliverEvent",
	"POST /console/bulk/redeliver":        "startBulk", "POST /console/bulk/{id}/stop": "stopBulk",
	"POST /console/orders/{id}/hold": "holdTopup", "POST /console/orders/{id}/release": "releaseTopup",
	"POST /console/callers":            "addCaller",
	"POST /console/callers/{name}/url": "changeCaller", "POST /console/callers/{name}/limits": "changeCaller",
	"POST /console/callers/{name}/disable": "changeCaller", "POST /console/callers/{name}/enable": "changeCaller",
	"POST /console/callers/{name}/rotate-key":                   "rotateKey",
	"POST /console/callers/{name}/rotate-secret":                "rotateSecret",
	"POST /console/callers/{name}/endpoints":                    "setCallerEndpoint",
	"POST /console/callers/{name}/endpoints/{endpoint}/remove":  "removeCallerEndpoint",
	"POST /console/callers/{name}/endpoints/{endpoint}/enable":  "enableCallerEndpoint",
	"POST /console/callers/{name}/endpoints/{endpoint}/disable": "disableCallerEndpoint",
	"POST /console/callers/{name}/endpoints/{endpoint}/ping":    "pingEndpoint",
}

// permissions is the one table of who may do what. docs/access.md is made of it, and of a walk over the API that shows
// that it holds.
var permissions = map[string]Permission{
	"placeTopup":     bought,
	"placeTopups":    bought,
	"getTopup":       lookedAt,
	"listTopups":     lookedAt,
	"findTopups":     lookedAt,
	"listEvents":     lookedAt,
	"listProducts":   lookedAt,
	"getBalance":     lookedAt,
	"cancelTopup":    acted,
	"pingEndpoint":   acted,
	"redeliverEvent": acted, "redeliverEvents": acted,
	"resolveTopup": operators, "holdTopup": operators, "releaseTopup": operators, "endDispute": operators,
	"reconcile":    operators,
	"exportTopups": viewers,
	"startBulk":    operators, "stopBulk": operators, "listBulks": viewers, "getBulk": viewers,
	"correctTopup": admins,
	"listCallers":  viewers,
	"listAudit":    operators,
	"listControls": viewers,
	"pause":        operators, "resume": operators, "limit": operators,
	"addCaller": admins, "changeCaller": admins, "rotateSecret": admins, "rotateKey": admins,
	"listOperators": admins, "addOperator": admins, "changeOperator": admins, "rotateOperatorKey": admins,
	"setCallerEndpoint": admins, "removeCallerEndpoint": admins, "enableCallerEndpoint": admins,
	"disableCallerEndpoint": admins,

	QueuesView: viewers,
	QueuesAct:  operators,

	"GET /console": anybody, "GET /console/assets/{file}": anybody,
	"GET /console/login": anybody, "POST /console/login": anybody, "POST /console/logout": anybody,
	"GET /console/{$}": viewers, "GET /console/orders": viewers, "GET /console/orders/{id}": viewers,
	"GET /console/events": viewers, "GET /console/callers": viewers,
	"GET /console/audit": operators, "GET /console/audit.csv": operators,
	"GET /console/controls":          viewers,
	"GET /console/controls/{action}": operators, "POST /console/controls/{action}": operators,
	"POST /console/callers": admins, "GET /console/callers/{name}": viewers, "POST /console/callers/{name}/url": admins,
	"POST /console/callers/{name}/limits": admins, "POST /console/callers/{name}/disable": admins,
	"POST /console/callers/{name}/enable": admins, "POST /console/callers/{name}/rotate-key": admins,
	"POST /console/callers/{name}/rotate-secret": admins, "POST /console/callers/{name}/endpoints": admins,
	"POST /console/callers/{name}/endpoints/{endpoint}/remove":  admins,
	"POST /console/callers/{name}/endpoints/{endpoint}/enable":  admins,
	"POST /console/callers/{name}/endpoints/{endpoint}/disable": admins,
	"POST /console/callers/{name}/endpoints/{endpoint}/ping":    operators,
	"GET /console/orders/{id}/resolve":                          operators,
	"POST /console/orders/{id}/resolve":                         operators,
	"GET /console/orders/{id}/uphold":                           operators, "POST /console/orders/{id}/uphold": operators,
	"GET /console/orders/{id}/cancel": operators, "POST /console/orders/{id}/cancel": operators,
	"GET /console/follow": viewers, "GET /console/suggest": viewers, "POST /console/zone": viewers,
	"GET /console/orders/{id}/json": viewers,
	"GET /console/events/{id}":      viewers,
	"GET /console/orders/{id}/hold": operators, "POST /console/orders/{id}/hold": operators,
	"GET /console/orders/{id}/release": operators, "POST /console/orders/{id}/release": operators,
	"GET /console/orders/{id}/correct": admins, "POST /console/orders/{id}/correct": admins,
	"GET /console/events/{id}/redeliver": operators, "POST /console/events/{id}/redeliver": operators,
	"GET /console/queues/{queue}/{action}": operators, "POST /console/queues/{queue}/{action}": operators,
	"GET /console/bulk": viewers, "GET /console/bulk/{id}": viewers, "POST /console/bulk/{id}/stop": operators,
	"GET /console/bulk/resolve": operators, "POST /console/bulk/resolve": operators,
	"GET /console/bulk/cancel": operators, "POST /console/bulk/cancel": operators,
	"GET /console/bulk/redeliver": operators, "POST /console/bulk/redeliver": operators,
}

// Needs names the least role of an operator that has the permission.
func (p Permission) Needs() string {
	if p.Least == Admin {
		return "the role admin"
	}
	return "the role " + p.Least.String() + " or a higher one"
}
