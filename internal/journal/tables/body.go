package tables

import "strings"

// bodyWords are what every event's body repeats: two thirds of it, and of all that an order takes on
// the disk. Each is stored as one control character, its place in this list from 1, which the text of
// a JSON document cannot contain. A word may be added at the end, up to 31; none may ever be changed.
var bodyWords = []string{
	`{"type":"topup.`,
	`","timestamp":"`,
	`","data":{"sequence":`,
	`,"distributor_transaction_id":"`,
	`","caller":"`,
	`","state":"`,
	`","reason":null,"phone_number":"`,
	`","reason":"`,
	`","phone_number":"`,
	`","product_id":"`,
	`","amount":`,
	`,"currency":"MXN","operator":"`,
	`,"currency":"MXN","operator":null,"metadata":{`,
	`","metadata":{`,
	`},"attempt_count":`,
	`,"response_code":"`,
	`,"response_code":null,"response_message":`,
	`","response_message":"`,
	`","transaction_id":"`,
	`","reference":"`,
	`","auth_code":"`,
	`,"transaction_id":null,"reference":null,"auth_code":null`,
	`,"balance_after":`,
	`,"created_at":"`,
	`","updated_at":"`,
	`","process_at":null,"expires_at":null,"next_attempt_at":null,"finished_at":"`,
	`"process_at":`,
	`,"expires_at":`,
	`,"next_attempt_at":`,
	`,"finished_at":`,
	`succeeded`,
}

var squeezer, unsqueezer = bodyReplacers()

func bodyReplacers() (squeeze, unsqueeze *strings.Replacer) {
	var there, back []string
	for i, word := range bodyWords {
		mark := string(rune(i + 1))
		there, back = append(there, word, mark), append(back, mark, word)
	}
	return strings.NewReplacer(there...), strings.NewReplacer(back...)
}

// squeeze is an event's body as it is stored.
func squeeze(body []byte) []byte { return []byte(squeezer.Replace(string(body))) }

// unsqueeze is the body that was squeezed, byte for byte.
func unsqueeze(stored []byte) []byte { return []byte(unsqueezer.Replace(string(stored))) }
