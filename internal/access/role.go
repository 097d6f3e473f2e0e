// Package access says who may do what. It has the roles of keys, the table of the role that each operation needs, the
// named keys of operators, and the limiter that slows down those who try keys.
package access

import (
	"context"
	"errors"

	"recarga/topup"
	"recarga/topup/desk"
)

// Role is what a key is for. Callers place orders and see their own. The operators' roles, each of which may all that
// the one before it may, see every caller's.
type Role int

const (
	// Caller places orders, and acts on its own.
	Caller Role = iota
	// Viewer sees everything and changes nothing.
	Viewer
	// Operator acts on every caller's orders.
	Operator
	// Admin also manages callers and keys, and corrects final states.
	Admin
)

var roleNames = map[Role]string{Caller: "caller", Viewer: "viewer", Operator: "operator", Admin: "admin"}

// String is the role's name, as in the API.
func (r Role) String() string { return roleNames[r] }

// Roles are those that an operator's key may have, the least first.
func Roles() []Role { return []Role{Viewer, Operator, Admin} }

// ParseRole reads the role of an operator's key. Its error is a *topup.FieldError.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles() {
		if s == r.String() {
			return r, nil
		}
	}
	return Caller, &topup.FieldError{Field: "role", Value: s, Allowed: "one of viewer, operator, admin"}
}

// AdminName is the name of the operator whose key is RECARGA_ADMIN_KEY.
const AdminName = "admin"

// Person is an operator at work.
type Person struct {
	// Name is what is kept with what they do.
	Name string
	Role Role // what they may do
}

// Act is an action in this name on something, from the address that ctx came from.
func (p Person) Act(ctx context.Context, via, action, on string) desk.Act {
	a := desk.Act{By: p.Name, Role: p.Role.String(), Via: via, Action: action, On: topup.NullString(on)}
	if client := ClientOf(ctx); client.IsValid() {
		a.Address = topup.NullString(client.String())
	}
	return a
}

// ErrNoSession: the request's browser has not logged in, or no more.
var ErrNoSession = errors.New("not logged in")
