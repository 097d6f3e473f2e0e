package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/topup"
)

// Choice gives a command a flag that takes one of a few values. Without it to stays as it is. Any other value is
// refused before the command does anything. The shell offers them.
func Choice[T, V ~string](cmd *cobra.Command, to *T, name, help string, values ...V) {
	cmd.Flags().Var(&choice[T, V]{to, name, values}, name, help)
	Completes(cmd, name, values...)
}

// choice is a pflag.Value.
type choice[T, V ~string] struct {
	to     *T
	name   string
	values []V
}

// String implements pflag.Value.
func (c *choice[T, V]) String() string {
	if c.to == nil { // pflag asks for that of the zero value
		return ""
	}
	return string(*c.to)
}

// Type implements pflag.Value.
func (c *choice[T, V]) Type() string { return "string" }

// Set takes an empty value for none.
func (c *choice[T, V]) Set(s string) error {
	value, err := V(""), error(nil)
	if s != "" {
		value, err = topup.OneOf(c.name, s, c.values)
	}
	*c.to = T(value)
	return err
}

// invalidFlag is what is said of every flag whose value is refused.
func invalidFlag(err *pflag.InvalidValueError) error {
	f := err.GetFlag()
	if refused := topup.FieldErrors(err); len(refused) > 0 {
		return OfFlags(err)
	}
	allowed, known := map[string]string{
		"int": "a whole number", "int64": "a whole number", "float64": "a number", "bool": "true or false",
		"duration": "a duration, as in 30s or 5m", "stringToString": "key=value,…",
	}[f.Value.Type()]
	if !known {
		return err
	}
	return OfFlags(&topup.FieldError{Field: f.Name, Value: err.GetValue(), Allowed: allowed})
}

// OfFlags names the flags instead of an order's fields or the API's parameters.
func OfFlags(err error) error {
	flags := map[string]string{topup.FieldID: "id", topup.FieldPhone: "phone", topup.FieldProduct: "product",
		"outcome": "as"}
	var named []error
	for _, e := range topup.FieldErrors(err) {
		flag := flags[e.Field]
		if flag == "" {
			flag = strings.ReplaceAll(e.Field, "_", "-")
		}
		if e.Value == "" {
			named = append(named, fmt.Errorf("--%s is not given; %s", flag, e.Message()))
			continue
		}
		named = append(named, fmt.Errorf("--%s: %s is not allowed; %s", flag, e.Shown(), e.Message()))
	}
	if len(named) == 0 {
		return err
	}
	return errors.Join(named...)
}
