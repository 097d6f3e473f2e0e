package sandbox

import (
	"fmt"
	"net/http"
	"strings"
)

const intro = `The distributor's API, simulated. Nothing here moves money.

  POST /api/distributor/login              {"customer_id":"demo","secret_key":"demo"} unless set otherwise
  GET  /api/distributor/get_balance
  POST /api/distributor/product_purchase
  GET  /sandbox/purchases                  what was really charged
  GET  /sandbox/requests                   every product_purchase request and its answer
  GET  /sandbox/statement.csv?month=YYYY-MM
  POST /sandbox/reset                      forgets both and restores the balance; settings and tokens stay
  GET  /sandbox/config                     the settings
  POST /sandbox/config                     changes those it is given
  GET  /healthz

Phone numbers that choose their fate (any other is approved):

`

// help is GET /. It is written from the tables the server runs on.
func help(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	b.WriteString(intro)
	for _, one := range fates() {
		fmt.Fprintf(&b, "  %s%s  %s\n", magicPrefix, one.digits, one.does)
	}
	b.WriteString("\nSettings, and what they may be:\n\n")
	for _, one := range settings() {
		fmt.Fprintf(&b, "  %-20s %s\n", one.field, one.allowed)
	}
	answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte(b.String())}.write(w)
}
