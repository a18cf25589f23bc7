package page

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Paints are colours that nobody sees: in the drawing each is replaced by a property
// of the style sheet, so that a chart follows the light or the dark of its page.
var (
	paintInk   = color.RGBA{R: 1, A: 255}
	paintMuted = color.RGBA{R: 2, A: 255}
	paintGrid  = color.RGBA{R: 3, A: 255}
)

const colours = 8

func paint(colour int) color.Color {
	return color.RGBA{R: 4, B: uint8(colour % colours), A: 255}
}

// properties replaces the paints.
var properties = func() *strings.Replacer {
	pairs := []string{"#010000", "var(--ink)", "#020000", "var(--muted)", "#030000", "var(--grid)"}
	for i := range colours {
		pairs = append(pairs, fmt.Sprintf("#0400%02X", i), fmt.Sprintf("var(--c%d)", i+1))
	}
	return strings.NewReplacer(pairs...)
}()

var (
	prologue = regexp.MustCompile(`(?s)^.*?<svg[^>]*>\n`)
	fonts    = regexp.MustCompile(`font-family:[^;"]*;(font-weight:[^;"]*;)?(font-style:[^;"]*;)?(font-variant:[^;"]*;)?`)
)

// svg draws a chart. Its texts are for who cannot see it.
func (c Chart) svg(id, title, description string) (template.HTML, error) {
	p, err := c.plot()
	if err != nil {
		return "", err
	}
	canvas := vgsvg.New(width, c.height())
	p.Draw(draw.Crop(draw.New(canvas), 1, -8, 2, -6))
	body, err := inner(canvas)
	if err != nil {
		return "", err
	}
	return template.HTML(fmt.Sprintf(
		"<svg class=\"chart\" viewBox=\"0 0 %d %g\" role=\"img\" aria-labelledby=\"%s-title %s-text\">\n<title id=\"%s-title\">%s</title>\n<desc id=\"%s-text\">%s</desc>\n%s",
		width, c.height(), id, id, id, template.HTMLEscapeString(title), id, template.HTMLEscapeString(description), body)), nil
}

// entry is a line of the legend.
type entry struct {
	Name   string
	Swatch template.HTML
}

// legend draws a sample of every series and line that has a name, unless there is but
// one.
func (c Chart) legend() ([]entry, error) {
	const w, h = 28, 12
	var out []entry
	add := func(name string, sample func(draw.Canvas)) error {
		if name == "" || slices.ContainsFunc(out, func(e entry) bool { return e.Name == name }) {
			return nil
		}
		canvas := vgsvg.New(w, h)
		sample(draw.New(canvas))
		body, err := inner(canvas)
		if err != nil {
			return err
		}
		out = append(out, entry{name, template.HTML(fmt.Sprintf("<svg viewBox=\"0 0 %d %d\" aria-hidden=\"true\">\n%s", w, h, body))})
		return nil
	}
	for _, s := range c.Series {
		err := add(s.Name, func(d draw.Canvas) {
			if s.Style != Dots {
				d.StrokeLine2(s.line(), 1, h/2, w-1, h/2)
			}
			if s.Style == Dots || s.Style == LineDots {
				d.DrawGlyph(s.glyph(), vg.Point{X: w / 2, Y: h / 2})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for _, l := range c.Lines {
		if err := add(l.Label, func(d draw.Canvas) { d.StrokeLine2(ruleStyle, 1, h/2, w-1, h/2) }); err != nil {
			return nil, err
		}
	}
	if len(out) < 2 {
		return nil, nil
	}
	return out, nil
}

// inner is a drawing without its head, with the page's colours and fonts.
func inner(canvas *vgsvg.Canvas) (string, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	text := prologue.ReplaceAllString(b.String(), "")
	return strings.TrimSpace(properties.Replace(fonts.ReplaceAllString(text, ""))), nil
}
