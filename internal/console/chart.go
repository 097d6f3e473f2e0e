package console

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The box that charts are drawn in; the browser stretches it.
const (
	chartWidth  = 600
	chartHeight = 120
	barGap      = 1
	// linesAcross is about how many lines a chart has for values, beside the one at the bottom, and ticks how many names
	// of times.
	linesAcross, ticks = 4, 5
)

// chart is a picture of numbers over time, with its axes.
type chart struct {
	// Bars are what each time has; empty for a line.
	Bars []barDrawing
	// Line are the points of a line; empty for none.
	Line string
	// Values are the axis at the side, the highest first. Lines are where they are, in units of the box.
	Values []string
	Lines  []float64
	// Times are the axis at the bottom: names of times at the same distance from each other.
	Times []string
	Width int
	// Height is of the box, as Width is.
	Height int
}

// barDrawing is a bar that leads to what it stands for.
type barDrawing struct {
	// Link is where it leads, Title what it says.
	Link, Title string
	// X, W and Height are the whole column, in units of the box.
	X, W   float64
	Height int
	// Parts are stacked from below.
	Parts []rect
}

type rect struct {
	// X, Y, W and H are in units of the box; the style sheet colours by Class.
	X, Y, W, H float64
	Class      string
}

// bar is the orders of some time, by what has become of them.
type bar struct {
	// Label is the time, and Link leads to the orders.
	Label, Link string
	// The counts are of orders: succeeded, failed or canceled, unknown.
	Good, Bad, Doubt int64
}

func (b bar) total() int64 { return b.Good + b.Bad + b.Doubt }

func barChart(bars []bar) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	var most int64
	labels := make([]string, len(bars))
	for i, b := range bars {
		most, labels[i] = max(most, b.total()), b.Label
	}
	step := max(stepOf(float64(most)/linesAcross), 1)
	top := step * max(math.Ceil(float64(most)/step), 1)
	c.axis(0, top, step)
	c.Times = spread(labels)
	width := float64(chartWidth) / float64(max(len(bars), 1))
	for i, b := range bars {
		drawn := barDrawing{Link: b.Link, X: float64(i) * width, W: width - barGap, Height: chartHeight}
		drawn.Title = fmt.Sprintf("%s: %d orders, %d succeeded, %d failed or canceled, %d unknown", b.Label, b.total(),
			b.Good, b.Bad, b.Doubt)
		y := float64(chartHeight)
		for _, part := range []struct {
			n     int64
			class string
		}{{b.Good, "good"}, {b.Bad, "bad"}, {b.Doubt, "doubt"}} {
			if part.n == 0 {
				continue
			}
			height := float64(part.n) / top * chartHeight
			y -= height
			drawn.Parts = append(drawn.Parts, rect{drawn.X, y, drawn.W, height, part.class})
		}
		c.Bars = append(c.Bars, drawn)
	}
	return c
}

// point is a value at a time.
type point struct {
	at    time.Time
	value float64
}

// lineChart draws values over time; nothing where there are fewer than two.
func lineChart(points []point, unit string) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	if len(points) < 2 {
		return c
	}
	first, last := points[0].at, points[len(points)-1].at
	least, most := points[0].value, points[0].value
	for _, p := range points {
		least, most = min(least, p.value), max(most, p.value)
	}
	step := stepOf((most - least) / linesAcross)
	least = math.Floor(least/step) * step
	most = least + step*max(math.Ceil((most-least)/step), 1)
	c.axis(least, most, step)
	layout := "15:04"
	if last.Sub(first) > 48*time.Hour {
		layout = "Mon 2 Jan"
	}
	whole := max(last.Sub(first), 1)
	for i := range ticks {
		c.Times = append(c.Times, first.Add(whole*time.Duration(i)/(ticks-1)).Local().Format(layout))
	}
	var line strings.Builder
	for _, p := range points {
		fmt.Fprintf(&line, "%.1f,%.1f ", float64(p.at.Sub(first))/float64(whole)*chartWidth,
			(most-p.value)/(most-least)*chartHeight)
	}
	c.Line = line.String()
	return c
}

// axis names the values between two, which are whole steps.
func (c *chart) axis(least, most, step float64) {
	lines := int(math.Round((most - least) / step))
	for i := range lines + 1 {
		value := strconv.FormatFloat(most-step*float64(i), 'f', -1, 64)
		c.Values = append(c.Values, money(json.Number(value)))
		c.Lines = append(c.Lines, float64(c.Height)*float64(i)/float64(lines))
	}
}

// stepOf is a round number that is not less.
func stepOf(least float64) float64 {
	if least <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(least)))
	for _, n := range []float64{1, 2, 3, 5} {
		if n*unit >= least {
			return n * unit
		}
	}
	return 10 * unit
}

// spread are the first, the last, and some between.
func spread(labels []string) (some []string) {
	if len(labels) < ticks {
		return labels
	}
	for i := range ticks {
		some = append(some, labels[i*(len(labels)-1)/(ticks-1)])
	}
	return some
}
