package openapi

import (
	"fmt"
	"time"

	"recarga/topup"
)

// propertyTexts says of each object's fields what their types do not.
func propertyTexts(catalog topup.Catalog) map[string]map[string]string {
	return map[string]map[string]string{
		"OrderRequest": requestTexts(catalog),
		"Order": {
			"caller":           "Who placed it.",
			"state":            states(),
			"reason":           "Why it failed; null in any other state.",
			"amount":           "MXN.",
			"attempt_count":    "How many requests went to the distributor.",
			"response_code":    "The distributor's code of the last attempt.",
			"response_message": "The distributor's words for it.",
			"transaction_id":   "The distributor's id of the purchase.",
			"reference":        "The carrier's reference.",
			"auth_code":        "The carrier's authorization.",
			"balance_after":    "The distributor's balance after the purchase, in its own currency.",
			"next_attempt_at":  "When it will be tried (again); null when no try is scheduled.",
			"finished_at":      "When it became final.",
			"priority":         "`high`, `normal` or `bulk`.",
			"disputed_at": "Since when later evidence contradicts the final state, which stays until a person decides; " +
				"absent when none does.",
			"waits_for": "Why it waits: `turn` (bulk orders share what is left), `pace` (the distributor's limit), " +
				"`outage` (its operator fails), `balance`; null when it does not.",
		},
		"Attempt": attemptTexts(),
		"OrderDetails": {
			"resolutions": "What was decided of the order while it was held, or held it; absent where nothing was.",
			"corrections": "The changes of a final state that was wrong; absent where there are none.",
			"disputes": "The evidence that contradicted a final state, and how it was judged. " +
				"For operators' keys; absent where there is none.",
		},
		"Resolution": {
			"outcome": "`succeeded`, `failed` or `resend`; `held`: a statement charged it while it waited.",
			"by":      "For the operator: who decided.",
			"reason":  "For the operator: why.",
			"at":      "When.",
			"forced":  "For the operator: it was decided while the attempt's answer might still have been on the way.",
			"attempt": "The number of the attempt that was held.",
		},
		"Correction": {
			"by":     "For the operator: who decided.",
			"reason": "For the operator: why.",
			"at":     "When.",
		},
		"Event": {
			"id":       "The webhook-id: the same on every try.",
			"type":     "As in `topup.succeeded`.",
			"sequence": "Rises by one per order: drop what is older than you have.",
		},
		"Balance": balanceTexts(),
	}
}

func requestTexts(catalog topup.Catalog) map[string]string {
	return map[string]string{
		"distributor_transaction_id": "The order's id: yours, unique for ever. The same id with the same content is the " +
			"same order.",
		"caller": "Absent, or the name of the key's own caller.",
		"phone_number": "A Mexican number of 10 digits, the first 2-9, not one of the non-geographic 300, 500, 800, 888, " +
			"900. Separators, +52, 52 (of 12 digits) and 521 (of 13) are removed.",
		"product_id": "A product of `GET /v1/products`.",
		"amount": "MXN, at most 2 decimals, exact: within the product's range, or its fixed price. " +
			prices(catalog),
		"operator": "The carrier's name; the distributor finds it out where it is absent.",
		"priority": "How soon it is bought while not all can be: `high` for an order that a person waits for, `bulk` " +
			"for one that may wait. Default: `normal`. Not part of the order's content.",
		"callback_url": "Where this order's events go instead of the caller's own URL; of the same origin. Not part of " +
			"the order's content.",
		"process_at": "Not before this time. Default: at once.",
		"expires_at": "Not after this time: then the order becomes `failed`, reason `expired`. Later than process_at " +
			"and than now.",
		"metadata": fmt.Sprintf("Your own texts, echoed everywhere the order appears; at most %d bytes of JSON.",
			topup.MaxMetadata),
	}
}

// decisionTexts are those of what a person decides, and asks to be redelivered.
func decisionTexts() map[string]map[string]string {
	const why, who = "Why this is known. Kept with the order.", "Who decided. Kept with the order."
	const purchase = "The distributor's id of the purchase, where it succeeded."
	return map[string]map[string]string{
		"ResolveRequest": {
			"outcome": "What happened: it was charged; it was not, and the order fails; or send it again, which charges " +
				"twice if it was charged after all.",
			"reason": why, "by": who, "transaction_id": purchase,
			"force": "Also while a worker may still be acting on the attempt, or its answer may be on the way.",
			"attempt": "The number of the latest attempt that the decision is about: 409 if the order has been sent again " +
				"meanwhile. Absent: whichever is the latest.",
		},
		"CorrectRequest": {
			"outcome": "What happened: it was charged; or it was not.",
			"reason":  why, "by": who, "transaction_id": purchase,
		},
		"UpholdRequest": {"reason": why},
		"RedeliverRequest": {
			"caller":   "Of this caller. For operators' keys only; any other sees its own.",
			"endpoint": "For this endpoint of their caller; default is the callback_url.",
		},
	}
}

// registryTexts are those of callers and operators.
func registryTexts() map[string]map[string]string {
	caller := map[string]string{
		"endpoints":   "All that its events are delivered to; the one named default is the callback_url.",
		"disabled_at": "Since when its key is refused and nothing is delivered to it; null: it is enabled.",
	}
	operator := map[string]string{
		"former_key_until": "Until when the key before the last rotation is good as well; null: it has ended.",
	}
	return map[string]map[string]string{
		"Caller": caller, "CreatedCaller": caller, "Operator": operator, "CreatedOperator": operator,
		"EndpointFacts":       {"failing_since": "The first failure after its last success; null: it answers."},
		"SetEndpointRequest":  {"event_types": "The types that it wants; absent or empty: every type."},
		"NewCallerRequest":    {"callback_url": "Where its events go."},
		"CallerChangeRequest": {"callback_url": "Where its events go; empty: nowhere. Absent: as it is."},
		"OperatorChangeRequest": {
			"version": "The version that the change is for: 409 if it has changed since. Absent: any.",
		},
	}
}

func attemptTexts() map[string]string {
	return map[string]string{
		"number":  "Counts from 1.",
		"outcome": "Null while it is under way.",
		"error":   "Why the outcome does not follow from a response code. A caller sees one sentence for each outcome.",
		"probe":   "True where it was made to try an operator that was out. The first three of an order spent no try.",
		"evidence": "For the operator. Of an unknown outcome: how far the request got, how the answer began, and what the " +
			"balance did meanwhile.",
	}
}

func balanceTexts() map[string]string {
	return map[string]string{
		"balance":      "As the distributor gave it.",
		"currency":     "The distributor's currency, not the orders'.",
		"last_updated": "The distributor's own time of it.",
		"fetched_at":   "When it was asked.",
		"age_seconds":  "How long ago it was asked.",
		"low":          "For the operator: it is below `RECARGA_BALANCE_LOW`, where that is set.",
		"history": "For the operator: what the workers recorded in the last 24 hours, the oldest first; 96 points at " +
			"most.",
		"changes": "For the operator, of a week: deposits, and drifts (falls that no order explains); each at least so " +
			"large.",
	}
}

func states() string {
	text := ""
	for _, f := range topup.StateTable() {
		text += fmt.Sprintf("`%s`: %s (money: %s). ", f.State, f.Meaning, f.Money)
	}
	return text
}

// prices are those of a catalogue that is short enough to be read here.
func prices(catalog topup.Catalog) string {
	const few = 20
	products, text := catalog.Products(), ""
	if len(products) > few {
		return "`GET /v1/products` has them."
	}
	for _, p := range products {
		text += p.Prices() + ". "
	}
	return text
}

const exampleRequest = `{"distributor_transaction_id":"ORD-1","phone_number":"5537686660",` +
	`"product_id":"MOVISTAR_TAE","amount":10,"operator":"MOVISTAR"}`

// ExampleRequestLines is a batch: the second of its orders is of a wrong amount.
const ExampleRequestLines = exampleRequest + `
{"distributor_transaction_id":"ORD-2","phone_number":"5537686660","product_id":"MOVISTAR_PAQUETE_16","amount":31}
`

// ExampleOrder is the order of exampleRequest when it has been bought.
const ExampleOrder = `{"distributor_transaction_id":"ORD-1","caller":"default","state":"succeeded","reason":null,` +
	`"phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"currency":"MXN",` +
	`"operator":"MOVISTAR","priority":"normal","metadata":{},` +
	`"attempt_count":2,"response_code":"00","response_message":"Aprobado",` +
	`"transaction_id":"TXN-1702857600000-abc123def",` +
	`"reference":"RRN-123456789012","auth_code":"ABC123","balance_after":990.00,` +
	`"created_at":"2026-01-31T18:00:00Z","updated_at":"2026-01-31T18:00:04Z","process_at":null,"expires_at":null,` +
	`"next_attempt_at":null,"finished_at":"2026-01-31T18:00:04Z","waits_for":null}`

// ExampleQueued is the order of exampleRequest when it was just accepted.
func ExampleQueued() topup.Order {
	r, err := topup.ParseRequest([]byte(exampleRequest))
	if err != nil {
		panic("the example of a request is not valid: " + err.Error())
	}
	r.Caller = topup.DefaultCaller
	return r.Order(time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC))
}

// ExampleBatchLines is the answer to ExampleRequestLines.
const ExampleBatchLines = `{"line":1,"distributor_transaction_id":"ORD-1","status":202,"topup":` + ExampleOrder + `}
{"line":2,"distributor_transaction_id":"ORD-2","status":422,"error":` + exampleProblem + `}
`

// exampleProblem is what the second line of ExampleRequestLines gets.
const exampleProblem = `{"title":"Unprocessable Entity","status":422,` +
	`"detail":"not allowed: amount","errors":[{"message":"must be exactly 30 MXN for MOVISTAR_PAQUETE_16",` +
	`"location":"body.amount","value":"31"}]}`

// ExampleStatement charges it.
const ExampleStatement = `date,transaction_id,distributor_transaction_id,phone_number,amount,status
2026-01-31T18:00:03Z,TXN-1702857600000-abc123def,ORD-1,5537686660,10.00,Aprobado
`

// ExampleReconciled is the answer to ExampleStatement.
const ExampleReconciled = `{"finding":{"class":"unknown_found",` +
	`"distributor_transaction_id":"ORD-1","state":"unknown",` +
	`"lines":[2],"amount":10,"transaction_id":null,` +
	`"statement_amount":10,"statement_transaction_ids":["TXN-1702857600000-abc123def"],` +
	`"statement_time":"2026-01-31T18:00:03Z",` +
	`"outcome":"succeeded","settled":true,"disputed":false,"detail":"line 2: charged as TXN-1702857600000-abc123def"}}
{"summary":{"statement":"january.csv","sha256":"8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92",` +
	`"lines":1,` +
	`"columns":{"id":"distributor_transaction_id"},"covers":null,"matched":0,` +
	`"charged":{"count":1,"amount":10},"sold":{"count":1,"amount":10},` +
	`"findings":{"unknown_found":1},"settled":{"succeeded":1},"dry_run":false,"disputed":0,"outside":0,"notes":[],` +
	`"not_understood":[],"agrees":true}}
`
