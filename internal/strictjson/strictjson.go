// Package strictjson reads a JSON object that somebody else wrote, and refuses whatever two readers of JSON could read
// differently: text that is not UTF-8, half a surrogate pair, data behind the object. It reports repeated names,
// because readers disagree on which value counts. It reads all requests and all payloads of the queue. Its time and
// memory are linear in the input.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"recarga/internal/clip"
)

// Object is one JSON object.
type Object struct {
	// Fields are its members' values as they were written; of a repeated one the last.
	Fields map[string]json.RawMessage
	// Repeated are the names that are given more than once, each once, in any object within this one as well: then
	// the name of the member that it is in comes first, as in "metadata.cart". They are cut short.
	Repeated []string
}

// maxName bounds a name in Repeated, in bytes.
const maxName = 80

// byteOrderMark may come before the object, and says nothing.
const byteOrderMark = "\xef\xbb\xbf"

// Trim is data without a byte order mark in front.
func Trim(data []byte) []byte { return bytes.TrimPrefix(data, []byte(byteOrderMark)) }

// Read reads data, which must be one JSON object in UTF-8. An error says in words what else it is.
func Read(data []byte) (Object, error) {
	data = Trim(data)
	if err := checkText(data); err != nil {
		return Object{}, err
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return Object{}, err
	}
	if whole[0] != '{' {
		return Object{}, errors.New("it is JSON, and no object")
	}
	if at := halfCharacter(data); at >= 0 {
		return Object{}, fmt.Errorf("the escape at byte %d is half of a surrogate pair", at)
	}
	return split(data), nil
}

// checkText refuses what is not UTF-8.
func checkText(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return errors.New("it is UTF-16, and must be UTF-8")
	case !utf8.Valid(data):
		return fmt.Errorf("it is not UTF-8 at byte %d", len(data)-len(invalidTail(data)))
	}
	return nil
}

// invalidTail begins with the first byte that is not UTF-8.
func invalidTail(data []byte) []byte {
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		data = data[size:]
	}
	return data
}

// halfCharacter is where valid JSON has an escape \ud800 to \udfff that is no pair, or -1. A reader would put U+FFFD
// in its place, and the text would be another one than was sent.
func halfCharacter(data []byte) int {
	for i := bytes.IndexByte(data, '\\'); i >= 0 && i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		switch unit := escaped(data[i:]); {
		case unit >= 0xd800 && unit < 0xdc00:
			if low := escaped(data[i+len(`\u0000`):]); low < 0xdc00 || low > 0xdfff {
				return i
			}
			i += len(`\u0000\u000`)
		case unit >= 0xdc00 && unit < 0xe000:
			return i
		default:
			i++ // what is escaped is no backslash of its own
		}
	}
	return -1
}

// escaped is the value of an escape \uXXXX at the beginning of data, or -1.
func escaped(data []byte) int {
	const size = len(`\u0000`)
	if len(data) < size || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(data[2:size]), 16, 16)
	if err != nil {
		return -1
	}
	return int(unit)
}

// splitter takes a valid object apart, in one pass.
type splitter struct {
	data   []byte
	tokens *json.Decoder
	object Object
	levels []level
	// top is the member of the object that is being read, and from is where its name ends.
	top  string
	from int64
}

// level is an object or an array that is being read.
type level struct {
	// names are those of an object so far, and how often they were given; nil for an array.
	names map[string]int
	// value: a name has been read, and its value comes next.
	value bool
}

func split(data []byte) Object {
	s := splitter{data: data, tokens: json.NewDecoder(bytes.NewReader(data)),
		object: Object{Fields: map[string]json.RawMessage{}}}
	s.tokens.UseNumber() // a number may be too large for any type
	for {
		token, err := s.tokens.Token()
		if err != nil {
			return s.object // the end: the data is valid
		}
		s.take(token)
	}
}

func (s *splitter) take(token json.Token) {
	switch token {
	case json.Delim('{'):
		s.levels = append(s.levels, level{names: map[string]int{}})
		return
	case json.Delim('['):
		s.levels = append(s.levels, level{})
		return
	case json.Delim('}'), json.Delim(']'):
		s.levels = s.levels[:len(s.levels)-1]
		if len(s.levels) == 0 {
			return
		}
	}
	in := &s.levels[len(s.levels)-1]
	if name, ok := token.(string); ok && in.names != nil && !in.value {
		s.name(in, name)
		return
	}
	in.value = false
	if len(s.levels) == 1 {
		s.object.Fields[s.top] = bytes.TrimLeft(s.data[s.from:s.tokens.InputOffset()], " \t\r\n:")
	}
}

// name takes a member's name.
func (s *splitter) name(in *level, name string) {
	in.value = true
	path := clip.Marked(name, maxName)
	if len(s.levels) == 1 {
		s.top, s.from = name, s.tokens.InputOffset()
	} else {
		path = clip.Marked(s.top, maxName) + "." + path
	}
	in.names[name]++
	if in.names[name] == 2 {
		s.object.Repeated = append(s.object.Repeated, path)
	}
}
