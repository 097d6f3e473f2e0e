package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"recarga/internal/command"
	"recarga/internal/doctor"
	"recarga/topup"
)

// charges counts what the sandbox of a shop really charged, by order.
func charges(t *testing.T, env map[string]string) map[topup.ID]int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		strings.Replace(env["RECARGA_DISTRIBUTOR_URL"], "/api/distributor", "/sandbox/purchases", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		ID topup.ID `json:"distributor_transaction_id"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatal(err)
	}
	count := map[topup.ID]int{}
	for _, p := range all {
		count[p.ID]++
	}
	return count
}

// TestDoctorLive walks at the sandbox, and buys through a real server what each number's fate is.
func TestDoctorLive(t *testing.T) {
	env := shop(t)
	well := `(?s)^ok    live reachable .*ok    live login +accepted.*ok    live latency `
	want(t, env, command.ExitOK, well, `^$`, "doctor", "--live", "--strict")

	for phone, fate := range map[string]struct {
		status  int
		stdout  string
		charged int
	}{
		"55 3768 6660": {command.ExitOK, `(?s)ok    live order +doctor-\S+ placed: 10 MXN of MOVISTAR_TAE\nok    live purchase +succeeded with code 00.*attempts: 1\n` +
			`ok    live purchase answer  transaction TXN-.*ok    live balance change +from \d+\.00 to \d+\.00 by the purchase's answer: 10 for 10 MXN\n\nORDER .*Attempt 1 +approved`, 1},
		"5500000051": {command.ExitFailed, `fail  live purchase +failed/declined with code 51 .*\n +→ pay into the account(?s:.*)ok    live balance change .*: 0 for 10 MXN\n`, 0},
		"5500000083": {command.ExitFailed, `fail  live purchase +failed/declined with code 83 .*\n +→ take a number of the product's operator`, 0},
		"5500000200": {command.ExitFailed, `fail  live purchase +unknown .*: it may have been charged\n +→ find out at the distributor, then: recarga resolve doctor-`, 1},
		"5500000500": {command.ExitFailed, `fail  live purchase +unknown .*: it may have been charged`, 0},
		"5500000429": {command.ExitOK, `ok    live purchase +succeeded with code 00 .*attempts: 2`, 1},
	} {
		t.Run(phone, func(t *testing.T) {
			before := charges(t, env)
			r := want(t, env, fate.status, fate.stdout, `^Placing order doctor-\S+ at http`, "doctor", "--live", "--purchase",
				phone, "--yes")
			id := topup.ID(strings.Fields(r.stderr.String())[2])
			if n := charges(t, env)[id]; n != fate.charged || len(charges(t, env)) != len(before)+fate.charged {
				t.Errorf("%s was charged %d times, want %d", id, n, fate.charged)
			}
		})
	}
}

func TestDoctorLiveRefusals(t *testing.T) {
	env := shop(t)
	but := func(name, value string) map[string]string {
		other := maps.Clone(env)
		other[name] = value
		return other
	}
	const order = "5537686660"
	want(t, env, command.ExitUsage, `^$`, `--purchase asks before it spends money.*give --yes`, "doctor", "--live", "--purchase",
		order)
	want(t, env, command.ExitUsage, `^$`, `--purchase needs --live`, "doctor", "--purchase", order)
	want(t, env, command.ExitUsage, `^$`, `--amount needs --purchase PHONE`, "doctor", "--live", "--amount", "10")
	want(t, env, command.ExitUsage, `^$`, `--phone: .*\n.*--amount: .*exactly 30 MXN`, "doctor", "--live", "--purchase", "1",
		"--product", "MOVISTAR_PAQUETE_16", "--amount", "10", "--yes")

	// Where a check failed, nothing is bought.
	want(t, but("RECARGA_DISTRIBUTOR_SECRET_KEY", "geheim"), command.ExitFailed,
		`fail  live login +refused, HTTP 401 .*\n +→ correct`,
		`^recarga: of 3 checks 1 failed|^recarga: of 2 checks 1 failed`, "doctor", "--live", "--purchase", order, "--yes")
	want(t, but("RECARGA_API_KEY", "another-key"), command.ExitFailed, `fail  live order +refused: .*401`, ``, "doctor", "--live",
		"--purchase", order, "--yes")
	want(t, but("RECARGA_API_URL", "http://127.0.0.1:1"), command.ExitFailed,
		`fail  live order .*connection refused\n +→ see with recarga get doctor-\S+ whether it was placed`, ``, "doctor",
		"--live", "--purchase", order, "--yes", "--timeout", "1s")
	if n := len(charges(t, env)); n != 0 {
		t.Errorf("%d were charged, want none", n)
	}

	r := want(t, env, command.ExitOK, `^\[\{"check":"live reachable"`, ``, "doctor", "--live", "--json", "--purchase", order,
		"--yes", "--product", "MOVISTAR_PAQUETE_17")
	var found []doctor.Finding
	if err := json.Unmarshal([]byte(r.stdout.String()), &found); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if (f.Order != nil) != (f.Check == "live purchase") {
			t.Errorf("%+v", f)
		}
		if f.Order != nil && (f.Order.State != topup.StateSucceeded || f.Order.Amount.String() != "50" ||
			len(f.Order.Attempts) != 1) {
			t.Errorf("%+v", f.Order)
		}
	}
}
