// Package metrics counts what a process does, for Prometheus, and reads the book of record and the queue
// when it is scraped. docs/metrics.md lists what there is.
//
// The parts of the program know nothing of it: it wraps their interfaces, or is called by their hooks. No
// label comes from outside unless it is one of a fixed set.
package metrics

import (
	"context"
	_ "embed" // the texts
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"recarga/internal/yamlfile"
	"recarga/topup"
)

// Kinds of metrics.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// Definition is what docs/metrics.md says of a metric.
type Definition struct {
	Name   string   // with the prefix recarga_
	Kind   string   // counter, gauge or histogram
	Help   string   // one line
	Labels []string // their names
	// Longest is the last bucket of a histogram.
	Longest float64 `yaml:"-"`
}

// Metrics are the metrics of one process.
type Metrics struct {
	registry *prometheus.Registry
	all      []Definition
	// codes are those that a label may have, retry those that mean "unavailable".
	codes, retry []topup.Code

	accepted, finished, held, attempts              *prometheus.CounterVec
	orderSeconds, firstAttemptSeconds               *prometheus.HistogramVec
	purchaseSeconds                                 *prometheus.HistogramVec
	purchasing, sweptAt                             *prometheus.GaugeVec
	distributor, webhooks, disabled, queueErrors    *prometheus.CounterVec
	webhookSeconds, commitWrites, commitSeconds     *prometheus.HistogramVec
	commitErrors, http, archived, archiveErrors     *prometheus.CounterVec
	corrected, authFailures, outOfBalance           *prometheus.CounterVec
	httpSeconds                                     *prometheus.HistogramVec
	settings                                        *prometheus.GaugeVec
	orders, unknownAge, dueAge, events, eventDueAge *prometheus.Desc
	endpointsDisabled, endpointsFailing             *prometheus.Desc
	waiting, outage, balance, balanceAt             *prometheus.Desc
	undeliveredAge, pauses                          *prometheus.Desc
	balanceLow, balanceDrift, disputed, disputedAge *prometheus.Desc
	deferred, refused, rejected                     *prometheus.CounterVec
	tasks, pendingAge, paused, servers, stuck       *prometheus.Desc
	repairs, skew, redisMemory, up, waitingRequests *prometheus.Desc
}

// The buckets of the histograms, in seconds; of commits, in writes. What is longer than the last one has no quantile
// but that one, so they reach as far as the defaults of the settings let orders wait and calls take, and a step
// beyond.
var (
	quick = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	waits = []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 6 * hour, day, 3 * day,
		7 * day}
	lives      = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 6 * hour, day, 3 * day, 7 * day}
	vendor     = []float64{.1, .25, .5, 1, 2, 5, 10, 20, 30, 60, 90, 120, 180, 300}
	webhookTry = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60}
	shared     = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

const hour, day = 3600, 24 * hour

// New makes the metrics of a process of this version, in these roles, with these RECARGA_RETRY_CODES.
func New(version string, roles []string, retryCodes []topup.Code) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), codes: topup.Codes(), retry: retryCodes}
	for _, c := range retryCodes {
		if !slices.Contains(m.codes, c) {
			m.codes = append(m.codes, c)
		}
	}
	// Of the memory, what the runtime itself says: the older go_memstats_ have a gauge and a counter of one name.
	m.registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled(),
		collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsMemory)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.defineOrders()
	m.defineDistributor()
	m.defineWebhooks()
	m.defineJournal()
	m.defineQueue()
	m.defineHTTP()
	m.gauges("recarga_build_info").WithLabelValues(version,
		runtime.Version()).Set(1)
	role := m.gauges("recarga_role")
	for _, r := range roles {
		role.WithLabelValues(r).Set(1)
	}
	m.settings = m.gauges("recarga_setting")
	m.up = m.desc(gauge, "recarga_dependency_up")
	return m
}

// code is a response code as a label: one that is not known could be any text.
func (m *Metrics) code(c topup.Code) string {
	switch {
	case c == "":
		return "none"
	case slices.Contains(m.codes, c):
		return string(c)
	default:
		return "other"
	}
}

// Handler serves the metrics, in the form that the reader asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Gatherer collects the metrics, as Handler does.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Definitions are all metrics of ours, in the order in which they are documented.
func (m *Metrics) Definitions() []Definition { return slices.Clone(m.all) }

// SetSetting sets a recarga_setting.
func (m *Metrics) SetSetting(name string, value float64) {
	m.settings.WithLabelValues(name).Set(value)
}

// ShowDependencies has scrapes show which dependencies are up.
func (m *Metrics) ShowDependencies(up func(context.Context) map[string]bool) {
	m.scrape(func(metrics chan<- prometheus.Metric) {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		for name, up := range up(ctx) {
			show(metrics, m.up, truth(up), name)
		}
	})
}

// scrape has each scrape call read, which shows metrics of desc.
func (m *Metrics) scrape(read func(chan<- prometheus.Metric)) { m.registry.MustRegister(scraped(read)) }

// scraped implements prometheus.Collector. It describes nothing beforehand: a scrape shows what there is then.
type scraped func(chan<- prometheus.Metric)

// Describe implements prometheus.Collector.
func (scraped) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (read scraped) Collect(metrics chan<- prometheus.Metric) { read(metrics) }

//go:embed metrics.yaml
var textsFile []byte

// texts are those of all metrics, by name.
var texts = yamlfile.Read[map[string]Definition](textsFile)

// define notes a metric, with its texts of metrics.yaml.
func (m *Metrics) define(kind, name string) Definition {
	d := texts[name]
	d.Name, d.Kind = name, kind
	m.all = append(m.all, d)
	return d
}

// counters begin at 0 for the values that start names: Prometheus does not see the first step of one that
// begins with it.
func (m *Metrics) counters(start [][]string, name string) *prometheus.CounterVec {
	d := m.define(counter, name)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: d.Help}, d.Labels)
	for _, values := range start {
		v.WithLabelValues(values...)
	}
	m.registry.MustRegister(v)
	return v
}

// alone is the start of counters without labels.
func alone() [][]string { return [][]string{nil} }

// each is the start of counters with one label.
func each[T ~string](values ...T) (start [][]string) {
	for _, v := range values {
		start = append(start, []string{string(v)})
	}
	return start
}

// pairs is the start of counters with two labels.
func pairs(first, second []string) (start [][]string) {
	for _, one := range first {
		for _, other := range second {
			start = append(start, []string{one, other})
		}
	}
	return start
}

func (m *Metrics) gauges(name string) *prometheus.GaugeVec {
	d := m.define(gauge, name)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: d.Help}, d.Labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histograms(buckets []float64, name string) *prometheus.HistogramVec {
	d := m.define(histogram, name)
	m.all[len(m.all)-1].Longest = buckets[len(buckets)-1]
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: d.Help, Buckets: buckets}, d.Labels)
	m.registry.MustRegister(v)
	return v
}

// desc is a metric that is read when it is asked for.
func (m *Metrics) desc(kind, name string) *prometheus.Desc {
	d := m.define(kind, name)
	return prometheus.NewDesc(name, d.Help, d.Labels, nil)
}

// show sends the value of a gauge that is read at a scrape.
func show(metrics chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// truth is 1 for true.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }
