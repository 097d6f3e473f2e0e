// Package bench is the benchmark of record: it measures Recarga, as processes that its users run, beside
// a plain asynq worker that keeps no journal and beside a worker without any store, in the same run.
//
// The standard job: orders come in over HTTP on a number of connections, are bought from a vendor that
// answers at once, and are delivered to a receiver that answers at once. Both live in this process, as does
// the load, so everything shares one machine. Contenders take turns, round by round, so that what else
// the machine does falls on all of them: read ratios, not absolute figures.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Config says what is measured. The zero value measures nothing; see Defaults.
type Config struct {
	// Orders of the standard job, on Connections at a time.
	Orders, Connections int
	// Rounds that each contender has.
	Rounds int
	// Lone is how many orders are placed one by one.
	Lone int
	// Rate is how many orders a second come in, and For how long, while the API is timed. 0: it is not.
	Rate int
	For  time.Duration
	// Scheduled is how many orders are due at moments spread over Within, to see how late each comes. 0: none.
	Scheduled int
	Within    time.Duration
	// InFlight is how many purchases a program has under way at once whose vendor takes Slow to answer. 0: it is not
	// measured.
	InFlight int
	Slow     time.Duration
	// Idle is how long a waiting program is watched. 0: it is not.
	Idle time.Duration
	// Program is the recarga that is measured, and runs the rivals as "bench rival".
	Program string
	// DatabaseURL and RedisURL, where either is set, are measured instead of servers started here. The
	// database must hold no orders.
	DatabaseURL, RedisURL string
	// Only names the contenders; none means all.
	Only []string
	// Folder is where everything is kept meanwhile.
	Folder string
	// Environ is the environment of the program, without settings.
	Environ []string
	Log     *slog.Logger
	// concurrency is how many purchases the program makes at once; 0: its default.
	concurrency int
}

// Defaults are the benchmark of record.
func Defaults() Config {
	return Config{Orders: 10_000, Connections: 32, Rounds: 3, Lone: 200, Rate: 2000, For: 5 * time.Second,
		Scheduled: 1000, Within: 10 * time.Second, InFlight: 10_000, Slow: 5 * time.Second, Idle: 5 * time.Second}
}

// The metrics of a round.
const (
	Throughput   = "orders_per_second"        // placed to delivered, of the standard job
	Accepted     = "accepted_per_second"      // answered 202
	CPU          = "cpu_seconds_per_10k"      // of the program and of servers started here
	CPUStore     = "cpu_seconds_store_10k"    // of the servers alone
	CPULoad      = "cpu_seconds_load_10k"     // of the benchmark itself: vendor, receiver and load
	Memory       = "resident_peak_mib"        // of the program, after the standard job
	VendorP50    = "to_vendor_p50_ms"         // a lone order, from the start of its POST
	VendorP99    = "to_vendor_p99_ms"         //
	DeliveredP50 = "to_webhook_p50_ms"        //
	DeliveredP99 = "to_webhook_p99_ms"        //
	PlaceP50     = "place_p50_ms"             // POST /v1/topups while Config.Rate come in, from when it was due
	PlaceP99     = "place_p99_ms"             //
	PlaceRate    = "place_per_second"         // what came in then
	LateP50      = "late_p50_ms"              // a scheduled order at the vendor, after its process_at
	LateP99      = "late_p99_ms"              //
	InFlightRate = "in_flight_percent"        // purchases a second, of Config.InFlight / Config.Slow
	InFlightKiB  = "in_flight_kib_each"       // resident memory of a purchase under way
	IdleCPU      = "idle_percent_of_core"     // of the program
	DatabaseSize = "database_bytes_per_order" // once all is done
	RedisWritten = "redis_bytes_written_per_order"
	RedisMemory  = "redis_memory_per_order" // what is left of it
)

// Report is the outcome of a run.
type Report struct {
	// Machine, Orders and Rounds are what the figures depend on; At is when the run began.
	Machine    Machine               `json:"machine"`
	Orders     int                   `json:"orders"`
	Rounds     int                   `json:"rounds"`
	At         time.Time             `json:"at"`
	Contenders []Contender           `json:"contenders"`
	Left       map[string]string     `json:"left_out,omitempty"` // contenders that could not be measured, and why
	results    map[string][]readings // by contender, a round each
}

// Contender is what was measured of one of them, by metric.
type Contender struct {
	// Name is one of the constants, and Metrics has what could be measured of it.
	Name    string             `json:"name"`
	Metrics map[string]Summary `json:"metrics"`
	// Ratio to the plain worker's median of the same run, where both have the metric.
	Ratio map[string]float64 `json:"ratio_to_plain"`
}

// Summary of a metric over the rounds.
type Summary struct {
	// Min, Median and Max are in the unit that the name of the metric says.
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// readings are one round's, by metric.
type readings map[string]float64

// Run measures all contenders, round by round. The report is good for what was measured, also with an
// error.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r := &Report{Machine: thisMachine(cfg.Folder), Orders: cfg.Orders, Rounds: cfg.Rounds, At: time.Now().UTC(),
		results: map[string][]readings{}}
	var runners []runner
	runners, r.Left = contenders(cfg)
	var err error
	for round := range cfg.Rounds {
		for _, c := range runners {
			cfg.Log.InfoContext(ctx, "measuring", "round", round+1, "contender", c.name)
			var one readings
			if one, err = measure(ctx, cfg, c); err != nil {
				r.summarize(runners)
				return r, fmt.Errorf("round %d, %s: %w", round+1, c.name, err)
			}
			cfg.Log.InfoContext(ctx, "measured", "contender", c.name, "orders_per_second", int(one[Throughput]),
				"cpu_seconds_per_10k", one[CPU])
			r.results[c.name] = append(r.results[c.name], one)
		}
	}
	r.summarize(runners)
	return r, nil
}

// measure has one contender do everything once, from its start to its end.
func measure(ctx context.Context, cfg Config, c runner) (all readings, err error) {
	all = readings{}
	err = c.runs(ctx, cfg, all, (*load).warmUp, (*load).lone, (*load).standard, (*load).steady, (*load).scheduled,
		(*load).idle, (*load).sizes)
	if err == nil && cfg.InFlight > 0 && !c.rival {
		cfg.concurrency = cfg.InFlight
		err = c.runs(ctx, cfg, all, (*load).warmUp, (*load).inFlight)
	}
	return all, err
}

// runs starts the contender, has it take some steps, and ends it.
func (r runner) runs(
	ctx context.Context, cfg Config, got readings, steps ...func(*load, context.Context) error,
) error {
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	p, err := r.start(ctx, cfg, w)
	if err != nil {
		return err
	}
	defer p.stop()
	l := &load{cfg: cfg, world: w, contender: p, got: got}
	for _, step := range steps {
		if err := step(l, ctx); err != nil {
			return err
		}
	}
	return w.check(r.rival)
}

func (r *Report) summarize(runners []runner) {
	plain := map[string]Summary{}
	r.Contenders = nil
	for _, c := range runners {
		metrics := summaries(r.results[c.name])
		if c.name == Plain {
			plain = metrics
		}
		ratio := map[string]float64{}
		for name, s := range metrics {
			if base := plain[name].Median; base > 0 {
				ratio[name] = s.Median / base
			}
		}
		r.Contenders = append(r.Contenders, Contender{Name: c.name, Metrics: metrics, Ratio: ratio})
	}
}

func summaries(rounds []readings) map[string]Summary {
	values := map[string][]float64{}
	for _, round := range rounds {
		for name, v := range round {
			values[name] = append(values[name], v)
		}
	}
	all := map[string]Summary{}
	for name := range maps.Keys(values) {
		v := slices.Sorted(slices.Values(values[name]))
		all[name] = Summary{Min: v[0], Median: (v[(len(v)-1)/2] + v[len(v)/2]) / 2, Max: v[len(v)-1]}
	}
	return all
}
