package clienttypes

import (
	"fmt"
	"strings"
)

const pythonHead = `# Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.
"""What the API takes and answers.

A key that is not in every answer is of a class whose keys may be absent. The state of an order, and any other text of
a few values, may have more values in a newer release.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union
`

const pythonTail = `

class EventData(Order):
    # Rises with every event of the order: drop what is not newer than you have.
    sequence: int


class WebhookEvent(TypedDict):
    """A verified webhook. Operators get others, too, whose data is no order and whose type has another beginning."""

    # The same on every try: ignore what you have handled.
    id: str
    # As in topup.succeeded.
    type: str
    timestamp: str
    data: EventData
`

// python writes the models as TypedDicts. Python 3.9 has no NotRequired: a class has the keys that may be absent, and
// inherits those that are always there.
func python(all []model) string {
	var b strings.Builder
	b.WriteString(pythonHead)
	for _, m := range all {
		base := "TypedDict"
		required, optional := m.split()
		if len(required) > 0 && len(optional) > 0 {
			base = "_" + m.name
			m.pythonClass(&b, base, "TypedDict", required)
		} else if len(optional) == 0 {
			m.pythonClass(&b, m.name, base, required)
			continue
		}
		m.pythonClass(&b, m.name, base+", total=False", optional)
	}
	b.WriteString(pythonTail)
	return b.String()
}

// split separates the fields that are always there from those that may be absent.
func (m model) split() (required, optional []field) {
	for i, f := range m.fields {
		if !f.required {
			return m.fields[:i], m.fields[i:]
		}
	}
	return m.fields, nil
}

func (m model) pythonClass(b *strings.Builder, name, base string, fields []field) {
	fmt.Fprintf(b, "\n\nclass %s(%s):\n", name, base)
	for _, f := range fields {
		for _, line := range wrap(f.doc, 114) {
			fmt.Fprintf(b, "    # %s\n", line)
		}
		fmt.Fprintf(b, "    %s: %s\n", f.name, f.python(m.name == request))
	}
}

func (f field) python(sent bool) string {
	kind := map[string]string{
		"": "Any", "string": "str", "integer": "int", "number": "Union[int, Decimal]", "boolean": "bool",
		"array": "List[" + f.elem + "]", "texts": "List[str]", "object": "Dict[str, str]",
		"reference": f.elem,
	}[f.kind]
	if sent && f.kind == "number" {
		kind = "Union[int, float, Decimal]"
	}
	if len(f.values) > 0 {
		kind = `Literal["` + strings.Join(f.values, `", "`) + `"]`
	}
	if f.nullable {
		return "Optional[" + kind + "]"
	}
	return kind
}

// wrap breaks a text into lines of at most width characters.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
