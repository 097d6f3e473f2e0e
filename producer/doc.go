// Package producer has every operation on an order or event, and the client that a checkout imports.
//
// A checkout imports Client, which places orders over Recarga's HTTP API. After any error it may place the same order
// again. Producer is the other side of that API: each of its operations validates, writes to the book of record, and
// wakes the workers.
package producer
