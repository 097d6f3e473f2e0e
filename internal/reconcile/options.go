package reconcile

import (
	"errors"
	"maps"
	"net/url"
	"recarga/internal/reconcile/statement"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones would refuse the default one

	"recarga/internal/table"
	"recarga/topup"
)

// Absent is what becomes of an unknown order that a statement covers and does not name.
type Absent string

// The choices for absent orders.
const (
	AbsentHold   Absent = "hold"
	AbsentFailed Absent = "failed"
	AbsentResend Absent = "resend"
)

// Options are those of one reconciliation. ParseOptions fills in the defaults.
type Options struct {
	// Name of the statement's file, for the orders' records.
	Name string
	// By is who reconciles, for the orders' records.
	By string
	// Format is how the statement is written.
	statement.Format
	// Covers is the time of which the statement names every charge; nil: see Reconciler.Run.
	Covers *Period
	// Margin is how far within that time an attempt must lie, for its absence to mean anything.
	Margin time.Duration
	Absent Absent
	DryRun bool
}

// The defaults.
const (
	DefaultZone   = "America/Mexico_City"
	DefaultMargin = time.Hour
	defaultBy     = "reconcile"
	maxName       = 100
)

// Parameters are the names of the options in a query.
func Parameters() []string {
	return []string{
		"name", "by", "columns", "ignore_columns", "no_header", "delimiter", "decimal", "dates", "timezone", "status",
		"charged", "not_charged",
		"covers", "margin", "absent", "dry_run",
	}
}

// ParseOptions reads options from a query; an empty one is its default. The error joins a
// *topup.FieldError for each that is wrong.
func ParseOptions(q url.Values, now time.Time) (Options, error) {
	p := parser{q: q}
	o := Options{
		Name: p.text("name", "statement"), By: p.text("by", defaultBy),
		Absent: choice(&p, "absent", AbsentHold, AbsentFailed, AbsentResend),
		Margin: p.margin(), DryRun: p.yes("dry_run"),
		Format: statement.Format{
			Decimal: choice(&p, "decimal", statement.DecimalAuto, statement.DecimalPoint, statement.DecimalComma),
			Dates:   choice(&p, "dates", statement.DatesDayFirst, statement.DatesMonthFirst),
			Zone:    p.zone(), NoHeader: p.yes("no_header"),
			Charged: p.list("charged"), NotCharged: p.list("not_charged"),
		},
	}
	p.table(&o)
	p.status(&o)
	if s := p.value("covers"); s != "" {
		o.Covers = p.period(s, o.Zone, now)
	}
	return o, errors.Join(p.errs...)
}

// table reads the options of the statement's reader of tables.
func (p *parser) table(o *Options) {
	named, err := table.ParseNamed(p.value("columns"), statement.Columns())
	p.note(statement.FieldError(err))
	for column, name := range named {
		if o.Columns == nil {
			o.Columns = map[statement.Column]string{}
		}
		o.Columns[statement.Column(column)] = name
	}
	o.Ignored, err = table.ParseIgnored(p.value("ignore_columns"))
	p.note(statement.FieldError(err))
	o.Delimiter, err = table.ParseDelimiter(p.value("delimiter"))
	p.note(statement.FieldError(err))
}

// status reads what words mean, and refuses one that is given two meanings.
func (p *parser) status(o *Options) {
	lists := map[string]*[]string{"charged": &o.Charged, "not_charged": &o.NotCharged, "reversed": &o.Reversed,
		"pending": &o.Pending}
	if s := p.value("status"); s != "" {
		pairs, err := table.Pairs(s)
		for _, pair := range pairs {
			list, ok := lists[pair[1]]
			if !ok {
				err = errors.New("no such kind")
				break
			}
			*list = append(*list, statement.Word(pair[0]))
		}
		if err != nil {
			p.refuse("status", s, "WORD=KIND,…, of the kinds charged, not_charged, reversed, pending")
		}
	}
	seen := map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(lists)) {
		for _, w := range *lists[kind] {
			if other := seen[w]; other != "" && other != kind {
				p.refuse(kind, w, "a word that "+other+" does not name")
			}
			seen[w] = kind
		}
	}
}

type parser struct {
	q    url.Values
	errs []error
}

func (p *parser) note(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *parser) refuse(field, value, allowed string) {
	p.note(&topup.FieldError{Field: field, Value: value, Allowed: allowed})
}

func (p *parser) value(name string) string {
	given := p.q[name]
	if len(given) > 1 {
		p.refuse(name, strings.Join(given, ", "), "given once")
	}
	if len(given) == 0 {
		return ""
	}
	return given[0]
}

func (p *parser) text(name, standard string) string {
	s := p.value(name)
	switch {
	case len(s) > maxName:
		p.refuse(name, s, "at most 100 bytes")
	case s == "":
		return standard
	}
	return s
}

// choice is one of few; the first is the default.
func choice[T ~string](p *parser, name string, allowed ...T) T {
	s := T(p.value(name))
	if s == "" {
		return allowed[0]
	}
	if !slices.Contains(allowed, s) {
		var names []string
		for _, a := range allowed {
			if a != "" {
				names = append(names, string(a))
			}
		}
		p.refuse(name, string(s), "one of "+strings.Join(names, ", "))
	}
	return s
}

func (p *parser) list(name string) []string {
	var words []string
	for w := range strings.SplitSeq(p.value(name), ",") {
		if w = statement.Word(w); w != "" {
			words = append(words, w)
		}
	}
	return words
}

func (p *parser) zone() *time.Location {
	name := p.text("timezone", DefaultZone)
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		p.refuse("timezone", name, "a name of the time zone database, as in America/Mexico_City or UTC")
		return time.UTC
	}
	return zone
}

func (p *parser) margin() time.Duration {
	s := p.text("margin", DefaultMargin.String())
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		p.refuse("margin", s, "a duration from 0s, as in 1h or 90m")
	}
	return d
}

func (p *parser) yes(name string) bool {
	s := p.value(name)
	if s != "" && s != "true" && s != "false" {
		p.refuse(name, s, "true or false")
	}
	return s == "true"
}

const coversAllowed = "FROM..UNTIL, two times of RFC 3339 or two dates, of which the last is included, and none " +
	"later than now"

// period reads FROM..UNTIL. A plus sign that was not escaped has become a space on the way.
func (p *parser) period(s string, zone *time.Location, now time.Time) *Period {
	first, last, ok := strings.Cut(strings.ReplaceAll(s, " ", "+"), "..")
	from, okFrom := boundary(first, zone)
	until, okUntil := boundary(last, zone)
	period := Period{From: from.At.UTC(), Until: until.Last().UTC()}
	if !ok || !okFrom || !okUntil || !period.From.Before(period.Until) || period.Until.After(now) {
		p.refuse("covers", s, coversAllowed)
		return nil
	}
	return &period
}

func boundary(s string, zone *time.Location) (statement.Moment, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return statement.Moment{At: t}, true
	}
	t, err := time.ParseInLocation("2006-01-02", s, zone)
	return statement.Moment{At: t, Day: true}, err == nil
}
