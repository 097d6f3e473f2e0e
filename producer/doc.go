// Package producer is how an order enters Recarga, and what can be done to it from outside.
//
// A checkout imports Client, which places orders over Recarga's HTTP API. After any error it may place the same order
// again. Producer is the other side of that API: each of its operations validates, is recorded in the book of record,
// and wakes the workers.
package producer
