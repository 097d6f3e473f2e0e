package reconcile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"recarga/topup"
)

const (
	// maxLine bounds a line, in bytes.
	maxLine = 64 << 10
	// maxValue bounds a value that is kept, in bytes.
	maxValue = 200
)

// line is one line of a statement.
type line struct {
	number                           int64
	id, transaction, reference, auth string
	phone                            string // 10 digits; empty where it is not known
	amount                           *topup.Amount
	at                               moment
	kind                             kind
	status                           string // in the statement's own words
	// given is what the line has for an id, where it was matched by another.
	given string
}

// reader reads a statement line by line. A line break ends a line, also within quotes: what is wrong
// with one line then spoils no other.
type reader struct {
	in     *bufio.Reader
	opts   Options
	layout layout
	number int64
	feed   feed
	fields *csv.Reader
	now    time.Time
	says   map[string]kind // of the status column, by plain
	// raw is the line that was read last; long ones are cut. Valid until the next is read.
	raw []byte
	cut bool
}

// feed gives a CSV reader one line, and the end of its input where it asks for more.
type feed struct{ left []byte }

func (f *feed) Read(p []byte) (int, error) {
	if len(f.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}

// newReader reads the header. Its errors are those of topup.FieldErrors, and those of in.
func newReader(in io.Reader, opts Options, now time.Time) (*reader, error) {
	r := &reader{in: bufio.NewReaderSize(in, maxLine), opts: opts, now: now, says: dictionary(opts.words())}
	if err := r.skipMark(); err != nil {
		return nil, err
	}
	text, long, err := r.next()
	for err == nil && !long && len(text) == 0 {
		text, long, err = r.next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, &topup.FieldError{Field: "statement", Allowed: "a CSV file with a header"}
	case err != nil:
		return nil, fmt.Errorf("header: %w", err)
	case long:
		return nil, &topup.FieldError{Field: "header", Value: string(text), Allowed: fmt.Sprintf("a line of at most %d bytes", maxLine)}
	}
	r.fields = csv.NewReader(&r.feed)
	r.fields.FieldsPerRecord, r.fields.ReuseRecord = -1, true
	r.fields.Comma = delimiter(text, opts.Delimiter)
	head, err := r.split(text)
	if err != nil {
		return nil, &topup.FieldError{Field: "header", Value: string(text), Allowed: "a line of CSV: " + err.Error()}
	}
	head = slices.Clone(head)
	for i := range head {
		head[i] = strings.TrimSpace(clean(head[i]))
	}
	r.layout, err = newLayout(head, opts.Columns)
	return r, err
}

// skipMark skips the byte order mark that spreadsheets write.
func (r *reader) skipMark() error {
	start, _ := r.in.Peek(3) // a shorter file has none
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = r.in.Discard(3) // it is in the buffer
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return &topup.FieldError{Field: "statement", Value: "UTF-16", Allowed: "UTF-8: save it as \"CSV UTF-8\""}
	}
	return nil
}

// next returns the next line without its line break; long tells that it was cut at the limit. The line
// is valid until the next call.
func (r *reader) next() (text []byte, long bool, err error) {
	text, err = r.in.ReadSlice('\n')
	r.number++
	if errors.Is(err, bufio.ErrBufferFull) {
		text, long = bytes.Clone(text[:maxValue]), true
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.in.ReadSlice('\n')
		}
	}
	if errors.Is(err, io.EOF) && len(text) > 0 {
		err = nil // the last line; the next call has the end
	}
	return bytes.TrimRight(text, "\r\n"), long, err
}

// split is the line's values. They are valid until the next call.
func (r *reader) split(text []byte) ([]string, error) {
	r.feed.left = append(text[:len(text):len(text)], '\n')
	fields, err := r.fields.Read()
	r.feed.left = nil
	var broken *csv.ParseError
	switch {
	case errors.As(err, &broken):
		return nil, broken.Err
	case errors.Is(err, io.EOF): // nothing but blanks
		return nil, nil
	}
	return fields, err
}

// delimiter is the one that the header has most of.
func delimiter(head []byte, given rune) rune {
	if given != 0 {
		return given
	}
	best := ','
	for _, d := range ";\t" {
		if bytes.Count(head, []byte(string(d))) > bytes.Count(head, []byte(string(best))) {
			best = d
		}
	}
	return best
}

// clean makes text of bytes: those that are no UTF-8 are of the older code of Western Europe.
func clean(s string) string {
	if !utf8.ValidString(s) {
		letters := make([]rune, len(s))
		for i := range len(s) {
			letters[i] = rune(s[i])
		}
		s = string(letters)
	}
	return s
}

// read returns the next line that holds anything, or io.EOF. wrong says what of it cannot be read: then
// its kind is unreadable, and it has only what could be read.
func (r *reader) read() (l line, wrong, err error) {
	for {
		text, long, err := r.next()
		if err != nil {
			return line{}, nil, err
		}
		r.raw, r.cut = text, long
		if long {
			return line{number: r.number, kind: unreadable}, fmt.Errorf("longer than %d bytes", maxLine), nil
		}
		fields, wrong := r.split(text)
		if wrong != nil {
			return line{number: r.number, kind: unreadable}, wrong, nil
		}
		if strings.TrimSpace(strings.Join(fields, "")) == "" {
			continue
		}
		l, wrong := r.parse(fields)
		l.number = r.number
		if wrong != nil {
			l.kind = unreadable
		}
		return l, wrong, nil
	}
}

// parse reads every value, so that all that is wrong is told at once.
func (r *reader) parse(fields []string) (l line, wrong error) {
	if len(fields) != len(r.layout.head) {
		return l, fmt.Errorf("%d values, the header has %d", len(fields), len(r.layout.head))
	}
	l.id, l.transaction = r.text(fields, ColumnID), r.text(fields, ColumnTransaction)
	l.reference, l.auth = r.text(fields, ColumnReference), r.text(fields, ColumnAuthCode)
	l.status = r.text(fields, ColumnStatus)
	if phone, err := topup.ParsePhone(r.layout.value(fields, ColumnPhone)); err == nil {
		l.phone = phone.Digits()
	}
	var errs [4]error
	l.kind, errs[0] = r.kindOf(fields)
	l.amount, errs[1] = r.amount(fields, l.kind)
	l.at, errs[2] = r.moment(fields)
	if l.id == "" && l.transaction == "" && l.reference == "" {
		errs[3] = r.layout.wrong(ColumnID, "", "an id, here or in another column: without one the line is nobody's")
	}
	return l, errors.Join(errs[:]...)
}

// text is a value that is kept: copied, since the line's memory is used again.
func (r *reader) text(fields []string, c Column) string {
	v := clean(strings.ReplaceAll(r.layout.value(fields, c), "\x00", ""))
	if len(v) > maxValue {
		v = strings.ToValidUTF8(v[:maxValue], "")
	}
	return strings.Clone(v)
}

func (r *reader) kindOf(fields []string) (kind, error) {
	status, code := clean(r.layout.value(fields, ColumnStatus)), r.layout.value(fields, ColumnCode)
	byStatus, ok := r.says[plain(status)]
	switch {
	case status == "" && r.layout.has(ColumnStatus) && code == "":
		return unreadable, r.layout.wrong(ColumnStatus, status, "a word such as Aprobado, Rechazado or Reversado")
	case status != "" && !ok:
		return unreadable, r.layout.wrong(ColumnStatus, status, "a word that is known, such as Aprobado, Rechazado or Reversado; name others with charged or not_charged")
	case status == "":
		return kindOfCode(r.layout, code)
	}
	byCode, err := kindOfCode(r.layout, code)
	if code != "" && err == nil && (byCode == charged) != (byStatus == charged) && byStatus != reversed {
		return unreadable, r.layout.wrong(ColumnCode, code, "one that agrees with the status %s", status)
	}
	return byStatus, err
}

// kindOfCode: a statement without codes is one of charges.
func kindOfCode(l layout, code string) (kind, error) {
	switch {
	case code == "" && l.has(ColumnCode) && !l.has(ColumnStatus):
		return unreadable, l.wrong(ColumnCode, code, "a response code such as 00 or 51")
	case code == "", code == "00", code == "0":
		return charged, nil
	case codePattern.MatchString(code):
		return declined, nil
	default:
		return unreadable, l.wrong(ColumnCode, code, "a response code such as 00 or 51")
	}
}

// amount of a line, in MXN; nil where the statement gives none, or one in another currency.
func (r *reader) amount(fields []string, k kind) (*topup.Amount, error) {
	text := r.layout.value(fields, ColumnAmount)
	if currency := strings.ToUpper(r.layout.value(fields, ColumnCurrency)); currency != "" && !slices.Contains([]string{"MXN", "MXP", "MN", "M.N.", "PESOS", "$"}, currency) {
		return nil, nil
	}
	if !r.layout.has(ColumnAmount) || text == "" && k != charged {
		return nil, nil
	}
	amount, ok := parseAmount(text, r.opts.Decimal)
	if !ok {
		return nil, r.layout.wrong(ColumnAmount, text, amountAllowed)
	}
	return &amount, nil
}

func (r *reader) moment(fields []string) (moment, error) {
	if !r.layout.has(ColumnTime) {
		return moment{}, nil
	}
	text := r.layout.value(fields, ColumnTime)
	if r.layout.has(ColumnClock) {
		text += " " + r.layout.value(fields, ColumnClock)
	}
	m, ok := parseMoment(text, r.opts.Dates, r.opts.Zone)
	switch {
	case !ok:
		return m, r.layout.wrong(ColumnTime, strings.TrimSpace(text), "%s", momentAllowed(r.opts.Dates))
	case m.at.After(r.now.AddDate(0, 0, 1)):
		return moment{}, r.layout.wrong(ColumnTime, text, "a time that has been")
	}
	return m, nil
}
