package reconcile

import (
	"errors"
	"maps"
	"net/url"
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
	// Columns names columns that are not to be found by their headers: the header, or the column's number.
	Columns map[Column]string
	// Ignored are headers, or numbers, of columns that say nothing of money.
	Ignored []string
	// NoHeader says that the first line is one of the statement's.
	NoHeader bool
	// Delimiter; 0 is found out.
	Delimiter rune
	Decimal   Decimal
	Dates     Dates
	// Zone is that of times without an offset.
	Zone *time.Location
	// Charged, NotCharged, Reversed and Pending are words of the status column, or codes, beside those that are known.
	Charged, NotCharged, Reversed, Pending []string
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
		Decimal: choice(&p, "decimal", DecimalAuto, DecimalPoint, DecimalComma),
		Dates:   choice(&p, "dates", DatesDayFirst, DatesMonthFirst),
		Absent:  choice(&p, "absent", AbsentHold, AbsentFailed, AbsentResend),
		Charged: p.list("charged"), NotCharged: p.list("not_charged"),
		Zone: p.zone(), Margin: p.margin(), DryRun: p.yes("dry_run"), NoHeader: p.yes("no_header"),
	}
	p.table(&o)
	p.status(&o)
	if s := p.value("covers"); s != "" {
		o.Covers = p.period(s, o.Zone, now)
	}
	return o, errors.Join(p.errs...)
}

func (o Options) words() map[kind][]string {
	return map[kind][]string{charged: o.Charged, declined: o.NotCharged, reversed: o.Reversed, pending: o.Pending}
}

// table reads the options of the statement's reader of tables.
func (p *parser) table(o *Options) {
	named, err := table.ParseNamed(p.value("columns"), known())
	p.note(fieldError(err))
	for column, name := range named {
		if o.Columns == nil {
			o.Columns = map[Column]string{}
		}
		o.Columns[Column(column)] = name
	}
	o.Ignored, err = table.ParseIgnored(p.value("ignore_columns"))
	p.note(fieldError(err))
	o.Delimiter, err = table.ParseDelimiter(p.value("delimiter"))
	p.note(fieldError(err))
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
			*list = append(*list, word(pair[0]))
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
		if w = word(w); w != "" {
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
	period := Period{From: from.at.UTC(), Until: until.last().UTC()}
	if !ok || !okFrom || !okUntil || !period.From.Before(period.Until) || period.Until.After(now) {
		p.refuse("covers", s, coversAllowed)
		return nil
	}
	return &period
}

func boundary(s string, zone *time.Location) (moment, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return moment{at: t}, true
	}
	t, err := time.ParseInLocation("2006-01-02", s, zone)
	return moment{at: t, day: true}, err == nil
}
