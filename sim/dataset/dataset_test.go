package dataset

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sample(t *testing.T) *Dataset {
	t.Helper()
	src, err := os.ReadFile("../../examples/mo1/mapping.toml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadMapping("mapping.toml", src)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := os.ReadFile("../../examples/mo1/trace-sample.csv")
	if err != nil {
		t.Fatal(err)
	}
	d, zeros, err := m.Import("trace-sample.csv", bytes.NewReader(trace))
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range zeros {
		if z.Rows == 0 {
			t.Errorf("no structural zero in %s", z.Column)
		}
	}
	return d
}

func TestImportOfThePublishedTrace(t *testing.T) {
	d := sample(t)
	if d.Rows() > 6000 || d.Rows() < 5000 {
		t.Fatalf("%d rows in the sample, want 5,000 to 6,000", d.Rows())
	}
	if _, n := d.Configurations(); n != 170 {
		t.Errorf("%d configurations, want 170", n)
	}
	for s, name := range d.Services {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range d.Latency[s] {
			if math.IsNaN(v) {
				t.Fatalf("%s: a latency is absent; some path is always taken", name)
			}
			low, high = math.Min(low, v), math.Max(high, v)
		}
		if want := map[string]float64{"compute": .05, "information": .015}[name]; low < want || high > .14 {
			t.Errorf("%s: latency from %v to %v s", name, low, high)
		}
	}
	for row := range d.Rows() {
		for _, pair := range [][2]int{{2, 3}, {4, 5}} {
			if sum := d.Settings[pair[0]][row] + d.Settings[pair[1]][row]; math.Abs(sum-1) > 1e-9 {
				t.Fatalf("row %d: weights of %s sum to %v", row, d.Knobs[pair[0]].Target, sum)
			}
		}
	}
}

func TestWriteReadRoundTrip(t *testing.T) {
	d := sample(t).Select(func(row int) bool { return row%100 == 0 })
	d.Latency[0][3] = math.NaN()
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read("x", &b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	const ok = magic + `{"mesh":"m","interval_seconds":5}` + "\nblocking:a,offered:a,carried:a,latency:a\n"
	for name, tt := range map[string]struct{ in, want string }{
		"no header":     {"a,b\n1,2\n", "x:1: not a windvane dataset"},
		"empty":         {"", "x:1: not a windvane dataset"},
		"no columns":    {magic + "{}\n", "x:2: column names"},
		"unknown":       {magic + "{}\nfoo\n", `x:2: column "foo"`},
		"order":         {magic + "{}\noffered:a,blocking:a,carried:a,latency:a\n", "x:2: columns are"},
		"short row":     {ok + "1,2\n", "x:3:"},
		"not a number":  {ok + "0,1,1,.1\n0,1,x,.1\n", `x:4: column carried:a: "x" is not a finite number`},
		"NaN":           {ok + "0,1,NaN,.1\n", "is not a finite number"},
		"setting empty": {ok + ",1,1,.1\n", "column blocking:a is empty"},
	} {
		if _, err := Read("x", strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

func TestImportNamesAllMissingColumns(t *testing.T) {
	m := &Mapping{
		Mesh: "m", IntervalSeconds: 5,
		Knobs:    []KnobMapping{{ID: "blocking:a", Column: "b", Scale: 1}},
		Services: []ServiceMapping{{Name: "a", Offered: "l", Carried: "c", Latency: []string{"d"}, LatencyScale: 1}},
	}
	_, _, err := m.Import("t.csv", strings.NewReader("b,c\n0,1\n"))
	if want := "t.csv:1: no column l, d; the file has b, c"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	_, _, err = m.Import("t.csv", strings.NewReader("b,c,l,d\n0,1,2,\n"))
	if want := `t.csv:2: column d: "" is not a finite number`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestReadMappingReportsEverything(t *testing.T) {
	_, err := ReadMapping("m.toml", []byte("colour = 1\ninterval_seconds = -1.0\n[[knob]]\nid = \"x\"\n"))
	for _, want := range []string{"unknown key colour", "mesh: a name", "interval_seconds", `knob "x"`, "[[service]]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestQualityOfThePublishedTrace(t *testing.T) {
	q := sample(t).Quality(5)
	if q.Rows != 5948 || q.Configurations != 170 || len(q.Unmoved) != 0 {
		t.Errorf("%d rows, %d configurations, unmoved %v", q.Rows, q.Configurations, q.Unmoved)
	}
	for _, n := range q.Noise { // pooled over cells; the tails weigh more than in a median
		want := map[string]float64{"information": .002, "compute": .003}[n.Service]
		if n.Seconds < want*.7 || n.Seconds > want*1.3 {
			t.Errorf("%s: noise %.4f s, want about %.4f", n.Service, n.Seconds, want)
		}
	}
	var b bytes.Buffer
	if err := q.WriteText(&b); err != nil || !strings.Contains(b.String(), "configurations") {
		t.Errorf("report %q, %v", b.String(), err)
	}
}

func TestQualityNamesAKnobThatNeverMoved(t *testing.T) {
	d := sample(t)
	q := d.Select(func(row int) bool { return d.Settings[0][row] == 0 }).Quality(5)
	if diff := cmp.Diff([]string{"blocking:compute"}, q.Unmoved); diff != "" {
		t.Errorf("unmoved (-want +got):\n%s", diff)
	}
}
