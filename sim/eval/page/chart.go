package page

import (
	"errors"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Chart is points over two axes.
type Chart struct {
	X, Y   Axis
	Series []Series
	Lines  []Line
}

// Axis is one axis of a chart.
type Axis struct {
	Label    string   // with its unit
	Names    []string // of what is at 0, 1, …, for an axis without numbers; the Y axis goes down
	From, To float64  // at least this range; equal: that of the points
	Whole    bool     // only whole numbers have a tick
	Percent  bool     // of a whole: error bars end at 0 and 100
}

// Series is points that belong together.
type Series struct {
	Name   string // in the legend; empty: none
	Style  Style
	Colour int // 0 to 7
	Points []Point
}

// Point is one point, with half the widths of its error bars and a label.
type Point struct {
	X, Y         float64
	XHalf, YHalf float64 // 0: no bar
	Label        string
}

// Style is how a series is drawn.
type Style int

// The styles.
const (
	Solid    Style = iota // a line
	Dashed                // a broken line
	Dots                  // single points
	LineDots              // points on a line
)

// Line is a value to hold points against.
type Line struct {
	At       float64
	Vertical bool
	Label    string // in the legend
}

// Sizes, in the units of the drawing. It is scaled to the width that there is, from 330
// pixels on a telephone to 500.
const (
	width, height = 360, 230
	rowHeight     = 22 // of an axis of names
	rowsHeight    = 54 // around it
	bigText       = 10
	smallText     = 9.5
)

func (c Chart) height() vg.Length {
	if n := len(c.Y.Names); n > 0 {
		return vg.Length(rowsHeight + n*rowHeight)
	}
	return height
}

// plot lays a chart out.
func (c Chart) plot() (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = nil
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = paintGrid, paintGrid
	p.Add(grid)
	dress(&p.X, c.X)
	dress(&p.Y, c.Y)
	for _, s := range c.Series {
		if err := s.add(p, points{s.Points, c.X.Percent, c.Y.Percent}); err != nil {
			return nil, err
		}
	}
	for _, l := range c.Lines {
		p.Add(rule(l)) // does not widen the axes
	}
	if c.Y.Names != nil {
		p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	}
	return p, nil
}

func dress(to *plot.Axis, a Axis) {
	font := to.Label.TextStyle.Font
	font.Variant = "Sans"
	to.Label.Text = a.Label
	to.Label.TextStyle.Font, to.Label.TextStyle.Color = font, paintInk
	to.Label.TextStyle.Font.Size = bigText
	to.Label.Padding = 3
	to.Tick.Label.Font, to.Tick.Label.Color = font, paintMuted
	to.Tick.Label.Font.Size = smallText
	to.Tick.Color, to.Color = paintMuted, paintMuted
	to.Tick.Length = 3
	to.Padding = 0
	if a.From != a.To {
		to.Min, to.Max = a.From, a.To
	}
	if a.Names == nil {
		to.Tick.Marker = ticks{a.Whole}
		return
	}
	to.Min, to.Max = -.6, float64(len(a.Names))-.4
	to.Tick.Length = 0
	var named plot.ConstantTicks
	for i, name := range a.Names {
		named = append(named, plot.Tick{Value: float64(i), Label: name})
	}
	to.Tick.Marker = named
}

// errEmpty is for a series that has nothing to show.
var errEmpty = errors.New("a series without points")

// add draws a series.
func (s Series) add(p *plot.Plot, at points) error {
	if len(s.Points) == 0 {
		return errEmpty
	}
	if s.Style != Dots {
		line, err := plotter.NewLine(at)
		if err != nil {
			return err
		}
		line.LineStyle = s.line()
		p.Add(line)
	}
	if err := s.addBars(p, at); err != nil {
		return err
	}
	if s.Style == Dots || s.Style == LineDots {
		scatter, err := plotter.NewScatter(at)
		if err != nil {
			return err
		}
		scatter.GlyphStyle = s.glyph()
		p.Add(scatter)
	}
	return s.addLabels(p)
}

// addBars draws the error bars that there are.
func (s Series) addBars(p *plot.Plot, at points) error {
	style := draw.LineStyle{Color: paint(s.Colour), Width: 1}
	if slices.ContainsFunc(s.Points, func(p Point) bool { return p.XHalf != 0 }) {
		x, err := plotter.NewXErrorBars(at)
		if err != nil {
			return err
		}
		x.LineStyle, x.CapWidth = style, 5
		p.Add(x)
	}
	if slices.ContainsFunc(s.Points, func(p Point) bool { return p.YHalf != 0 }) {
		y, err := plotter.NewYErrorBars(at)
		if err != nil {
			return err
		}
		y.LineStyle, y.CapWidth = style, 5
		p.Add(y)
	}
	return nil
}

// addLabels writes the labels that there are to the upper left of their points.
func (s Series) addLabels(p *plot.Plot) error {
	var labels plotter.XYLabels
	for _, at := range s.Points {
		if at.Label != "" {
			labels.XYs, labels.Labels = append(labels.XYs, plotter.XY{X: at.X, Y: at.Y}), append(labels.Labels, at.Label)
		}
	}
	if len(labels.Labels) == 0 {
		return nil
	}
	l, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range l.TextStyle {
		l.TextStyle[i] = p.X.Tick.Label
		l.TextStyle[i].XAlign, l.TextStyle[i].YAlign = draw.XRight, draw.YBottom
	}
	l.Offset = vg.Point{X: -3, Y: 3}
	p.Add(l)
	return nil
}

func (s Series) line() draw.LineStyle {
	style := draw.LineStyle{Color: paint(s.Colour), Width: 1.5}
	if s.Style == Dashed {
		style.Dashes = []vg.Length{4, 3}
	}
	return style
}

func (s Series) glyph() draw.GlyphStyle {
	style := draw.GlyphStyle{Color: paint(s.Colour), Radius: 3.4, Shape: glyphs[s.Colour%len(glyphs)]}
	if len(s.Points) > manyPoints {
		style.Radius = 2
	}
	return style
}

// manyPoints are drawn small.
const manyPoints = 6

// points are what the plotters ask for.
type points struct {
	all                []Point
	xPercent, yPercent bool
}

func (p points) Len() int { return len(p.all) }

func (p points) XY(i int) (x, y float64) { return p.all[i].X, p.all[i].Y }

func (p points) XError(i int) (low, high float64) {
	return bar(p.all[i].X, p.all[i].XHalf, p.xPercent)
}

func (p points) YError(i int) (low, high float64) {
	return bar(p.all[i].Y, p.all[i].YHalf, p.yPercent)
}

// bar is how far an error bar goes to either side.
func bar(at, half float64, percent bool) (low, high float64) {
	if percent {
		return min(half, max(0, at)), min(half, max(0, 100-at))
	}
	return half, half
}

// rule is a Line that is drawn.
type rule Line

// Plot draws the line.
func (r rule) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	from, to := vg.Point{X: c.Min.X, Y: y(r.At)}, vg.Point{X: c.Max.X, Y: y(r.At)}
	if r.Vertical {
		from, to = vg.Point{X: x(r.At), Y: c.Min.Y}, vg.Point{X: x(r.At), Y: c.Max.Y}
	}
	if c.ContainsX(from.X) && c.ContainsY(from.Y) {
		c.StrokeLine2(ruleStyle, from.X, from.Y, to.X, to.Y)
	}
}

var ruleStyle = draw.LineStyle{Color: paintInk, Width: 1, Dashes: []vg.Length{1.5, 2}}
