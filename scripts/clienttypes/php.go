package clienttypes

import (
	"fmt"
	"strings"
)

// phpName is the class of a model. PHP keeps some words for itself.
func phpName(model string) string {
	if model == "Try" {
		return "DeliveryTry"
	}
	return model
}

// php writes a model as a class that never changes. What clients send writes itself as JSON; what they receive reads
// itself, and leaves out what a newer release has more.
func (m model) php() string {
	var b strings.Builder
	b.WriteString("<?php\n\n// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.\n\n" +
		"declare(strict_types=1);\n\nnamespace Recarga;\n\n")
	implements := ""
	if m.name == request {
		implements = " implements \\JsonSerializable"
	}
	fmt.Fprintf(&b, "final class %s%s\n{\n    public function __construct(\n", phpName(m.name), implements)
	for _, f := range m.fields {
		f.phpProperty(&b, m.name == request)
	}
	b.WriteString("    ) {\n    }\n")
	if m.name == request {
		b.WriteString(phpSend)
	} else {
		m.phpReceive(&b)
	}
	b.WriteString("}\n")
	return b.String()
}

const phpSend = `
    /** @return array<string, mixed> without what is null */
    public function jsonSerialize(): array
    {
        $fields = array_filter(get_object_vars($this), static fn ($value) => $value !== null);
        if (isset($fields['metadata'])) {
            $fields['metadata'] = (object) $fields['metadata']; // an empty array would be [] and not {}
        }
        return $fields;
    }
`

func (f field) phpProperty(b *strings.Builder, sent bool) {
	doc := wrap(f.doc, 108)
	if tag := f.phpTag(); tag != "" {
		doc = append(doc, tag)
	}
	switch len(doc) {
	case 0:
	case 1:
		fmt.Fprintf(b, "        /** %s */\n", doc[0])
	default:
		fmt.Fprintf(b, "        /**\n         * %s\n         */\n", strings.Join(doc, "\n         * "))
	}
	otherwise := ""
	if !f.required {
		otherwise = " = null"
	}
	fmt.Fprintf(b, "        public readonly %s $%s%s,\n", f.php(sent), f.name, otherwise)
}

// phpTag says what PHP's own types cannot.
func (f field) phpTag() string {
	null := ""
	if f.nullable || !f.required {
		null = "|null"
	}
	switch {
	case len(f.values) > 0:
		return "@var '" + strings.Join(f.values, "'|'") + "'" + null
	case f.kind == "array":
		return "@var list<" + phpName(f.elem) + ">" + null
	case f.kind == "texts":
		return "@var list<string>" + null
	case f.kind == "object":
		return "@var array<string, string>" + null
	}
	return ""
}

func (f field) php(sent bool) string {
	kind := map[string]string{
		"": "mixed", "string": "string", "integer": "int", "number": "int|float", "boolean": "bool", "array": "array",
		"texts": "array", "object": "array", "reference": phpName(f.elem),
	}[f.kind]
	if sent && f.kind == "number" {
		kind = "int|float|string" // a decimal of a database is a text in PHP
	}
	switch {
	case !f.nullable && f.required, kind == "mixed":
		return kind
	case strings.Contains(kind, "|"):
		return kind + "|null"
	}
	return "?" + kind
}

func (m model) phpReceive(b *strings.Builder) {
	b.WriteString("\n    /**\n     * @param array<string, mixed> $json\n     *\n" +
		"     * @throws \\TypeError where a value is missing or of another kind\n     */\n" +
		"    public static function fromArray(array $json): self\n    {\n        return new self(\n")
	for _, f := range m.fields {
		otherwise := "null"
		if f.required && (f.kind == "array" || f.kind == "texts" || f.kind == "object") {
			otherwise = "[]"
		}
		value := fmt.Sprintf("$json['%s'] ?? %s", f.name, otherwise)
		switch f.kind {
		case "reference":
			value = fmt.Sprintf("isset($json['%s']) ? %s::fromArray($json['%s']) : null", f.name, phpName(f.elem), f.name)
		case "array":
			value = fmt.Sprintf("isset($json['%s']) ? array_map([%s::class, 'fromArray'], $json['%s']) : %s",
				f.name, phpName(f.elem), f.name, otherwise)
		}
		fmt.Fprintf(b, "            %s: %s,\n", f.name, value)
	}
	b.WriteString("        );\n    }\n")
}
