package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// full has everything that a page can hold.
func full() Page {
	chart := Chart{
		X: Axis{Label: "violated (%)", To: 10}, Y: Axis{Label: "carried (%)", To: 100},
		Series: []Series{
			{Name: "planner", Style: LineDots, Points: []Point{{X: 1, Y: 40, Label: "1 %"}, {X: 5, Y: 60, YHalf: 3}}},
			{Name: "static", Style: Dots, Colour: 2, Points: []Point{{X: 3, Y: 42, XHalf: .5}}},
			{Name: "aim", Style: Dashed, Colour: 9, Points: []Point{{X: 0, Y: 10}, {X: 10, Y: 20}}},
		},
		Lines: []Line{{At: 5, Vertical: true, Label: "budget"}, {At: 50, Label: "bound"}, {At: 5000, Label: "bound"}},
	}
	return Page{
		Title: "A <report>", Lead: []string{"It keeps 4.9 ±0.2 % & carries."},
		Facts: []Fact{{Name: "Command", Value: "windvane evaluate", Code: true}, {Name: "Mesh", Value: "mo1"}},
		Sections: []Section{{
			Title: "Section", Text: []string{"Text of 5 %."},
			Figures: []Figure{{Title: "A & B", Description: "Up is <better>.", Note: "A note.", Chart: chart}},
			Tables: []Table{{
				Title: "Table", Note: "±: half.", Columns: []Column{{Name: "policy", Text: true}, {Name: "violated %"}},
				Groups: []Group{{Title: "Group", Rows: []Row{{Cells: []string{"tabular", "4.9 ±0.2"}}, {Cells: []string{"<none>", "50"}, Bad: true}}}},
			}},
		}},
	}
}

func write(t *testing.T, p Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageIsSelfContainedAndTheSameEveryTime(t *testing.T) {
	got := write(t, full())
	if d := cmp.Diff(got, write(t, full())); d != "" {
		t.Errorf("two writings differ:\n%s", d)
	}
	for _, bad := range []string{"<script", "http://", "https://", "src=", "href=", "url(", "@import", "<?xml", "NaN"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{
		"<title>A &lt;report&gt;</title>", "4.9\u00a0±0.2\u00a0% &amp; carries", "<code>windvane evaluate</code>",
		`<th scope="col" class="text">policy</th><th scope="col" class="number">violated %</th>`,
		`<th scope="row" class="text">tabular</th><td class="number">4.9<span class="half">±0.2</span></td>`,
		`<tr class="bad"><th scope="row" class="text">&lt;none&gt;</th>`, `<th scope="rowgroup" colspan="2">`,
		`role="img" aria-labelledby="figure-1-title figure-1-text"`, `<title id="figure-1-title">A &amp; B</title>`,
		`<desc id="figure-1-text">Up is &lt;better&gt;.</desc>`, "prefers-color-scheme: dark", "@media print",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

var nan = math.NaN()

var svgs = regexp.MustCompile(`(?s)<svg.*?</svg>`)

// A drawing is well-formed, and takes its colours and fonts from the page.
func TestDrawingsFollowThePage(t *testing.T) {
	all := svgs.FindAllString(write(t, full()), -1)
	// One chart, and a legend of three series and two kinds of lines.
	if len(all) != 6 {
		t.Fatalf("%d drawings, want 6", len(all))
	}
	for _, one := range all {
		d := xml.NewDecoder(strings.NewReader(one))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, one)
			}
		}
		for _, bad := range []string{"#", "font-family", "pt\""} {
			if strings.Contains(one, bad) {
				t.Errorf("a drawing has %q:\n%s", bad, one)
			}
		}
	}
	for _, want := range []string{"var(--c1)", "var(--c3)", "var(--c2)", "var(--ink)", "var(--muted)", "var(--grid)", ">violated (%)<", ">carried (%)<", ">1 %<", "stroke-dasharray"} {
		if !strings.Contains(all[0], want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
}

func TestNamesOfAnAxisGoDown(t *testing.T) {
	c := Chart{X: Axis{Label: "x"}, Y: Axis{Names: []string{"first", "second"}}, Series: []Series{{Style: Dots, Points: []Point{{X: 1, Y: 0}, {X: 3, Y: 1}}}}}
	svg, err := c.svg("f", "t", "d")
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]float64{}
	for _, m := range regexp.MustCompile(`y="-([\d.]+)"[^>]*>(first|second)<`).FindAllStringSubmatch(string(svg), -1) {
		if at[m[2]], err = strconv.ParseFloat(m[1], 64); err != nil {
			t.Fatal(err)
		}
	}
	if len(at) != 2 || at["first"] <= at["second"] {
		t.Errorf("names at %v, want the first above", at)
	}
	if legend, err := c.legend(); err != nil || legend != nil {
		t.Errorf("legend %v, %v of one series without a name", legend, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	section := func(s Section) Page { return Page{Sections: []Section{s}} }
	for name, c := range map[string]struct {
		page Page
		want string
	}{
		"empty series": {section(Section{Figures: []Figure{{Title: "F", Chart: Chart{Series: []Series{{}}}}}}), `figure "F": a series without points`},
		"not a number": {section(Section{Figures: []Figure{{Title: "F", Chart: Chart{Series: []Series{{Points: []Point{{X: nan, Y: 1}}}}}}}}), `figure "F"`},
		"ragged row":   {section(Section{Tables: []Table{{Title: "T", Columns: []Column{{}}, Groups: []Group{{Rows: []Row{{}}}}}}}), `table "T": a row of 0 cells in 1 columns`},
	} {
		if err := Write(io.Discard, c.page); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestBarsOfAShareEndWithTheWhole(t *testing.T) {
	p := points{[]Point{{X: 2, Y: 99, XHalf: 5, YHalf: 5}}, true, false}
	if low, high := p.XError(0); low != 2 || high != 5 {
		t.Errorf("bar of 2 ±5 %% goes %v down and %v up, want 2 and 5", low, high)
	}
	if low, high := p.YError(0); low != 5 || high != 5 {
		t.Errorf("bar of 99 ±5 goes %v down and %v up, want 5", low, high)
	}
	if low, high := bar(110, 5, true); low != 5 || high != 0 {
		t.Errorf("bar of 110 ±5 %% goes %v down and %v up, want 5 and 0", low, high)
	}
}

func TestTicks(t *testing.T) {
	for name, c := range map[string]struct {
		low, high float64
		whole     bool
		want      []string
	}{
		"percent":     {0, 100, false, []string{"0", "20", "40", "60", "80", "100"}},
		"small":       {0, .35, false, []string{"0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30", "0.35"}},
		"below zero":  {-3.2, 81, false, []string{"0", "20", "40", "60", "80"}},
		"whole":       {0, 3, true, []string{"0", "1", "2", "3"}},
		"far from 0":  {73.2, 119, false, []string{"80", "90", "100", "110"}},
		"single step": {4.9, 5.1, false, []string{"4.90", "4.95", "5.00", "5.05", "5.10"}},
	} {
		var got []string
		for _, tick := range (ticks{c.whole}).Ticks(c.low, c.high) {
			got = append(got, tick.Label)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
