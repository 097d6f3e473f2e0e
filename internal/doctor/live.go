package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"recarga/distributor"
	"recarga/internal/config"
	"recarga/internal/coordination"
	"recarga/internal/queue"
)

const (
	// LiveTimeout is what a check of a Live may take, unless Config says otherwise: as long as Recarga
	// itself waits for a login or a balance.
	LiveTimeout = 30 * time.Second
	// slowAnswer is what a login or a balance takes at a distributor in trouble.
	slowAnswer = 2 * time.Second
	// oldBalance is far above the half minute for which the vendor's siblings repeat a balance.
	oldBalance = 10 * time.Minute
	// shortToken is a life in which a token is hardly used twice.
	shortToken = time.Minute
	// madeUpToken was issued by nobody.
	madeUpToken = "recarga-doctor-made-this-up"
)

// Live walks through the distributor's integration checklist at its real API, with the very client that
// the workers use. It logs in twice, and buys nothing unless Purchase is called.
type Live struct {
	cfg     Config
	show    func(Finding)
	part    *distributorPart
	answers answers
	rdb     redis.UniversalClient // nil: the token is not shared
	// tokens are those of rdb, or a store that nobody shares.
	tokens distributor.TokenStore

	// client holds the token of the first login.
	client  *distributor.Client
	clients []*distributor.Client
	// refusal is the answer to a token that nobody issued.
	refusal timedAnswer
}

// NewLive prepares a walk at the distributor of the settings. A login's token is put into their Redis, unless that is
// the embedded one, so that the running workers need none of their own. show gets each finding at once; nil: nobody
// does. Close it.
func NewLive(cfg Config, show func(Finding)) *Live {
	cfg.Timeout = cmp.Or(cfg.Timeout, LiveTimeout)
	if show == nil {
		show = func(Finding) {}
	}
	l := &Live{cfg: cfg, show: show, part: &distributorPart{roots: cfg.RootCAs, url: new(url.URL)},
		tokens: new(localTokenStore)}
	if options, err := queue.ParseURL(cfg.RedisURL); err == nil && cfg.RedisURL != queue.Embedded {
		l.rdb = redis.NewUniversalClient(options)
		l.tokens = coordination.Redis{Client: l.rdb}.TokenStore(cfg.DistributorCustomerID,
			cfg.DistributorSecretKey, cfg.DistributorURL)
	}
	l.client = l.newClient(first(l.tokens, ""))
	if l.part.err == nil {
		l.part.url, l.part.err = url.Parse(cfg.DistributorURL)
	}
	return l
}

func (l *Live) newClient(tokens distributor.TokenStore) *distributor.Client {
	c, err := distributor.New(distributor.Config{
		URL: l.cfg.DistributorURL, CustomerID: l.cfg.DistributorCustomerID, SecretKey: l.cfg.DistributorSecretKey,
		Tokens: tokens, Observe: l.answers.add, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		l.part.err = err
		return nil
	}
	l.clients = append(l.clients, c)
	return c
}

// Close closes all connections.
func (l *Live) Close() {
	if l.rdb != nil {
		_ = l.rdb.Close() // what had to be written is
	}
	for _, c := range l.clients {
		c.Close()
	}
}

// checks are made one after the other. A failure ends the walk.
func (l *Live) checks() []Check {
	return []Check{
		check("live reachable", l.part.reachable),
		check("live certificate", l.part.certificate),
		check("live shared token", l.sharedToken),
		check("live login", l.login),
		check("live token renewal", l.renewal),
		check("live sessions", l.sessions),
		check("live balance", l.balance),
		check("live errors", l.errors),
		check("live clock", l.clock),
		check("live latency", l.latency),
	}
}

// LiveChecks are all checks of a Live, a purchase's included, in the order of their findings.
func LiveChecks() []Check {
	l := NewLive(Config{Settings: config.Settings{DistributorURL: "https://distributor"}}, nil)
	defer l.Close()
	return slices.Concat(l.checks(), (&buying{}).checks())
}

// Examine makes the checks, but no purchase.
func (l *Live) Examine(ctx context.Context) []Finding { return l.walk(ctx, l.checks(), l.cfg.Timeout) }

func (l *Live) walk(ctx context.Context, checks []Check, timeout time.Duration) (all []Finding) {
	for i, c := range checks {
		f := c.bounded(ctx, timeout)
		if f.Status == "" {
			continue
		}
		left := len(checks) - i - 1
		if f.Status == Fail && left > 0 {
			f.Found += fmt.Sprintf(" (%d more not checked)", left)
		}
		l.show(f)
		all = append(all, f)
		if f.Status == Fail {
			break
		}
	}
	return all
}

// sharedToken asks for the balance as a worker would that has only the shared token.
func (l *Live) sharedToken(ctx context.Context) Finding {
	if l.rdb == nil {
		return nothing()
	}
	switch value, _, err := l.tokens.Load(ctx); {
	case err != nil:
		return warn("%v", err).with("start Redis, or correct RECARGA_REDIS_URL: the workers now have to log in again, " +
			"each by itself")
	case value == "":
		return ok("none: no worker has logged in lately")
	}
	before := l.answers.count()
	_, err := l.newClient(l.tokens).Balance(ctx)
	said := l.answers.since(before)
	if err != nil {
		return refused(said, err)
	}
	if len(said) > 1 {
		return warn("refused, upon which a new login put another in its place")
	}
	return ok("accepted")
}

func (l *Live) login(ctx context.Context) Finding {
	before := l.answers.count()
	err := l.client.Authorize(ctx)
	said := l.answers.since(before)
	if errors.Is(err, distributor.ErrCredentials) {
		return fail("refused, HTTP %d", said[len(said)-1].Status)
	}
	if err != nil {
		return refused(said, err)
	}
	answer := said[len(said)-1]
	_, renewed, _ := l.tokens.Load(ctx)
	life := time.Until(renewed).Round(time.Second)
	f := deviating("login", answer, "accepted in %s; its token is renewed after %s", millis(answer.Took), life)
	if life < shortToken {
		return warn("%s", f.Found).with("ask the distributor for tokens that live longer: with these nearly every " +
			"purchase logs in first")
	}
	return f
}

// renewal has a client begin with a token that is refused, and with no other in the store.
func (l *Live) renewal(ctx context.Context) Finding {
	before := l.answers.count()
	_, err := l.newClient(first(l.tokens, madeUpToken, "")).Balance(ctx)
	said := l.answers.since(before)
	switch {
	case len(said) == 0 || said[0].Err != nil:
		return refused(said, err)
	case said[0].Status == http.StatusOK:
		return fail("a made-up token was accepted").with("report it to the distributor: whoever knows its address can use " +
			"the account")
	case said[0].Status != http.StatusUnauthorized:
		return refused(said[:1], fmt.Errorf("a refused token was answered with HTTP %d", said[0].Status))
	case err != nil:
		return refused(said, err)
	}
	l.refusal = said[0]
	return ok("a refused token led to a new login, and that to an answer, in %s", millis(total(said)))
}

func total(all []timedAnswer) (sum time.Duration) {
	for _, a := range all {
		sum += a.Took
	}
	return sum
}

// sessions uses the first login's token after the second login.
func (l *Live) sessions(ctx context.Context) Finding {
	before := l.answers.count()
	_, err := l.client.Balance(ctx)
	said := l.answers.since(before)
	switch {
	case err != nil:
		return refused(said, err)
	case said[0].Call != "balance":
		return ok("cannot be found out: a token lives too short")
	case said[0].Status == http.StatusOK:
		return ok("several: an older token stays valid after a login")
	case l.rdb == nil:
		return ok("one: a login ends the older token. This one ended the running workers', who log in again by themselves")
	default:
		return ok("one: a login ends the older token. The running workers find the new one in Redis")
	}
}

func (l *Live) balance(ctx context.Context) Finding {
	b, err := l.client.Balance(ctx)
	if err != nil {
		return refused(l.answers.since(0), err)
	}
	amount, err := decimal.NewFromString(b.Amount.String())
	f := deviating("balance", l.answers.last(), "%s %s, %s", b.Amount, b.Currency, age(b))
	switch {
	case err != nil:
		return fail("%q is not a number", b.Amount)
	case f.Status != OK:
		return f
	case !amount.IsPositive():
		return warn("%s", f.Found).with("pay into the account at the distributor: an empty one declines every purchase " +
			"with code 51")
	case !amount.Equal(amount.Truncate(2)):
		return warn("%s", f.Found).with("ask the distributor: more than two decimals hint at sums kept in binary floating " +
			"point")
	}
	return unless(b.FetchedAt.Sub(b.LastUpdated) < oldBalance, Warn, "%s", f.Found)
}

func age(b distributor.Balance) string {
	switch old := b.FetchedAt.Sub(b.LastUpdated).Round(time.Second); {
	case b.LastUpdated.IsZero():
		return "of unknown age"
	case old <= 0:
		return "of this moment"
	default:
		return old.String() + " old"
	}
}

func (l *Live) errors(context.Context) Finding {
	return deviating("error", l.refusal, "HTTP 401, as documented")
}

// clock takes the answer that leaves the least doubt.
func (l *Live) clock(context.Context) Finding {
	found := false
	least := time.Duration(1<<63 - 1)
	for _, a := range l.answers.since(0) {
		theirs, err := http.ParseTime(a.Header.Get("Date"))
		if err != nil {
			continue
		}
		found = true
		if off := offset(theirs, a.asked().Truncate(time.Second), a.at); off.Abs() < least.Abs() {
			least = off
		}
	}
	if !found {
		return ok("it does not say")
	}
	return clock(least, distributorClockWarn, 0)
}

func (l *Live) latency(context.Context) Finding {
	var took []time.Duration
	for _, a := range l.answers.since(0) {
		took = append(took, a.Took)
	}
	slices.Sort(took)
	slowest := took[len(took)-1]
	return unless(slowest < slowAnswer, Warn, "%d answers, half of them within %s, the slowest took %s", len(took),
		millis(took[len(took)/2]), millis(slowest))
}

func millis(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// deviating is fine where the answer is as documented.
func deviating(call string, a timedAnswer, format string, args ...any) Finding {
	f := ok(format, args...)
	if all := distributor.Deviations(call, a.Body); len(all) > 0 {
		return warn("%s; not as documented: %s", f.Found,
			strings.Join(all, ", ")).with("ask the distributor what changed, and whether its document is the current one")
	}
	return f
}

// refused says why there is no good answer.
func refused(said []timedAnswer, err error) Finding {
	const until = "ask the distributor; until it answers, orders wait and nothing is charged"
	if len(said) == 0 {
		return fail("%v", err).with(until)
	}
	last := said[len(said)-1]
	switch {
	case last.Err != nil:
		return fail("%v", last.Err).with(until)
	case last.Status == http.StatusTooManyRequests:
		return fail("too many requests, HTTP 429%s",
			waiting(last.Header)).with("wait, and run it again; ask the distributor for its limit, and set " +
			"RECARGA_DISTRIBUTOR_RATE below it")
	case last.Status == http.StatusNotFound:
		return fail("HTTP 404").with("correct RECARGA_DISTRIBUTOR_URL, which must end in /api/distributor")
	case last.Status >= http.StatusInternalServerError:
		return fail("the distributor is down, HTTP %d", last.Status).with(until)
	case last.Status == http.StatusOK:
		return fail("the answer to %s cannot be used: %s", last.Call,
			strings.Join(distributor.Deviations(last.Call, last.Body), ", ")).
			with("correct RECARGA_DISTRIBUTOR_URL, if something else answers there; otherwise ask the distributor")
	default:
		return fail("%v", err)
	}
}

func waiting(h http.Header) string {
	if wait := h.Get("Retry-After"); wait != "" {
		return ", to be asked again after " + wait + " s"
	}
	return ""
}

// timedAnswer is an answer and when it came.
type timedAnswer struct {
	distributor.Request
	at time.Time
}

func (h timedAnswer) asked() time.Time { return h.at.Add(-h.Took) }

// answers are all that came. A check that timed out may still add one.
type answers struct {
	mu  sync.Mutex
	all []timedAnswer
}

func (a *answers) add(r distributor.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, timedAnswer{r, time.Now()})
}

func (a *answers) since(n int) []timedAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all[n:])
}

func (a *answers) count() int { return len(a.since(0)) }

func (a *answers) last() timedAnswer {
	all := a.since(0)
	return all[len(all)-1]
}

// beginning is a token store that gives out certain tokens before those it has.
type beginning struct {
	distributor.TokenStore
	mu   sync.Mutex
	with []string
}

// first puts tokens before a store's; an empty one has the client log in.
func first(store distributor.TokenStore, with ...string) *beginning {
	return &beginning{TokenStore: store, with: with}
}

func (b *beginning) Load(ctx context.Context) (string, time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.with) == 0 {
		return b.TokenStore.Load(ctx)
	}
	next := b.with[0]
	b.with = b.with[1:]
	return next, time.Now().Add(time.Hour), nil
}

// localTokenStore keeps the token in this process.
type localTokenStore struct {
	mu      sync.Mutex
	token   string
	expires time.Time
}

func (s *localTokenStore) Load(context.Context) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, s.expires, nil
}

func (s *localTokenStore) Save(_ context.Context, token string, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.expires = token, expires
	return nil
}

func (s *localTokenStore) Lock(context.Context) (func(), error) { return func() {}, nil }
