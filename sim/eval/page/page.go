// Package page writes a report as one HTML file: text, tables and plots as SVG, without
// script and without anything from elsewhere, so that it can be mailed, archived and
// printed. It knows nothing of what is reported. The same page gives the same bytes.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// Page is a report.
type Page struct {
	Title    string
	Lead     []string // paragraphs: what somebody has to know who reads nothing else
	Facts    []Fact   // what was judged, and on what
	Sections []Section
}

// Fact is a name and its value.
type Fact struct {
	Name, Value string
	Code        bool // Value is to be read letter by letter: a command, a digest
}

// Section is text, then figures, then tables.
type Section struct {
	Title   string
	Text    []string // paragraphs
	Figures []Figure
	Tables  []Table
}

// Figure is a chart with what is said of it.
type Figure struct {
	Title       string
	Description string // what is to be seen, for who cannot see it
	Note        string // below; may be empty
	Chart       Chart
}

// Table has a heading for each column, and for each row its first cell.
type Table struct {
	Title   string
	Columns []Column
	Groups  []Group
	Note    string // below; may be empty
}

// Column is one column of a table.
type Column struct {
	Name string
	Text bool // aligned to the left, as text is; numbers are to the right
}

// Group is rows under a heading.
type Group struct {
	Title string // may be empty
	Rows  []Row
}

// Row is one row, a cell for each column.
type Row struct {
	Cells []string
	Bad   bool // what it says was not to be
}

//go:embed page.css
var style string

//go:embed page.tmpl
var markup string

// drawn is a figure as the template has it.
type drawn struct {
	Figure
	SVG    template.HTML
	Legend []entry
}

var layout = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(strings.TrimSpace(style)) },
	"text":   text,
	"cell":   cell,
	"figure": figure,
}).Parse(markup))

// cell says how a column is aligned.
func cell(columns []Column, i int) string {
	if i < len(columns) && columns[i].Text {
		return "text"
	}
	return "number"
}

// text keeps numbers and their signs on one line.
func text(s string) string {
	return strings.NewReplacer(" %", "\u00a0%", " ±", "\u00a0±").Replace(s)
}

// figure aligns the numbers of a column that have intervals.
func figure(cell string) template.HTML {
	mean, half, ok := strings.Cut(cell, " ±")
	if !ok {
		return template.HTML(template.HTMLEscapeString(text(cell)))
	}
	return template.HTML(template.HTMLEscapeString(mean) + `<span class="half">±` + template.HTMLEscapeString(text(half)) + `</span>`)
}

// Write writes a page. It is an error if a chart cannot be drawn, or a row has other
// cells than its table has columns.
func Write(w io.Writer, p Page) error {
	type section struct {
		Section
		Drawn []drawn
	}
	data := struct {
		Page
		Sections []section
	}{Page: p}
	n := 0
	for _, s := range p.Sections {
		one := section{Section: s}
		for _, f := range s.Figures {
			n++
			svg, err := f.Chart.svg(fmt.Sprintf("figure-%d", n), f.Title, f.Description)
			if err != nil {
				return fmt.Errorf("page: figure %q: %w", f.Title, err)
			}
			legend, err := f.Chart.legend()
			if err != nil {
				return fmt.Errorf("page: figure %q: %w", f.Title, err)
			}
			one.Drawn = append(one.Drawn, drawn{f, svg, legend})
		}
		for _, t := range s.Tables {
			if err := t.check(); err != nil {
				return fmt.Errorf("page: table %q: %w", t.Title, err)
			}
		}
		data.Sections = append(data.Sections, one)
	}
	if err := layout.Execute(w, data); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

func (t Table) check() error {
	for _, g := range t.Groups {
		for _, r := range g.Rows {
			if len(r.Cells) != len(t.Columns) {
				return fmt.Errorf("a row of %d cells in %d columns: %v", len(r.Cells), len(t.Columns), r.Cells)
			}
		}
	}
	return nil
}
