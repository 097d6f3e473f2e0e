package distributor

import (
	"encoding/json"
	"time"
)

// documented is a field of an answer, as the vendor's document shows it.
type documented struct {
	name, kind string
	is         func(json.RawMessage) bool
}

// documentOf is what the vendor's document shows of the answers to a call.
func documentOf(call string) []documented {
	switch call {
	case "login":
		return []documented{
			{"success", "true", exactly("true")}, {"access_token", "a text", isText},
			{"refresh_token", "a text", isText}, {"token_type", "Bearer", exactly(`"Bearer"`)},
			{"expires_in", "a number", isNumber},
		}
	case "balance":
		return []documented{
			{"success", "true", exactly("true")}, {"balance", "a number", isNumber}, {"currency", "a text", isText},
			{"last_updated", "a time", isTime},
		}
	default:
		return []documented{{"success", "false", exactly("false")}, {"error", "a text", isText}}
	}
}

// Deviations says how an answer's body differs from what the vendor's document shows: a phrase each,
// without values, since some are secrets. The call is login, balance, or error for an answer to any call
// that refuses it.
func Deviations(call string, body []byte) (found []string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return []string{"it is not a JSON object"}
	}
	for _, f := range documentOf(call) {
		switch value, ok := fields[f.name]; {
		case !ok:
			found = append(found, f.name+" is missing")
		case !f.is(value):
			found = append(found, f.name+" is not "+f.kind)
		}
	}
	return found
}

func exactly(want string) func(json.RawMessage) bool {
	return func(value json.RawMessage) bool { return string(value) == want }
}

func isText(value json.RawMessage) bool {
	var s *string
	return json.Unmarshal(value, &s) == nil && s != nil && *s != ""
}

func isNumber(value json.RawMessage) bool {
	return len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9')
}

func isTime(value json.RawMessage) bool {
	var t *time.Time
	return json.Unmarshal(value, &t) == nil && t != nil
}
