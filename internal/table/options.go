package table

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DelimiterAllowed says what ParseDelimiter takes.
const DelimiterAllowed = "one of comma, semicolon, tab, pipe, or the character itself"

// ParseDelimiter reads a delimiter: its name, or the character itself; 0 for an empty text.
func ParseDelimiter(s string) (rune, error) {
	switch s {
	case "":
		return 0, nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	case "tab", `\t`:
		return '\t', nil
	case "pipe":
		return '|', nil
	}
	c, size := utf8.DecodeRuneInString(s)
	if size != len(s) || c != '\t' && !unicode.IsPunct(c) && !unicode.IsSymbol(c) || strings.ContainsRune("\"'", c) ||
		c == utf8.RuneError {
		return 0, &FileError{Part: PartDelimiter, Value: s, Allowed: DelimiterAllowed}
	}
	return c, nil
}

// ParseDecimal reads a decimal mark: point, comma or nothing.
func ParseDecimal(s string) (Decimal, error) {
	d := Decimal(s)
	if d != DecimalAuto && d != DecimalPoint && d != DecimalComma {
		return DecimalAuto, &FileError{Part: PartDecimal, Value: s, Allowed: "one of point, comma"}
	}
	return d, nil
}

// Pairs reads NAME=VALUE pairs, separated by commas; a pair with a comma in it is quoted, as in CSV. The error says no
// more than that it is none.
func Pairs(s string) (pairs [][2]string, err error) {
	texts, err := list(s)
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("%q is no pair", text)
		}
		pairs = append(pairs, [2]string{name, value})
	}
	return pairs, err
}

func list(s string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(s))
	r.TrimLeadingSpace = true
	return r.Read()
}

// ParseNamed reads Options.Named: COLUMN=HEADER,…, or COLUMN=NUMBER,….
func ParseNamed(s string, columns []Column) (map[string]string, error) {
	if s == "" {
		return nil, nil
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	refused := &FileError{Part: PartColumns, Value: s,
		Allowed: "COLUMN=HEADER,… or COLUMN=NUMBER,…, each once, of the columns " +
			strings.Join(names, ", ")}
	pairs, err := Pairs(s)
	if err != nil {
		return nil, refused
	}
	named := map[string]string{}
	for _, p := range pairs {
		if !slices.Contains(names, p[0]) || named[p[0]] != "" {
			return nil, refused
		}
		named[p[0]] = p[1]
	}
	return named, nil
}

// maxNumber bounds the numbers of columns in a range.
const maxNumber = 1000

// ParseIgnored reads Options.Ignored: headers, numbers and ranges of numbers, separated by commas.
func ParseIgnored(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	refused := &FileError{Part: PartIgnored, Value: s,
		Allowed: "headers of columns, or numbers such as 3,8-11, separated by commas"}
	texts, err := list(s)
	if err != nil {
		return nil, refused
	}
	var ignored []string
	for _, text := range texts {
		text = strings.TrimSpace(text)
		from, until, isRange := strings.Cut(text, "-")
		first, ok1 := number(from)
		last, ok2 := number(until)
		switch {
		case text == "", isRange && ok1 && ok2 && (last < first || last > maxNumber):
			return nil, refused
		case isRange && ok1 && ok2:
			for n := first; n <= last; n++ {
				ignored = append(ignored, strconv.Itoa(n))
			}
		default:
			ignored = append(ignored, text)
		}
	}
	return ignored, nil
}
