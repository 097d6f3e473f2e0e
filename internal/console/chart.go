package console

import (
	"fmt"
	"strings"
)

// Charts are drawn in a box of this size, and scaled by the page.
const (
	chartWidth, chartHeight = 600, 120
	barGap                  = 2
)

// chart is what a template draws: rectangles, or a line.
type chart struct {
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
	X, Y, W, H float64
	Class      string
	Title      string
}

// bar is one minute: orders by how they stand.
type bar struct {
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
		title := fmt.Sprintf("%s: %d orders, %d succeeded, %d not bought, %d unknown", b.Label, b.total(), b.Good, b.Bad, b.Doubt)
		for _, part := range []struct {
			n     int64
			class string
		}{{b.Good, "good"}, {b.Open, "open"}, {b.Bad, "bad"}, {b.Doubt, "doubt"}} {
			height := float64(part.n) / c.Max * chartHeight
			if part.n == 0 {
				continue
			}
			top -= height
			c.Rects = append(c.Rects, rect{X: float64(i) * width, Y: top, W: width - barGap, H: height, Class: part.class, Title: title})
		}
	}
	if len(bars) > 0 {
		c.From, c.To = bars[0].Label, bars[len(bars)-1].Label
	}
	return c
}

func lineChart(values []float64) chart {
	c := chart{Width: chartWidth, Height: chartHeight / 2}
	if len(values) < 2 {
		return c
	}
	least, most := values[0], values[0]
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	c.Max = most
	var points strings.Builder
	for i, v := range values {
		y := 0.5
		if most > least {
			y = (most - v) / (most - least)
		}
		fmt.Fprintf(&points, "%.1f,%.1f ", float64(i)/float64(len(values)-1)*chartWidth, 2+y*float64(c.Height-4))
	}
	c.Line = points.String()
	return c
}
