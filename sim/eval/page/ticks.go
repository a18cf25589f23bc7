package page

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ticks are at multiples of 1, 2 or 5 times a power of ten.
type ticks struct{ whole bool }

// manyTicks are the most that a reader wants.
const manyTicks = 7

// Ticks returns the ticks of an axis over a range.
func (t ticks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/manyTicks)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(factor*step) <= manyTicks {
			step *= factor
			break
		}
	}
	if t.whole {
		step = math.Max(step, 1)
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		v := i * step
		if v == 0 {
			v = 0 // not -0
		}
		out = append(out, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', digits, 64)})
	}
	return out
}

// polygon is a filled sign, its corners in radii.
type polygon []vg.Point

// DrawGlyph draws the sign.
func (p polygon) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	var path vg.Path
	for i, corner := range p {
		to := vg.Point{X: at.X + style.Radius*corner.X, Y: at.Y + style.Radius*corner.Y}
		if i == 0 {
			path.Move(to)
		} else {
			path.Line(to)
		}
	}
	path.Close()
	c.SetColor(style.Color)
	c.Fill(path)
}

// glyphs tell the colours apart without their colours.
var glyphs = []draw.GlyphDrawer{
	draw.CircleGlyph{},
	polygon{{X: -.9, Y: -.9}, {X: .9, Y: -.9}, {X: .9, Y: .9}, {X: -.9, Y: .9}},
	polygon{{X: -1.1, Y: -.8}, {X: 1.1, Y: -.8}, {X: 0, Y: 1.1}},
	polygon{{X: 0, Y: -1.3}, {X: 1.3, Y: 0}, {X: 0, Y: 1.3}, {X: -1.3, Y: 0}},
	polygon{{X: -1.1, Y: .8}, {X: 1.1, Y: .8}, {X: 0, Y: -1.1}},
	polygon{{X: -1.2, Y: -.4}, {X: 1.2, Y: -.4}, {X: 1.2, Y: .4}, {X: -1.2, Y: .4}},
	polygon{{X: -.4, Y: -1.2}, {X: .4, Y: -1.2}, {X: .4, Y: 1.2}, {X: -.4, Y: 1.2}},
	polygon{{X: -1.2, Y: 0}, {X: -.6, Y: -1}, {X: .6, Y: -1}, {X: 1.2, Y: 0}, {X: .6, Y: 1}, {X: -.6, Y: 1}},
}
