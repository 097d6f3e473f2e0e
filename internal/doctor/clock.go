package doctor

import "time"

// offset is how far another clock is ahead of ours, by what it said between two of our moments; from
// it the time that the question took is taken off, since it may have been answered at either end.
func offset(theirs, asked, answered time.Time) time.Duration {
	switch {
	case theirs.After(answered):
		return theirs.Sub(answered)
	case theirs.Before(asked):
		return theirs.Sub(asked)
	default:
		return 0
	}
}

// clock judges an offset; a zero failAbove never fails.
func clock(off, warnAbove, failAbove time.Duration) Finding {
	status := OK
	switch off := off.Abs(); {
	case failAbove > 0 && off > failAbove:
		status = Fail
	case off > warnAbove:
		status = Warn
	}
	switch {
	case off > 0:
		return finding(status, "%s ahead of this machine", []any{off.Round(time.Millisecond)})
	case off < 0:
		return finding(status, "%s behind this machine", []any{off.Abs().Round(time.Millisecond)})
	default:
		return ok("as this machine's")
	}
}
