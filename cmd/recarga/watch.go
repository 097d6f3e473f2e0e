package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/producer"
	"recarga/topup"
)

// watchEvery is the time between two requests.
const watchEvery = 500 * time.Millisecond

func newWatchCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "watch [ID]", Args: cobra.MaximumNArgs(1)}
	asJSON := command.JSONFlag(cmd)
	return command.Client(p, cmd, func(c command.Call) error {
		if len(c.Args) == 1 {
			return watchOne(p, c, topup.ID(c.Args[0]), *asJSON)
		}
		return watchAll(p, c, *asJSON)
	})
}

func watchOne(p *command.Program, c command.Call, id topup.ID, asJSON bool) error {
	shown := ""
	return p.Every(c.Ctx, watchEvery, func() (done bool, err error) {
		d, err := c.API.Get(c.Ctx, id)
		if err != nil {
			return false, err
		}
		if now := fmt.Sprint(d.State, d.AttemptCount); now != shown {
			shown = now
			if err := printChange(p, d.Order, asJSON); err != nil {
				return false, err
			}
		}
		return d.State.Final(), nil
	})
}

func printChange(p *command.Program, o topup.Order, asJSON bool) error {
	return p.Show(asJSON, o, func(s terminal.Screen) error { return view.Change(s, o) })
}

const (
	// shownAtFirst are the newest orders, which are shown before anything happens, and all that a terminal has room for.
	shownAtFirst = 20
	// pageLength is how many orders are read at once, and askedAtOnce how many older ones that are open are asked for.
	pageLength, askedAtOnce = 200, 20
	// settling is how long an order may become visible after a later one did.
	settling = 10 * time.Second
)

// watchAll redraws the newest orders on a terminal, and elsewhere prints those that changed.
func watchAll(p *command.Program, c command.Call, asJSON bool) error {
	w := watcher{c: c, seen: map[topup.ID]topup.Order{}}
	return p.Every(c.Ctx, watchEvery, func() (bool, error) {
		changed, err := w.look()
		if err != nil {
			return false, err
		}
		if p.Stdout.IsTerminal() && !asJSON {
			return false, redraw(p, w)
		}
		for _, o := range changed {
			if err := printChange(p, o, asJSON); err != nil {
				return false, err
			}
		}
		if slow := len(w.older()) / askedAtOnce; slow > w.slow {
			_, err = fmt.Fprintf(p.Stderr, "%d older orders are open; what happens to them is shown within %s\n",
				len(w.older()), time.Duration(slow+1)*watchEvery)
			w.slow = 2 * slow // once more when it has doubled
		}
		return false, err
	})
}

// watcher knows the orders that were the newest when it began, and all that were placed since. It leaves none out:
// those that are no longer among the newest are asked for until they are final.
type watcher struct {
	c command.Call
	// seen are those that are open, and the newest.
	seen map[topup.ID]topup.Order
	// newest are those of the last look, the newest first.
	newest []topup.Order
	// asked is the last of the older ones that was asked for.
	asked topup.ID
	// slow is how many looks it took when that was last said.
	slow int
}

// look returns the orders that are new or have changed, the oldest first.
func (w *watcher) look() (changed []topup.Order, err error) {
	newest, err := w.read()
	if err != nil {
		return nil, err
	}
	w.newest = newest[:min(len(newest), shownAtFirst)]
	all := newest
	for _, id := range w.next() {
		d, err := w.c.API.Get(w.c.Ctx, id)
		if err != nil {
			return nil, err
		}
		all, w.asked = append(all, d.Order), id
	}
	for _, o := range slices.Backward(all) {
		if was, known := w.seen[o.ID]; !known || !was.UpdatedAt.Equal(o.UpdatedAt) {
			changed = append(changed, o)
		}
		w.seen[o.ID] = o
	}
	w.forget(newest)
	return changed, nil
}

// read returns the newest orders: at first some, then back to all that were there the last time.
func (w *watcher) read() (all []topup.Order, err error) {
	f := producer.OrderFilter{Limit: pageLength}
	if len(w.seen) == 0 {
		f.Limit = shownAtFirst
	}
	var until time.Time
	for _, o := range w.newest {
		if at := o.CreatedAt.Add(-settling); at.After(until) {
			until = at
		}
	}
	for {
		page, next, err := w.c.API.List(w.c.Ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" || len(w.seen) == 0 || page[len(page)-1].CreatedAt.Before(until) {
			return slices.DeleteFunc(all, func(o topup.Order) bool {
				_, known := w.seen[o.ID]
				return !known && o.CreatedAt.Before(until) // it was there before, or was final long ago
			}), nil
		}
		f.Cursor = next
	}
}

// forget drops what is final and no longer among the newest.
func (w *watcher) forget(newest []topup.Order) {
	keep := map[topup.ID]bool{}
	for _, o := range newest {
		keep[o.ID] = true
	}
	maps.DeleteFunc(w.seen, func(id topup.ID, o topup.Order) bool { return o.State.Final() && !keep[id] })
}

// older are the open orders that are not among the newest.
func (w *watcher) older() (ids []topup.ID) {
	for id, o := range w.seen {
		if !o.State.Final() && !slices.ContainsFunc(w.newest, func(n topup.Order) bool { return n.ID == id }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// next are those of the older ones whose turn it is to be asked for.
func (w *watcher) next() []topup.ID {
	ids := w.older()
	at, found := slices.BinarySearch(ids, w.asked)
	if found {
		at++
	}
	ids = slices.Concat(ids[at:], ids[:at])
	return ids[:min(len(ids), askedAtOnce)]
}

func redraw(p *command.Program, w watcher) error {
	var b strings.Builder
	screen := p.Stdout.Screen()
	onto := screen
	onto.Writer = &b
	fmt.Fprintf(&b, "The newest orders at %s; Ctrl-C ends.\n\n", time.Now().Format(time.TimeOnly))
	if len(w.newest) == 0 {
		b.WriteString("None yet.\n")
	} else if err := view.Orders(onto, w.newest...); err != nil {
		return err
	}
	if n := len(w.older()); n > 0 {
		fmt.Fprintf(&b, "\n%d older ones are open and not shown: recarga list has them.\n", n)
	}
	return screen.Redraw(b.String())
}
