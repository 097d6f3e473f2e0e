package command

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"recarga/internal/access"
	"recarga/producer"
	"recarga/topup"
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
		return Usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
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
		{&f.Operator, "operator", "carrier's name"}, {&f.Priority, "priority", "high, normal or bulk (default normal)"},
		{&f.CallbackURL, "callback-url", "where to send this order's webhooks"},
		{&f.ProcessAt, "process-at", "not before this time (RFC 3339)"},
		{&f.ExpiresAt, "expires-at", "not after this time (RFC 3339)"},
	} {
		cmd.Flags().StringVar(field.to, field.name, "", field.help)
		names = append(names, field.name)
	}
	p.CompletesProducts(cmd)
	Completes(cmd, "priority", topup.Priorities()...)
	cmd.Flags().StringToStringVar(&f.Metadata, "metadata", nil, "key=value, echoed back")
	return append(names, "metadata")
}

// OfFlags names the flags instead of an order's fields.
func OfFlags(err error) error {
	flags := map[string]string{topup.FieldID: "id", topup.FieldPhone: "phone", topup.FieldProduct: "product"}
	var named []error
	for _, e := range topup.FieldErrors(err) {
		flag := flags[e.Field]
		if flag == "" {
			flag = strings.ReplaceAll(e.Field, "_", "-")
		}
		if e.Value == "" {
			named = append(named, fmt.Errorf("--%s is not given; must be %s", flag, e.Allowed))
			continue
		}
		named = append(named, fmt.Errorf("--%s: %s is not allowed; must be %s", flag, e.Shown(), e.Allowed))
	}
	return errors.Join(named...)
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
