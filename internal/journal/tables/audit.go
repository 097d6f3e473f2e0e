package tables

import "recarga/topup"

var sqlAct = sqls.Get("act")

// Act writes an action beside what it changed. A thing that one action changes twice is written once.
func (t *Tx) Act(a topup.Act) error {
	_, err := t.Exec(sqlAct, a.ID, a.At.UnixMicro(), Text(a.By), a.Role, a.Via, Text(string(a.Address)), a.Action,
		Text(string(a.On)), string(a.OrderID), Text(string(a.Detail)), Text(string(a.Reason)))
	return err
}
