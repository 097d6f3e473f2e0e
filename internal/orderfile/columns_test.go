package orderfile

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"recarga/topup"
)

// TestEveryFieldIsAColumn: what an order may say, a table can say. The caller is the key's.
func TestEveryFieldIsAColumn(t *testing.T) {
	_, names := orderColumns()
	request := reflect.TypeFor[topup.Request]()
	for i := range request.NumField() {
		field, _, _ := strings.Cut(request.Field(i).Tag.Get("json"), ",")
		if field != topup.FieldCaller && !slices.Contains(names, field) {
			t.Errorf("a table cannot have %s", field)
		}
	}
	if len(names) != request.NumField()-1 {
		t.Errorf("%d columns of %d fields: %s", len(names), request.NumField()-1, names)
	}
}
