package reconcile

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones would refuse the default one

	"recarga/internal/params"
	"recarga/internal/reconcile/statement"
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
	// Restored says that the book was restored from a backup: it lacks what was done since. See restored.go.
	Restored bool
	// Since is when the backup of a restored book was made: a charge of before that the book does not know is none that
	// it has lost. Zero: not said.
	Since  time.Time
	DryRun bool
}

// The defaults.
const (
	DefaultZone   = "America/Mexico_City"
	DefaultMargin = time.Hour
	defaultBy     = "reconcile"
	maxName       = 100
)

// ParseOptions reads options from a query; an empty one is its default. The error joins a *topup.FieldError for each
// that is wrong.
func ParseOptions(q url.Values, now time.Time) (Options, error) {
	r := &params.Reader{Values: q}
	o := Options{
		Name:     params.ReadOr(r, "name", "statement", short("name")),
		By:       params.ReadOr(r, "by", defaultBy, short("by")),
		Margin:   params.ReadOr(r, "margin", DefaultMargin.String(), parseMargin),
		DryRun:   params.Read(r, "dry_run", params.Flag("dry_run")),
		Restored: params.Read(r, "restored", params.Flag("restored")),
		Format: statement.Format{
			Columns:   params.Read(r, "columns", ofTable(parseColumns)),
			Ignored:   params.Read(r, "ignore_columns", ofTable(table.ParseIgnored)),
			NoHeader:  params.Read(r, "no_header", params.Flag("no_header")),
			Delimiter: params.Read(r, "delimiter", ofTable(table.ParseDelimiter)),
			Decimal:   params.Read(r, "decimal", ofTable(table.ParseDecimal)),
			Dates: params.ReadOr(r, "dates", "dmy", params.OneOf("dates", statement.DatesDayFirst,
				statement.DatesMonthFirst)),
			Zone:    cmp.Or(params.ReadOr(r, "timezone", DefaultZone, parseZone), time.UTC),
			Charged: params.Read(r, "charged", parseWords), NotCharged: params.Read(r, "not_charged", parseWords),
		},
	}
	choices := []Absent{AbsentHold, AbsentFailed, AbsentResend}
	covers := func(s string) (*Period, error) { return parsePeriod(s, o.Zone, now) }
	since := func(s string) (time.Time, error) {
		return time.Time{}, refuse("since", s, "left out: only recarga restore-check (restored=true) has a backup")
	}
	if o.Restored { // absence proves nothing: the book lacks what it would be compared with
		choices = choices[:1]
		covers = func(s string) (*Period, error) {
			return nil, refuse("covers", s, "left out with restored=true: absence proves nothing of a restored book")
		}
		since = func(s string) (time.Time, error) { return parseSince(s, o.Zone, now) }
	}
	o.Absent = params.ReadOr(r, "absent", "hold", params.OneOf("absent", choices...))
	o.Covers = params.Read(r, "covers", covers)
	o.Since = params.Read(r, "since", since)
	return o, errors.Join(r.Err(), o.readStatus(q.Get("status")))
}

// ofTable makes a parser of an option of the statement's table one of a parameter.
func ofTable[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) {
		value, err := parse(s)
		return value, statement.FieldError(err)
	}
}

func parseColumns(s string) (map[string]string, error) {
	return table.ParseNamed(s, statement.Columns())
}

func refuse(field, value, allowed string) error {
	return &topup.FieldError{Field: field, Value: value, Allowed: allowed}
}

// readStatus reads what words mean, and refuses one that is given two meanings.
func (o *Options) readStatus(status string) error {
	lists := map[string]*[]string{"charged": &o.Charged, "not_charged": &o.NotCharged, "reversed": &o.Reversed,
		"pending": &o.Pending}
	if status != "" {
		pairs, err := table.Pairs(status)
		for _, pair := range pairs {
			list, ok := lists[pair[1]]
			if !ok {
				err = errors.New("no such kind")
				break
			}
			*list = append(*list, statement.Word(pair[0]))
		}
		if err != nil {
			return refuse("status", status, "WORD=KIND,…, of the kinds charged, not_charged, reversed, pending")
		}
	}
	var errs []error
	seen := map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(lists)) {
		for _, w := range *lists[kind] {
			if other := seen[w]; other != "" && other != kind {
				errs = append(errs, refuse(kind, w, "a word that "+other+" does not name"))
			}
			seen[w] = kind
		}
	}
	return errors.Join(errs...)
}

// short refuses a text that is too long for the orders' records.
func short(name string) func(string) (string, error) {
	return func(s string) (string, error) {
		if len(s) > maxName {
			return "", refuse(name, s, "at most 100 bytes")
		}
		return s, nil
	}
}

func parseWords(s string) (words []string, _ error) {
	for w := range strings.SplitSeq(s, ",") {
		if w = statement.Word(w); w != "" {
			words = append(words, w)
		}
	}
	return words, nil
}

func parseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, refuse("timezone", name, "a name of the time zone database, as in America/Mexico_City or UTC")
	}
	return zone, nil
}

func parseMargin(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, refuse("margin", s, "a duration from 0s, as in 1h or 90m")
	}
	return d, nil
}

const coversAllowed = "FROM..UNTIL, two times of RFC 3339 or two dates, of which the last is included, and none " +
	"later than now"

// parsePeriod reads FROM..UNTIL. A plus sign that was not escaped has become a space on the way.
func parsePeriod(s string, zone *time.Location, now time.Time) (*Period, error) {
	first, last, ok := strings.Cut(strings.ReplaceAll(s, " ", "+"), "..")
	from, okFrom := boundary(first, zone)
	until, okUntil := boundary(last, zone)
	period := Period{From: from.At.UTC(), Until: until.Last().UTC()}
	if !ok || !okFrom || !okUntil || !period.From.Before(period.Until) || period.Until.After(now) {
		return nil, refuse("covers", s, coversAllowed)
	}
	return &period, nil
}

// parseSince reads a time that is not later than now. A date is its beginning.
func parseSince(s string, zone *time.Location, now time.Time) (time.Time, error) {
	since, ok := boundary(strings.ReplaceAll(s, " ", "+"), zone)
	if !ok || since.At.After(now) {
		return time.Time{}, refuse("since", s, "a time of RFC 3339 or a date, not later than now")
	}
	return since.At, nil
}

func boundary(s string, zone *time.Location) (statement.Moment, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return statement.Moment{At: t}, true
	}
	t, err := time.ParseInLocation("2006-01-02", s, zone)
	return statement.Moment{At: t, Day: true}, err == nil
}
