package statement

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"recarga/internal/table"
)

// Kind is what a line says of money.
type Kind int

const (
	Charged  Kind = iota // it moved
	Declined             // it did not
	Reversed             // it moved, and came back
	Pending              // not decided
	Unreadable
)

func (k Kind) String() string {
	return [...]string{"charged", "declined", "reversed", "pending", "not readable"}[k]
}

// words are what statements call each kind, as plain has them.
func words() map[Kind][]string {
	return map[Kind][]string{
		Charged: table.Words("charged"), Declined: table.Words("declined"), Reversed: table.Words("reversed"),
		Pending: table.Words("pending"),
	}
}

// Word is a status as it is compared. Where it has no letters every sign counts: -1 is not 1.
func Word(s string) string {
	if strings.ContainsFunc(s, unicode.IsLetter) {
		return table.Plain(s)
	}
	return strings.TrimSpace(s)
}

// dictionary is what each word says, of some lists: a later one decides.
func dictionary[K comparable](lists ...map[K][]string) map[string]K {
	says := map[string]K{}
	for _, list := range lists {
		for k, some := range list {
			for _, word := range some {
				says[word] = k
			}
		}
	}
	return says
}

// answers are what a column that asks for yes or no says.
func answers() map[string]bool {
	return dictionary(map[bool][]string{true: table.Words("yes"), false: table.Words("no")})
}

// Dates is the order of day and month in a date like 05/11/2026.
type Dates string

// The orders of day and month.
const (
	DatesDayFirst   Dates = "dmy"
	DatesMonthFirst Dates = "mdy"
)

// Moment is a line's time: an instant to the second or minute, or any in the whole day of a date.
type Moment struct {
	// At is the instant, or the beginning of the day.
	At time.Time
	// Day says that the text is a date alone.
	Day bool
	// minute says that the text has no seconds.
	minute bool
}

// IsZero says that the line has no time.
func (m Moment) IsZero() bool { return m.At.IsZero() }

// Last is the latest instant that the line can mean.
func (m Moment) Last() time.Time {
	if m.Day {
		return m.At.AddDate(0, 0, 1)
	}
	return m.At
}

// Within says that the moment can be between two times.
func (m Moment) Within(from, until time.Time) bool {
	return !m.Last().Before(from) && !m.At.After(until)
}

// LongDay is no less than any day that a date stands for.
const LongDay = 25 * time.Hour

// Exactness is how exactly times are given.
type Exactness struct {
	// day and minute say that a time is a date only, or has no seconds.
	day, minute bool
	// seconds, minutes and hours say that a time is no whole minute, no whole hour, no midnight.
	seconds, minutes, hours bool
}

// Add takes in one time of the statement.
func (e *Exactness) Add(m Moment) {
	e.day, e.minute = e.day || m.Day, e.minute || m.minute
	hour, minute, second := m.At.Clock()
	e.seconds = e.seconds || second != 0
	e.minutes = e.minutes || minute != 0 || second != 0
	e.hours = e.hours || hour != 0 || minute != 0 || second != 0
}

// Unit is by how much a time may be off the one that it stands for: of the least exact of them. Where all of them are
// whole minutes, hours or days, whoever wrote them has rounded.
func (e *Exactness) Unit() time.Duration {
	switch {
	case e.day, !e.hours:
		return LongDay
	case !e.minutes:
		return time.Hour
	case e.minute, !e.seconds:
		return time.Minute
	default:
		return time.Second
	}
}

var meridiem = strings.NewReplacer("A. M.", "AM", "P. M.", "PM", "A.M.", "AM", "P.M.", "PM")

// ParseMoment reads a time as statements write it; one without an offset is in the zone.
func ParseMoment(s string, order Dates, zone *time.Location) (Moment, bool) {
	s = strings.TrimSuffix(meridiem.Replace(strings.ToUpper(strings.Join(strings.Fields(s), " "))), " UTC")
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return Moment{At: t}, true
	}
	for _, date := range dateLayouts(order) {
		if t, err := time.ParseInLocation(date, s, zone); err == nil {
			return Moment{At: t, Day: true}, true
		}
		if len(s) <= len(date) {
			continue
		}
		for _, clock := range clockLayouts() {
			seconds := strings.Contains(clock, "05")
			if t, err := time.ParseInLocation(date+clock, s, zone); err == nil {
				return Moment{At: t, minute: !seconds}, true
			}
		}
	}
	return Moment{}, false
}

func dateLayouts(order Dates) []string {
	if order == DatesMonthFirst {
		return []string{"2006-01-02", "1/2/2006", "2006/01/02", "1-2-2006", "1.2.2006", "20060102"}
	}
	return []string{"2006-01-02", "2/1/2006", "2006/01/02", "2-1-2006", "2.1.2006", "20060102"}
}

// clockLayouts: a fraction after the seconds is read with any of them.
func clockLayouts() []string {
	var layouts []string
	for _, between := range []string{" ", "T"} {
		for _, clock := range []string{"15:04:05", "15:04:05Z07:00", "15:04:05-0700", "15:04:05 -0700", "15:04",
			"3:04:05 PM", "3:04 PM", "3:04:05PM", "3:04PM"} {
			layouts = append(layouts, between+clock)
		}
	}
	return append(layouts, "150405")
}

// MomentAllowed says how a time may be written.
func MomentAllowed(order Dates) string {
	example := "31/01/2026 18:00:00"
	if order == DatesMonthFirst {
		example = "01/31/2026 18:00:00"
	}
	return fmt.Sprintf("a time such as 2026-01-31 18:00:00, 2026-01-31T18:00:00-06:00 or %s", example)
}
