package console

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"recarga/topup"
)

// TestOrderPageShowsEveryField: whoever adds a field to an order shows it on its page, or says here why not.
func TestOrderPageShowsEveryField(t *testing.T) {
	unshown := []string{
		"AttemptCount", // the steps of its life number them
		"DisputedAt",   // the dispute itself is shown
	}
	var shown strings.Builder
	for _, file := range []string{"pages/order.html", "order.go", "../story/story.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	order := reflect.TypeFor[topup.Order]()
	for i := range order.NumField() {
		f := order.Field(i)
		is := strings.Contains(shown.String(), "."+f.Name)
		if f.Tag.Get("json") != "-" && is == slices.Contains(unshown, f.Name) {
			t.Errorf("%s: shown %t, and the list says otherwise", f.Name, is)
		}
	}
}
