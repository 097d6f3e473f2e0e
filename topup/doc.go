// Package topup is the vocabulary of a mobile top-up: its id, phone, amount and product, the
// distributor's response codes, the states an order goes through, and the events that its caller receives.
//
// It depends on nothing but the standard library and a decimal library. It decides nothing that needs a network or a
// disk. A checkout may import it.
package topup
