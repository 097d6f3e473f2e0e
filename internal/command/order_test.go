package command

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"recarga/topup"
)

// TestEveryFieldHasAFlag: what an order may say, a command line can say, and a wrong value is called by its flag. The
// caller is the key's.
func TestEveryFieldHasAFlag(t *testing.T) {
	var f topup.Fields
	cmd := &cobra.Command{}
	names := OrderFlags(&Program{}, cmd, &f)
	request := reflect.TypeFor[topup.Request]()
	for i := range request.NumField() {
		field, _, _ := strings.Cut(request.Field(i).Tag.Get("json"), ",")
		if field == topup.FieldCaller {
			continue
		}
		said := OfFlags(&topup.FieldError{Field: field, Allowed: "given"}).Error()
		flag, _, _ := strings.Cut(strings.TrimPrefix(said, "--"), " ")
		if !slices.Contains(names, flag) {
			t.Errorf("%s has no flag --%s", field, flag)
			continue
		}
		value := "k=" + flag
		if flag == topup.FieldPriority {
			value = string(topup.PriorityHigh)
		}
		if err := cmd.Flags().Set(flag, value); err != nil {
			t.Errorf("--%s: %v", flag, err)
		}
		if !holds(f, value) && f.Metadata["k"] != flag {
			t.Errorf("--%s is lost", flag)
		}
	}
	if len(names) != request.NumField()-1 {
		t.Errorf("%d flags of %d fields: %s", len(names), request.NumField()-1, names)
	}
}

// holds reports whether one of the texts is the value.
func holds(f topup.Fields, value string) bool {
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.String && v.Field(i).String() == value {
			return true
		}
	}
	return false
}
