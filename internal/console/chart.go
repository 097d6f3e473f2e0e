package console

import (
	"fmt"
	"strings"
	"time"
)

// Charts are drawn in a box of this size, and scaled by the page.
const (
	chartWidth, chartHeight = 600, 120
	barGap                  = 2
)

// chart is what a template draws: rectangles, or a line.
type chart struct {
	// Rects are the parts of bars.
	Rects []rect
	// Line are the points of a line; empty for none.
	Line string
	// Max is the value at the top.
	Max float64
	// From and To are the labels of the ends.
	From, To string
	Width    int
	Height   int
}

type rect struct {
	// X, Y, W and H are in units of the box; the style sheet colours by Class, and Title is shown on hover.
	X, Y, W, H float64
	Class      string
	Title      string
}

// bar is one minute: orders by how they stand.
type bar struct {
	// Label is the minute; the counts are of orders: succeeded, failed or canceled, unknown, and not final.
	Label                  string
	Good, Bad, Doubt, Open int64
}

func (b bar) total() int64 { return b.Good + b.Bad + b.Doubt + b.Open }

func barChart(bars []bar) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	var most int64 = 1
	for _, b := range bars {
		most = max(most, b.total())
	}
	c.Max = float64(most)
	width := float64(chartWidth) / float64(max(len(bars), 1))
	for i, b := range bars {
		top := float64(chartHeight)
		title := fmt.Sprintf("%s: %d orders, %d succeeded, %d not bought, %d unknown", b.Label, b.total(), b.Good, b.Bad,
			b.Doubt)
		for _, part := range []struct {
			n     int64
			class string
		}{{b.Good, "good"}, {b.Open, "open"}, {b.Bad, "bad"}, {b.Doubt, "doubt"}} {
			height := float64(part.n) / c.Max * chartHeight
			if part.n == 0 {
				continue
			}
			top -= height
			c.Rects = append(c.Rects, rect{X: float64(i) * width, Y: top, W: width - barGap, H: height, Class: part.class,
				Title: title})
		}
	}
	if len(bars) > 0 {
		c.From, c.To = bars[0].Label, bars[len(bars)-1].Label
	}
	return c
}

// point is a value at a time.
type point struct {
	at    time.Time
	value float64
}

// lineChart draws values over time; nothing where there are fewer than two.
func lineChart(points []point) chart {
	c := chart{Width: chartWidth, Height: chartHeight / 2}
	if len(points) < 2 {
		return c
	}
	first, last := points[0], points[len(points)-1]
	least := first.value
	c.Max = first.value
	for _, p := range points {
		least, c.Max = min(least, p.value), max(c.Max, p.value)
	}
	c.From, c.To = first.at.Local().Format("15:04"), last.at.Local().Format("15:04")
	whole := max(last.at.Sub(first.at), 1)
	var line strings.Builder
	for _, p := range points {
		y := 0.5
		if c.Max > least {
			y = (c.Max - p.value) / (c.Max - least)
		}
		fmt.Fprintf(&line, "%.1f,%.1f ", float64(p.at.Sub(first.at))/float64(whole)*chartWidth, 2+y*float64(c.Height-4))
	}
	c.Line = line.String()
	return c
}
