package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/internal/audit"
	"recarga/internal/callers"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

// Pinger tries endpoints out: webhook.Deliverer.
type Pinger interface {
	// Ping returns topup.ErrNotFound where there is no such endpoint, and a *topup.QuotaError where it is pinged too
	// often.
	Ping(ctx context.Context, caller, endpoint string) (webhook.Pinged, error)
}

// callerView is a caller with its endpoints; the first may be the callback URL.
type callerView struct {
	topup.Caller
	// Endpoints are all that are notified, each with whether it answers.
	Endpoints []endpointView
	// Types are those that an endpoint can want.
	Types []topup.EventType
	// Done is the message of the action before, and Wrong why it was not done.
	Done, Wrong string
	// Pinged is what came of a ping; nil: none was sent.
	Pinged *pingedView
}

type endpointView struct {
	topup.CallerEndpoint
	topup.EndpointHealth
	// Headers are the names of its own headers: their values are sealed.
	Headers []string
}

// IsCallback reports whether it is the callback URL, which has no name of its own.
func (e endpointView) IsCallback() bool { return e.Name == topup.DefaultEndpoint }

// pingedView is a ping and its answer.
type pingedView struct {
	// Endpoint is its name.
	Endpoint string
	webhook.Pinged
}

// callersView is the list of callers.
type callersView struct {
	Callers []callerView
	// Name and URL are as they were typed, and Wrong why nobody was added.
	Name, URL, Wrong string
}

func (c *Console) callers(w http.ResponseWriter, r *http.Request, _ operator) error {
	return c.listCallers(w, r, http.StatusOK, callersView{})
}

func (c *Console) listCallers(w http.ResponseWriter, r *http.Request, status int, v callersView) error {
	all, err := c.cfg.Callers.List(r.Context())
	if err != nil {
		return err
	}
	health, err := c.cfg.Journal.EndpointsHealth(r.Context())
	if err != nil {
		return err
	}
	for _, caller := range all {
		if caller.Name != topup.DefaultCaller { // of the one of the settings the registry has limits alone
			v.Callers = append(v.Callers, c.callerView(caller, health))
		}
	}
	c.show(w, r, status, "callers", view{Title: "Callers", Data: v})
	return nil
}

func (c *Console) callerView(
	caller topup.Caller, health map[topup.EndpointAddress]topup.EndpointHealth,
) callerView {
	v := callerView{Caller: caller, Types: topup.EventTypes()}
	endpoints := caller.Endpoints
	if caller.CallbackURL != "" {
		endpoints = append([]topup.CallerEndpoint{{Name: topup.DefaultEndpoint, URL: caller.CallbackURL}}, endpoints...)
	}
	headers := c.cfg.Callers.HeaderNames(caller)
	for _, e := range endpoints {
		h := health[topup.EndpointAddress{Caller: caller.Name, URL: e.URL}]
		v.Endpoints = append(v.Endpoints, endpointView{e, h, headers[e.Name]})
	}
	return v
}

// callerOf is the caller of a page, as it now is.
func (c *Console) callerOf(r *http.Request) (topup.Caller, error) {
	all, err := c.cfg.Callers.List(r.Context())
	if err != nil {
		return topup.Caller{}, err
	}
	i := slices.IndexFunc(all, func(one topup.Caller) bool { return one.Name == r.PathValue("name") })
	if i < 0 || all[i].Name == topup.DefaultCaller {
		return topup.Caller{}, topup.ErrNotFound
	}
	return all[i], nil
}

func (c *Console) caller(w http.ResponseWriter, r *http.Request, _ operator) error {
	return c.showCaller(w, r, http.StatusOK, callerView{Done: callerMessages[r.URL.Query().Get("done")]})
}

// callerMessages are those after an action.
var callerMessages = map[string]string{"changed": "Changed.", "enabled": "Enabled.", "disabled": "Disabled.",
	"removed": "Removed."}

// showCaller shows a caller as it now is, with what is said of the action before.
func (c *Console) showCaller(w http.ResponseWriter, r *http.Request, status int, said callerView) error {
	caller, err := c.callerOf(r)
	if err != nil {
		return err
	}
	health, err := c.cfg.Journal.EndpointsHealth(r.Context())
	if err != nil {
		return err
	}
	v := c.callerView(caller, health)
	v.Done, v.Wrong, v.Pinged = said.Done, said.Wrong, said.Pinged
	c.show(w, r, status, "caller", view{Title: "Caller " + caller.Name, Data: v})
	return nil
}

// secretView shows what is shown once.
type secretView struct {
	// Caller is whose it is.
	Caller string
	// Key and Secret are in plain text; empty: it has another, which stays.
	Key, Secret string
}

func (c *Console) addCaller(w http.ResponseWriter, r *http.Request, who operator) error {
	n := callers.NewCaller{Name: strings.TrimSpace(r.PostFormValue("name")),
		CallbackURL: strings.TrimSpace(r.PostFormValue("callback_url"))}
	added, err := c.cfg.Callers.Add(r.Context(), n)
	if errors.Is(err, topup.ErrConflict) {
		err = &topup.FieldError{Field: "name", Value: n.Name, Allowed: "another one: it is taken"}
	}
	switch {
	case len(topup.FieldErrors(err)) > 0:
		return c.listCallers(w, r, http.StatusUnprocessableEntity, callersView{Name: n.Name, URL: n.CallbackURL,
			Wrong: err.Error()})
	case err != nil:
		return err
	}
	c.changedCaller(r, who, n.Name, "added")
	c.show(w, r, http.StatusOK, "secret", view{Title: "Caller " + n.Name,
		Data: secretView{n.Name, added.APIKey, added.WebhookSecret}})
	return nil
}

func (c *Console) changedCaller(r *http.Request, who operator, caller, what string) {
	c.cfg.Log.WarnContext(r.Context(), "caller changed at the console", "caller", caller, "action", what, "by", who.Name)
}

// callerAction is something that is done to a caller; what it returns is said of it.
type callerAction func(r *http.Request, caller string, version int64) (done string, err error)

// onCaller does something to a caller of the version that was shown, and shows it again.
func (c *Console) onCaller(do callerAction) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		caller, err := c.callerOf(r)
		if err != nil {
			return err
		}
		version, err := versionOf(r)
		var done string
		if err == nil {
			done, err = do(r, caller.Name, version)
		}
		if err != nil {
			return c.notChanged(w, r, err)
		}
		c.changedCaller(r, who, caller.Name, done)
		http.Redirect(w, r, address(query("done", done), "callers", caller.Name), http.StatusSeeOther)
		return nil
	}
}

// versionOf is the version of the caller that the page showed; 0: the form has none.
func versionOf(r *http.Request) (int64, error) {
	text := r.PostFormValue("version")
	if text == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		err = &topup.FieldError{Field: "version", Value: text, Allowed: "the caller's version that was shown"}
	}
	return version, err
}

func (c *Console) setCallback(r *http.Request, caller string, version int64) (string, error) {
	to := strings.TrimSpace(r.PostFormValue("callback_url"))
	headers, err := headersOf(r)
	if err == nil {
		_, err = c.cfg.Callers.Update(r.Context(), caller, version, callers.Change{CallbackURL: &to, Headers: headers})
	}
	return "changed", err
}

// headersOf are the headers of a form, one a line; nil: those that there are stay.
func headersOf(r *http.Request) (map[string]string, error) {
	headers := map[string]string{}
	if r.PostFormValue("no_headers") == "yes" {
		return headers, nil
	}
	for line := range strings.Lines(r.PostFormValue("headers")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, given := strings.Cut(line, ":")
		if !given {
			return nil, &topup.FieldError{Field: "headers", Allowed: "NAME: VALUE, one a line"}
		}
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if len(headers) == 0 {
		return nil, nil
	}
	return headers, nil
}

func (c *Console) setLimits(r *http.Request, caller string, version int64) (string, error) {
	rate, err := topup.ParseRate("max_rate", strings.TrimSpace(r.PostFormValue("max_rate")))
	open, openErr := strconv.Atoi(cmp.Or(strings.TrimSpace(r.PostFormValue("max_open")), "0"))
	if openErr != nil {
		err = errors.Join(err, &topup.FieldError{Field: "max_open", Value: r.PostFormValue("max_open"),
			Allowed: "a number from 1, or 0 for any number"})
	}
	prefix := strings.TrimSpace(r.PostFormValue("id_prefix"))
	if err == nil {
		change := callers.Change{IDPrefix: &prefix, MaxOpen: &open, MaxRate: &rate}
		_, err = c.cfg.Callers.Update(r.Context(), caller, version, change)
	}
	return "changed", err
}

func (c *Console) switchCaller(disabled bool) callerAction {
	return func(r *http.Request, caller string, version int64) (string, error) {
		_, err := c.cfg.Callers.Update(r.Context(), caller, version, callers.Change{Disabled: &disabled})
		return switched(disabled), err
	}
}

func switched(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

func (c *Console) setEndpoint(r *http.Request, caller string, version int64) (string, error) {
	e := topup.CallerEndpoint{Name: strings.TrimSpace(r.PostFormValue("endpoint")),
		URL: strings.TrimSpace(r.PostFormValue("url"))}
	for _, kind := range r.PostForm["event_types[]"] {
		e.EventTypes = append(e.EventTypes, topup.EventType(kind))
	}
	headers, err := headersOf(r)
	if err == nil {
		_, err = c.cfg.Callers.SetEndpoint(r.Context(), caller, version, e, headers)
	}
	return "changed", err
}

func (c *Console) removeEndpoint(r *http.Request, caller string, version int64) (string, error) {
	_, err := c.cfg.Callers.RemoveEndpoint(r.Context(), caller, version, r.PathValue("endpoint"))
	return "removed", err
}

// switchEndpoint has events sent to an endpoint again, or no more.
func (c *Console) switchEndpoint(disabled bool) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		do := c.cfg.Orders.EnableEndpoint
		if disabled {
			do = c.cfg.Orders.DisableEndpoint
		}
		return c.onCaller(func(r *http.Request, caller string, _ int64) (string, error) {
			one, err := c.callerOf(r)
			if err != nil {
				return "", err
			}
			at, err := urlOf(one, r.PathValue("endpoint"))
			if err != nil {
				return "", err
			}
			e := topup.DisabledEndpoint{Caller: caller, Endpoint: r.PathValue("endpoint"), URL: at}
			return switched(disabled), do(r.Context(), e, producer.Actor{By: who.Name})
		})(w, r, who)
	}
}

// urlOf is where an endpoint is, or topup.ErrNotFound.
func urlOf(caller topup.Caller, endpoint string) (string, error) {
	if endpoint == topup.DefaultEndpoint && caller.CallbackURL != "" {
		return caller.CallbackURL, nil
	}
	if i := caller.EndpointIndex(endpoint); i >= 0 {
		return caller.Endpoints[i].URL, nil
	}
	return "", topup.ErrNotFound
}

// rotate gives a caller a new key or secret, and shows it once.
func (c *Console) rotate(what string) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		caller, err := c.callerOf(r)
		if err != nil {
			return err
		}
		v := secretView{Caller: caller.Name}
		how := callers.Rotation{}
		how.Version, err = versionOf(r)
		if err == nil {
			how.Overlap, err = overlapOf(r)
		}
		switch {
		case err != nil:
		case what == "key":
			v.Key, _, err = c.cfg.Callers.RotateKey(r.Context(), caller.Name, how)
		default:
			v.Secret, _, err = c.cfg.Callers.RotateSecret(r.Context(), caller.Name, how)
		}
		if err != nil {
			return c.notChanged(w, r, err)
		}
		c.changedCaller(r, who, caller.Name, "new "+what)
		c.show(w, r, http.StatusOK, "secret", view{Title: "Caller " + caller.Name, Data: v})
		return nil
	}
}

func overlapOf(r *http.Request) (time.Duration, error) {
	text := cmp.Or(strings.TrimSpace(r.PostFormValue("overlap")), "0s")
	d, err := time.ParseDuration(text)
	if err != nil {
		err = &topup.FieldError{Field: "overlap", Value: text, Allowed: "a duration, as in 24h"}
	}
	return d, err
}

// ping tries an endpoint out, and shows its answer.
func (c *Console) ping(w http.ResponseWriter, r *http.Request, who operator) error {
	caller, err := c.callerOf(r)
	if err != nil {
		return err
	}
	endpoint := r.PathValue("endpoint")
	if err := c.cfg.Journal.RecordAct(audit.On(r.Context(), caller.Name+"/"+endpoint)); err != nil {
		return err
	}
	done, err := c.cfg.Pinger.Ping(r.Context(), caller.Name, endpoint)
	var often *topup.QuotaError
	switch {
	case errors.As(err, &often):
		return &problem{http.StatusTooManyRequests, often.Error()}
	case err != nil:
		return err
	}
	c.changedCaller(r, who, caller.Name, "pinged "+endpoint)
	return c.showCaller(w, r, http.StatusOK, callerView{Pinged: &pingedView{endpoint, done}})
}

// notChanged answers whose change of a caller came to nothing.
func (c *Console) notChanged(w http.ResponseWriter, r *http.Request, err error) error {
	switch {
	case errors.As(err, new(*topup.ChangedError)):
		return c.showCaller(w, r, http.StatusConflict, callerView{Wrong: "Nothing was done: " + err.Error()})
	case len(topup.FieldErrors(err)) > 0:
		return c.showCaller(w, r, http.StatusUnprocessableEntity, callerView{Wrong: err.Error()})
	case errors.Is(err, callers.ErrNoKey):
		return &problem{http.StatusConflict, err.Error()}
	}
	return err
}
