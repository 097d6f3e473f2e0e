package sim

import "slices"

// shrink looks for a shorter life with the same violation: it leaves out decisions, and takes the plain one instead,
// first of many at once, then of few, as long as the life gets simpler. It lives most lives at most.
func shrink(w *world, most int, again func(*tape) *world) *world {
	for simpler := true; simpler; {
		simpler = false
		for s := range streams {
			for size := len(w.tape.recorded()[s]); size > 0; size /= 2 {
				for at := 0; at < len(w.tape.recorded()[s]); {
					next := simplerThan(w, s, at, size, &most, again)
					if next == nil {
						at += size
						continue
					}
					w, simpler = next, true
				}
			}
		}
	}
	return w
}

// simplerThan is a life with the same violation, without some decisions or with plain ones; nil: there is none.
func simplerThan(w *world, s stream, at, size int, most *int, again func(*tape) *world) *world {
	without, plain := w.tape.recorded(), w.tape.recorded()
	end := min(at+size, len(plain[s]))
	without[s] = slices.Delete(without[s], at, end)
	clear(plain[s][at:end])
	for _, made := range [][streams][]byte{without, plain} {
		if *most == 0 {
			return nil
		}
		*most--
		if next := again(replaying(made)); next.kind == w.kind && next.tape.weight() < w.tape.weight() {
			return next
		}
	}
	return nil
}

// weight is how much was decided.
func (t *tape) weight() (n int) {
	for _, made := range t.recorded() {
		n += len(made)
		for _, choice := range made {
			n += min(int(choice), 1)
		}
	}
	return n
}
