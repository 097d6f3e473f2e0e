// Package sandbox simulates the vendor, from its document alone: an HTTP server that answers as the distributor's API
// is documented to answer, charges an account of its own, and says afterwards what it really charged.
//
// It shares no code with this project's client of that API, not even the catalogue. Two readings of one document can
// disagree, and a test that runs one against the other shows where; a fake that imports the client's own types cannot.
//
// Where the document is silent, the sandbox behaves in the way that is worst for its caller: it charges a repeated
// distributor_transaction_id again, a charge survives a client that hung up, and a request may be charged and never
// answered. Magic phone numbers choose the fate of a purchase (see GET / of a running sandbox), and settings (see
// [Config]) make trouble for all the others.
//
// The checks of a purchase run in this order: rate limit, token, content type, JSON, required fields (400 without a
// response code), phone (83), product (14), amount (13), the fate, a repeated id, the balance (51).
package sandbox
