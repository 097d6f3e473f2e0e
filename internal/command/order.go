package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/internal/access"
	"recarga/internal/audit"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

// ByDefault ends the help of a flag that says who decides.
const ByDefault = " (default: the name of the user who runs this; with an operator's own key, always its name)"

// ByFlag is who decides.
func ByFlag(flags *pflag.FlagSet, by *string) { flags.StringVar(by, "by", "", "who decides"+ByDefault) }

// CheckDecision fills in who decides, where the flag does not say, and checks the decision before it is sent. With an
// operator's own key nothing is sent: the server knows whose it is.
func CheckDecision(p *Program, cmd *cobra.Command, by *string, check func() error) error {
	given := *by
	*by = cmp.Or(given, UserName())
	err := check()
	if HasOwnKey(p, cmd) {
		*by = given
	}
	if err != nil {
		return Usage(fmt.Errorf("%w; see %s --help", OfFlags(err), cmd.CommandPath()))
	}
	return nil
}

// UserName is the name of the user who runs this; empty where there is none.
func UserName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// Acting notes in whose name a command that works on the book itself acts: the user's who runs it.
func Acting(ctx context.Context, action string) context.Context {
	host, _ := os.Hostname()
	return audit.With(ctx, desk.Act{By: UserName(), Role: desk.ViaLocal, Via: desk.ViaLocal,
		Address: topup.NullString(host), Action: action})
}

// HasOwnKey reports whether an operator's command uses the key of one operator, not the admin key.
func HasOwnKey(p *Program, cmd *cobra.Command) bool {
	s, err := p.Settings(cmd, nil)
	return err == nil && access.IsOperatorKey(AdminKey(s).Value)
}

// ReceiptFlags are what the distributor names a purchase by.
func ReceiptFlags(flags *pflag.FlagSet, transactionID, reference, authCode *topup.NullString) {
	flags.StringVar((*string)(transactionID), "transaction-id", "",
		"the distributor's id of the purchase, where it succeeded")
	flags.StringVar((*string)(reference), "reference", "", "the carrier's reference, where it succeeded")
	flags.StringVar((*string)(authCode), "auth-code", "", "the carrier's authorization, where it succeeded")
}

// OwnCatalog is what this machine knows of the catalogue, to say of an order that is refused anyway. The API judges.
func OwnCatalog(p *Program, cmd *cobra.Command) topup.Catalog {
	s, err := p.Settings(cmd, nil)
	if err != nil {
		return topup.AnyProduct()
	}
	c, err := s.Catalog()
	if err != nil {
		return topup.AnyProduct()
	}
	return c.Lenient()
}

// OrderFlags gives a command a flag for each field of an order, and returns their names.
func OrderFlags(p *Program, cmd *cobra.Command, f *topup.Fields) (names []string) {
	for _, field := range []struct {
		to         *string
		name, help string
	}{
		{&f.ID, "id", "distributor_transaction_id: unique for ever"}, {&f.Phone, "phone", "Mexican phone number"},
		{&f.Product, "product", "product_id; see recarga products"}, {&f.Amount, "amount", "MXN"},
		{&f.Operator, "operator", "carrier's name"},
		{&f.CallbackURL, "callback-url", "where to send this order's webhooks"},
		{&f.ProcessAt, "process-at", "not before this time (RFC 3339)"},
		{&f.ExpiresAt, "expires-at", "not after this time (RFC 3339)"},
	} {
		cmd.Flags().StringVar(field.to, field.name, "", field.help)
		names = append(names, field.name)
	}
	p.CompletesProducts(cmd)
	Choice(cmd, &f.Priority, "priority", "high, normal or bulk (default normal)", topup.Priorities()...)
	cmd.Flags().StringToStringVar(&f.Metadata, "metadata", nil, "key=value, echoed back")
	return append(names, "priority", "metadata")
}

// RefusedFlags is a refusal of the API in words of the flags, where that is what it is.
func RefusedFlags(err error, f topup.Fields) error {
	var problem *producer.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusUnprocessableEntity {
		return err
	}
	given := map[string]string{topup.FieldProduct: f.Product, topup.FieldAmount: f.Amount}
	var wrong []error
	for _, w := range problem.Errors {
		name := strings.TrimPrefix(w.Location, "body.")
		if given[name] == "" {
			return err
		}
		wrong = append(wrong, &topup.FieldError{Field: name, Value: given[name],
			Allowed: strings.TrimPrefix(w.Message, "must be ")})
	}
	return Usage(OfFlags(errors.Join(wrong...)))
}
