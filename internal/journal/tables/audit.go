package tables

import (
	"recarga/internal/journal/commit"
	"recarga/topup/desk"
)

var sqlAct = sqls.Get("act")

// Act writes an action beside what it changed. A thing that one action changes twice is written once.
func (t *Tx) Act(a desk.Act) error {
	_, err := t.Run(written(a))
	return err
}

func written(a desk.Act) *commit.Statement {
	return commit.Change(sqlAct, a.ID, a.At.UnixMicro(), Text(a.By), a.Role, a.Via, Text(string(a.Address)), a.Action,
		Text(string(a.On)), string(a.OrderID), Text(string(a.Detail)), Text(string(a.Reason)))
}

// beside has an action written as the last step of an operation's usual way, which has changed something when it gets
// there.
func beside(s *commit.Step, a desk.Act) *commit.Step {
	then := s.Then
	s.Then = func(t *commit.Tx) (next *commit.Step, err error) {
		if then != nil {
			next, err = then(t)
		}
		switch {
		case err != nil:
			return nil, err
		case next != nil:
			return beside(next, a), nil
		}
		over := func(*commit.Tx) (*commit.Step, error) { return nil, nil }
		return &commit.Step{Statement: written(a), Then: over, Missed: over}, nil
	}
	return s
}
