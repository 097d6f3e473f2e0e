package metrics

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recarga/internal/journal"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/webhook"
)

func (m *Metrics) defineJournal() {
	m.pauses = m.desc(gauge, "recarga_pauses")
	m.commitWrites = m.histograms(shared, "recarga_journal_commit_writes")
	m.commitSeconds = m.histograms(quick, "recarga_journal_commit_seconds")
	m.commitErrors = m.counters(alone(), "recarga_journal_commit_errors_total")
	m.archived = m.counters(alone(), "recarga_archived_orders_total")
	m.archiveErrors = m.counters(alone(), "recarga_archive_errors_total")
}

// Archived counts orders that were moved to the archive, and whether all could be that should.
func (m *Metrics) Archived(orders int64, all bool) {
	m.archived.WithLabelValues().Add(float64(orders))
	if !all {
		m.archiveErrors.WithLabelValues().Inc()
	}
}

// Committed measures a commit; it is for journal.WithObserver.
func (m *Metrics) Committed(c journal.Commit) {
	if c.Err != nil {
		m.commitErrors.WithLabelValues().Inc()
		return
	}
	m.commitWrites.WithLabelValues().Observe(float64(c.Operations))
	m.commitSeconds.WithLabelValues().Observe(c.Took.Seconds())
}

// scrapeTimeout bounds what a scrape waits for the book of record.
const scrapeTimeout = 5 * time.Second

// book reads the book of record at a scrape.
type book struct {
	m       *Metrics
	journal *journal.Journal
	log     *slog.Logger
	// disableAfter is how long an endpoint may fail.
	disableAfter time.Duration
	closed       *atomic.Bool
}

// ReadFrom has scrapes read the book of record, until the function it returns is called. disableAfter is how long an
// endpoint may fail before it is disabled.
func (m *Metrics) ReadFrom(j *journal.Journal, disableAfter time.Duration, log *slog.Logger) (stop func()) {
	b := book{m: m, journal: j, log: log, disableAfter: disableAfter, closed: new(atomic.Bool)}
	m.scrape(b.read)
	return func() { b.closed.Store(true) }
}

// read shows the book. Where the database does not answer, its metrics are absent.
func (b book) read(metrics chan<- prometheus.Metric) {
	if b.closed.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	if err := errors.Join(b.readOrders(ctx, metrics), b.readEvents(ctx, metrics),
		b.readBalance(ctx, metrics), b.readPauses(ctx, metrics)); err != nil && !b.closed.Load() {
		b.log.Warn("orders not counted", "error", err)
	}
}

func (b book) readOrders(ctx context.Context, metrics chan<- prometheus.Metric) error {
	counts, err := b.journal.CountByState(ctx)
	if err != nil {
		return err
	}
	for _, f := range topup.StateTable() {
		show(metrics, b.m.orders, float64(counts[f.State]), string(f.State))
	}
	lengths, err := b.journal.WaitingByPriority(ctx)
	if err != nil {
		return err
	}
	for _, p := range topup.Priorities() {
		show(metrics, b.m.waiting, float64(lengths[p]), string(p))
	}
	oldest, err := b.journal.OldestUnknown(ctx)
	if err != nil {
		return err
	}
	show(metrics, b.m.unknownAge, age(oldest))
	disputed, first, err := b.journal.Disputed(ctx)
	if err != nil {
		return err
	}
	show(metrics, b.m.disputed, float64(disputed))
	show(metrics, b.m.disputedAge, age(first))
	due, err := b.journal.Due(ctx, time.Now(), topup.Due{}, 1)
	if err != nil {
		return err
	}
	show(metrics, b.m.dueAge, age(append(due, topup.Due{})[0].DueAt)) // the zero time where nothing is due
	return nil
}

func (b book) readBalance(ctx context.Context, metrics chan<- prometheus.Metric) error {
	s, err := b.journal.Balance(ctx)
	if err != nil {
		return err
	}
	if !s.At.IsZero() {
		show(metrics, b.m.balance, float64(s.Amount)/100, currency(s.Currency))
		show(metrics, b.m.balanceAt, float64(s.At.UnixMilli())/1e3)
	}
	show(metrics, b.m.balanceLow, truth(s.Low))
	show(metrics, b.m.balanceDrift, float64(s.Drift)/100)
	return nil
}

// readPauses counts by kind: the names of callers are no labels.
func (b book) readPauses(ctx context.Context, metrics chan<- prometheus.Metric) error {
	controls, err := b.journal.Controls(ctx)
	if err != nil {
		return err
	}
	count := map[desk.ControlKind]int{}
	for _, c := range controls {
		count[c.Kind]++
	}
	for _, kind := range desk.Pauses() {
		show(metrics, b.m.pauses, float64(count[kind]), string(kind))
	}
	return nil
}

func (b book) readEvents(ctx context.Context, metrics chan<- prometheus.Metric) error {
	counts, err := b.journal.CountEvents(ctx)
	if err != nil {
		return err
	}
	for _, state := range []topup.EventState{topup.EventPending, topup.EventExhausted} {
		show(metrics, b.m.events, float64(counts[state]), string(state))
	}
	disabled, err := b.journal.DisabledEndpoints(ctx)
	if err != nil {
		return err
	}
	show(metrics, b.m.endpointsDisabled, float64(disabled))
	now := time.Now()
	for _, share := range webhook.WarnAt() {
		since := now.Add(-time.Duration(share * float64(b.disableAfter)))
		failing, err := b.journal.FailingEndpoints(ctx, since, now)
		if err != nil {
			return err
		}
		show(metrics, b.m.endpointsFailing, float64(failing), strconv.FormatFloat(share, 'f', -1, 64))
	}
	due, err := b.journal.DueEvents(ctx, time.Now(), topup.DueEvent{}, 1)
	if err != nil {
		return err
	}
	undelivered, err := b.journal.OldestUndelivered(ctx)
	if err != nil {
		return err
	}
	show(metrics, b.m.undeliveredAge, age(undelivered))
	show(metrics, b.m.eventDueAge, age(append(due, topup.DueEvent{})[0].DueAt)) // as of orders
	return nil
}

// age is the time since then; 0 for never.
func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return seconds(time.Since(since))
}
