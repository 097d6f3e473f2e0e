package main

import "recarga/topup"

// view is an order as its customer sees it.
type view struct {
	// ID and State are the order's; Headline and Text say in words what that means for the customer.
	ID       topup.ID    `json:"id"`
	State    topup.State `json:"state"`
	Headline string      `json:"headline"`
	Text     string      `json:"text"`
	// What the operator's receipt says; empty before.
	Transaction string `json:"transaction"`
	AuthCode    string `json:"auth_code"`
	// Final: nothing follows.
	Final bool `json:"final"`

	Phone  string       `json:"-"` // masked: the address of the page may be passed on
	Amount topup.Amount `json:"-"`
	What   string       `json:"-"`
}

func viewOf(o topup.Order) view {
	v := view{
		ID: o.ID, State: o.State, Transaction: string(o.TransactionID), AuthCode: string(o.AuthCode), Final: o.State.Final(),
		Phone: o.Phone.String(), Amount: o.Amount, What: o.Product,
	}
	if p, ok := topup.DefaultCatalog().Product(o.Product); ok {
		v.What = p.Description
	}
	v.Headline, v.Text = words(o)
	return v
}

// words say to the customer what to expect, and what is true of the money.
func words(o topup.Order) (headline, text string) {
	switch o.State {
	case topup.StateSucceeded:
		return "Done", "The credit is on the phone."
	case topup.StateFailed:
		return "Not possible", "The top-up did not go through, and no money was spent on it. " + why(o)
	case topup.StateCanceled:
		return "Canceled", "The top-up was withdrawn, and no money was spent on it."
	case topup.StateUnknown:
		return "We are checking", "The operator has not said clearly what happened. Please do not buy again: we will " +
			"find out and show it on this page."
	case topup.StateRetrying:
		return "One moment more", "The operator is busy. We try again by ourselves; there is nothing for you to do."
	default:
		return "On its way", "We are sending the top-up to the operator. This takes a few seconds."
	}
}

func why(o topup.Order) string {
	switch {
	case o.ResponseCode == topup.CodeInvalidPhone:
		return "The operator does not know this number: please check it."
	case o.ResponseCode == topup.CodeInsufficientFunds:
		return "It is on our side: please try again later."
	case o.Reason == topup.ReasonRetriesExhausted:
		return "The operator was not available: please try again later."
	default:
		return "The operator declined it."
	}
}
