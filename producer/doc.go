// Package producer is how an order enters Recarga.
//
// A checkout imports Client, which places orders over Recarga's HTTP API and may be called again with
// the same order after any error. Producer is the other side of that API: it validates, records the
// order in the book of record, and then rings the queue.
package producer
