package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Question asks which alerts of a file fire.
type Question struct {
	// Rules is the file's text.
	Rules string
	// Cases are series, each case by itself: as in `up{job="recarga"} 1x4 0x10`, a value a minute. Always is a series
	// that is in all of them but those that have one of its labels, and does not make them longer.
	Cases  [][]string
	Always string
}

// Answer has the names of the alerts that fired in each case, in their order.
type Answer [][]string

// step is the time between two values, and between two evaluations.
const step = time.Minute

func alerts(text []byte) (any, error) {
	var q Question
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, err
	}
	groups, errs := rulefmt.Parse([]byte(q.Rules), false, model.UTF8Validation, language, slog.New(slog.DiscardHandler))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	always, _, err := read([]string{q.Always})
	if err != nil {
		return nil, err
	}
	answer := make(Answer, len(q.Cases))
	for i, lines := range q.Cases {
		all, last, err := read(lines)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(s storage.Series) bool { return labels.Equal(s.Labels(), always[0].Labels()) }) {
			all = append(all, always...)
		}
		for _, g := range groups.Groups {
			for _, rule := range g.Rules {
				fires, err := fires(rule, all, last)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", rule.Alert, err)
				}
				if fires {
					answer[i] = append(answer[i], rule.Alert)
				}
			}
		}
	}
	return answer, nil
}

// epoch is when the series begin.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func read(lines []string) (all series, last time.Time, err error) {
	for _, line := range lines {
		name, values, err := language.ParseSeriesDesc(line)
		if err != nil {
			return nil, last, fmt.Errorf("%s: %w", line, err)
		}
		var samples []chunks.Sample
		for i, v := range values {
			at := epoch.Add(time.Duration(i) * step)
			if !v.Omitted {
				samples = append(samples, sample{at.UnixMilli(), v.Value})
			}
			if at.After(last) {
				last = at
			}
		}
		all = append(all, storage.NewListSeries(name, samples))
	}
	return all, last, nil
}

var engine = promql.NewEngine(promql.EngineOpts{
	MaxSamples: 1_000_000, Timeout: time.Minute, Parser: language,
	NoStepSubqueryIntervalFn: func(int64) int64 { return step.Milliseconds() },
})

// fires reports whether a rule's expression holds for as long as it says, for one set of labels.
func fires(rule rulefmt.Rule, all series, last time.Time) (bool, error) {
	held := map[string]time.Time{} // since when, by the labels
	for at := epoch; !at.After(last); at = at.Add(step) {
		query, err := engine.NewInstantQuery(context.Background(), all, nil, rule.Expr, at)
		if err != nil {
			return false, err
		}
		found, err := query.Exec(context.Background()).Vector()
		if err != nil {
			return false, err
		}
		now := map[string]time.Time{}
		for _, one := range found {
			labels := one.Metric.String()
			if now[labels] = at; !held[labels].IsZero() {
				now[labels] = held[labels]
			}
		}
		held = now
		query.Close()
		if slices.ContainsFunc(slices.Collect(maps.Values(held)), func(since time.Time) bool {
			return at.Sub(since) >= time.Duration(rule.For)
		}) {
			return true, nil
		}
	}
	return false, nil
}

// series are held in memory. They implement storage.Queryable and storage.Querier.
type series []storage.Series

// Querier implements storage.Queryable.
func (s series) Querier(int64, int64) (storage.Querier, error) { return s, nil }

// Select implements storage.Querier.
func (s series) Select(
	_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher,
) storage.SeriesSet {
	chosen := slices.DeleteFunc(slices.Clone(s), func(one storage.Series) bool {
		return slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(one.Labels().Get(m.Name)) })
	})
	return &set{rest: chosen}
}

// LabelValues implements storage.Querier; no expression asks.
func (series) LabelValues(
	context.Context, string, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

// LabelNames implements storage.Querier; no expression asks.
func (series) LabelNames(
	context.Context, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

// Close implements storage.Querier.
func (series) Close() error { return nil }

// set implements storage.SeriesSet.
type set struct {
	rest series
	at   storage.Series
}

// Next implements storage.SeriesSet.
func (s *set) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.at, s.rest = s.rest[0], s.rest[1:]
	return true
}

// At implements storage.SeriesSet.
func (s *set) At() storage.Series { return s.at }

// Err implements storage.SeriesSet.
func (*set) Err() error { return nil }

// Warnings implements storage.SeriesSet.
func (*set) Warnings() annotations.Annotations { return nil }

// sample implements chunks.Sample.
type sample struct {
	at    int64
	value float64
}

// T implements chunks.Sample.
func (s sample) T() int64 { return s.at }

// ST implements chunks.Sample.
func (sample) ST() int64 { return 0 }

// F implements chunks.Sample.
func (s sample) F() float64 { return s.value }

// H implements chunks.Sample.
func (sample) H() *histogram.Histogram { return nil }

// FH implements chunks.Sample.
func (sample) FH() *histogram.FloatHistogram { return nil }

// Type implements chunks.Sample.
func (sample) Type() chunkenc.ValueType { return chunkenc.ValFloat }

// Copy implements chunks.Sample.
func (s sample) Copy() chunks.Sample { return s }
