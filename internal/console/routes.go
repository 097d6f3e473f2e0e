package console

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"recarga/internal/access"
	"recarga/internal/audit"
	"recarga/internal/params"
	"recarga/topup"
	"recarga/topup/desk"
)

// route is a page with the only parameters that it takes: a request with another one, or with one twice, is refused.
type route struct {
	// pattern is that of the http.ServeMux, with the method.
	pattern string
	page    page
	// query and form are the names of the parameters in the address and of the fields in the body.
	query, form []string
	// maxForm is what is read of the form, in bytes; 0: maxForm.
	maxForm int64
}

func (c *Console) table() []route {
	reason := []string{"reason"}
	inBulk := func(action topup.BulkKind, form ...string) []route {
		at := Path + "/bulk/" + string(action)
		return []route{
			{pattern: "GET " + at, page: c.bulkPage(action), query: append([]string{chosenIDs}, namesOf(action)...)},
			{pattern: "POST " + at, page: c.bulk(action), form: append(form, "reason", "seal"), maxForm: maxBulkForm},
		}
	}
	table := []route{
		{pattern: "GET " + Path, page: redirectTo(address(nil))},
		{pattern: "GET " + Path + "/assets/{file}", page: c.files()},
		{pattern: "GET " + Path + "/login", page: c.loginPage, query: []string{"next"}},
		{pattern: "POST " + Path + "/login", page: c.login, form: []string{"next", "name", "key"}},
		{pattern: "POST " + Path + "/logout", page: c.logout},
		{pattern: "GET " + Path + "/{$}", page: c.overview, query: []string{"range"}},
		{
			pattern: "GET " + Path + "/orders", page: c.orders,
			query: append([]string{"q", "cursor", "newer"}, filterNames...),
		},
		{pattern: "GET " + Path + "/follow", page: c.follow, query: []string{"order"}},
		{pattern: "GET " + Path + "/suggest", page: c.suggest, query: []string{"q"}},
		{pattern: "POST " + Path + "/zone", page: c.chooseZone, form: []string{"zone", "back"}},
		{pattern: "GET " + Path + "/events/{id}", page: c.event},
		{pattern: "GET " + Path + "/events", page: c.events, query: append([]string{"cursor"}, eventNames...)},
		{pattern: "GET " + Path + "/events/{id}/redeliver", page: c.redeliverPage},
		{pattern: "POST " + Path + "/events/{id}/redeliver", page: c.redeliver, form: reason},
		{pattern: "GET " + Path + "/callers", page: c.callers},
		{pattern: "GET " + Path + "/audit", page: c.audit, query: append([]string{"cursor"}, auditNames...)},
		{pattern: "GET " + Path + "/audit.csv", page: c.auditFile, query: auditNames},
		{pattern: "GET " + Path + "/controls", page: c.controls},
		{pattern: "GET " + Path + "/controls/{action}", page: c.controlPage, query: controlNames},
		{pattern: "POST " + Path + "/controls/{action}", page: c.control, form: append(reason, controlNames...)},
		{pattern: "GET " + Path + "/queues/{queue}/{action}", page: c.queuePage},
		{pattern: "POST " + Path + "/queues/{queue}/{action}", page: c.switchQueue, form: reason},
	}
	table = append(table, c.onOrders()...)
	table = append(table, c.onCallers()...)
	table = append(table,
		route{pattern: "GET " + Path + "/bulk", page: c.bulks, query: []string{"cursor"}},
		route{pattern: "GET " + Path + "/bulk/{id}", page: c.bulkActionPage},
		route{pattern: "POST " + Path + "/bulk/{id}/stop", page: c.stopBulk})
	table = append(table, inBulk(topup.BulkResolve, "outcome", "force")...)
	table = append(table, inBulk(topup.BulkCancel)...)
	return append(table, inBulk(topup.BulkRedeliver)...)
}

// onOrders are the pages of one order.
func (c *Console) onOrders() []route {
	reason := []string{"reason"}
	return []route{
		{pattern: "GET " + Path + "/orders/{id}", page: c.order, query: []string{"done"}},
		{pattern: "GET " + Path + "/orders/{id}/resolve", page: c.resolvePage},
		{
			pattern: "POST " + Path + "/orders/{id}/resolve", page: c.resolve,
			form: []string{"outcome", "reason", "transaction_id", "reference", "auth_code", "force", "attempt"},
		},
		{pattern: "GET " + Path + "/orders/{id}/correct", page: c.correctPage},
		{
			pattern: "POST " + Path + "/orders/{id}/correct", page: c.correct,
			form: []string{"was", "outcome", "reason", "transaction_id", "reference", "auth_code"},
		},
		{pattern: "GET " + Path + "/orders/{id}/uphold", page: c.upholdPage},
		{pattern: "POST " + Path + "/orders/{id}/uphold", page: c.uphold, form: []string{"was", "reason"}},
		{pattern: "GET " + Path + "/orders/{id}/cancel", page: c.cancelPage},
		{pattern: "POST " + Path + "/orders/{id}/cancel", page: c.cancel, form: reason},
		{pattern: "GET " + Path + "/orders/{id}/json", page: c.raw},
		{pattern: "GET " + Path + "/orders/{id}/hold", page: c.holdPage(false)},
		{pattern: "POST " + Path + "/orders/{id}/hold", page: c.hold(false), form: reason},
		{pattern: "GET " + Path + "/orders/{id}/release", page: c.holdPage(true)},
		{pattern: "POST " + Path + "/orders/{id}/release", page: c.hold(true), form: reason},
	}
}

// onCallers are the pages of one caller.
func (c *Console) onCallers() []route {
	const all, one = Path + "/callers", Path + "/callers/{name}"
	const endpoint = one + "/endpoints/{endpoint}"
	version := []string{"version"}
	return []route{
		{pattern: "POST " + all, page: c.addCaller, form: []string{"name", "callback_url"}},
		{pattern: "GET " + one, page: c.caller, query: []string{"done"}},
		{
			pattern: "POST " + one + "/url", page: c.onCaller(c.setCallback),
			form: []string{"callback_url", "headers", "no_headers", "version"},
		},
		{
			pattern: "POST " + one + "/limits", page: c.onCaller(c.setLimits),
			form: []string{"id_prefix", "max_open", "max_rate", "version"},
		},
		{pattern: "POST " + one + "/disable", page: c.onCaller(c.switchCaller(true)), form: version},
		{pattern: "POST " + one + "/enable", page: c.onCaller(c.switchCaller(false)), form: version},
		{pattern: "POST " + one + "/rotate-key", page: c.rotate("key"), form: []string{"overlap", "version"}},
		{pattern: "POST " + one + "/rotate-secret", page: c.rotate("secret"), form: []string{"overlap", "version"}},
		{
			pattern: "POST " + one + "/endpoints", page: c.onCaller(c.setEndpoint),
			form: []string{"endpoint", "url", "event_types[]", "headers", "no_headers", "version"},
		},
		{pattern: "POST " + endpoint + "/remove", page: c.onCaller(c.removeEndpoint), form: version},
		{pattern: "POST " + endpoint + "/enable", page: c.switchEndpoint(false)},
		{pattern: "POST " + endpoint + "/disable", page: c.switchEndpoint(true)},
		{pattern: "POST " + endpoint + "/ping", page: c.ping},
	}
}

func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range c.table() {
		permission, known := access.Of(r.pattern)
		if !known {
			panic("page " + r.pattern + " has no permission in internal/access")
		}
		mux.Handle(r.pattern, c.guarded(r, permission))
	}
	return secure(http.NewCrossOriginProtection().Handler(mux))
}

func redirectTo(path string) page {
	return func(w http.ResponseWriter, r *http.Request, _ operator) error {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return nil
	}
}

// page answers a request of somebody who is logged in, or of anybody where its route is open. Its error becomes an
// error page.
type page func(w http.ResponseWriter, r *http.Request, who operator) error

func (c *Console) guarded(to route, permission access.Permission) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := c.sessions.of(r)
		if permission.Open {
			err = nil
		}
		err = c.slowed(r, err)
		switch {
		case errors.Is(err, access.ErrNoSession) && r.Header.Get("Sec-Fetch-Site") == "cross-site":
			// A link on another site's page, as in a chat: the browser keeps the cookie back until it comes from
			// a page of ours.
			c.show(w, r, http.StatusOK, "enter", view{Title: "Recarga", Data: localPath(r)})
			return
		case errors.Is(err, access.ErrNoSession):
			http.Redirect(w, r, address(url.Values{"next": {localPath(r)}}, "login"), http.StatusSeeOther)
			return
		case err == nil && !permission.Allows(who.Role):
			text := "This needs the role " + permission.Least.String() + "; your key has the role " + who.Role.String() + "."
			err = &problem{http.StatusForbidden, text}
		}
		r = r.WithContext(acting(context.WithValue(r.Context(), operatorKey{}, who), r, to, who))
		r.Body = http.MaxBytesReader(w, r.Body, cmp.Or(to.maxForm, maxForm))
		if err == nil {
			err = to.check(r)
		}
		if err == nil {
			err = to.page(w, r, who)
		}
		if err != nil {
			c.fail(w, r, err)
		}
	})
}

type operatorKey struct{}

// acting notes in whose name a form changes something, and of what.
func acting(ctx context.Context, r *http.Request, to route, who operator) context.Context {
	if !strings.HasPrefix(to.pattern, http.MethodPost) || who.Name == "" {
		return ctx
	}
	action := strings.ReplaceAll(access.ActOf(to.pattern), "{action}", r.PathValue("action"))
	return audit.With(ctx, who.Act(ctx, desk.ViaConsole, action, ""))
}

// check refuses what the route does not take. It must come before anything reads the form.
func (to route) check(r *http.Request) error {
	wrong := append(params.CheckPath("path", r.URL.Path), params.CheckQuery(r.URL.RawQuery, to.query...)...)
	if r.Method == http.MethodPost {
		// A body of another type would be read later, by whoever asks for a field, and unseen by this check.
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
			return &problem{http.StatusUnsupportedMediaType, "A form must be sent as application/x-www-form-urlencoded."}
		}
		if err := r.ParseForm(); err != nil && len(wrong) == 0 {
			return &problem{http.StatusBadRequest, "The form cannot be read: " + err.Error()}
		}
		wrong = append(wrong, params.Check(r.PostForm, to.form...)...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return &problem{http.StatusUnprocessableEntity, "Nothing was done. " + topup.JoinFields(wrong).Error()}
}
