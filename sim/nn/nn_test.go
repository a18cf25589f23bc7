package nn

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func random(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

// reference is the loss sum(c*output) of a network in float64, with exact tanh.
func reference(sizes []int, params []float64, x, c []float32) float64 {
	loss, inputs, outputs := 0., sizes[0], sizes[len(sizes)-1]
	for row := range len(x) / inputs {
		var v []float64
		for _, f := range x[row*inputs:][:inputs] {
			v = append(v, float64(f))
		}
		p := params
		for l, out := range sizes[1:] {
			in := len(v)
			next := make([]float64, out)
			for o := range next {
				next[o] = p[in*out+o]
				for i, x := range v {
					next[o] += p[i*out+o] * x
				}
				if l < len(sizes)-2 {
					next[o] = math.Tanh(next[o])
				}
			}
			v, p = next, p[in*out+out:]
		}
		for o, y := range v {
			loss += y * float64(c[row*outputs+o])
		}
	}
	return loss
}

// The gradient is the one of finite differences of a float64 network, for sizes and
// batches that do and do not fill the tiles.
func TestGradientAgainstFiniteDifferences(t *testing.T) {
	for _, tt := range []struct {
		batch int
		sizes []int
	}{
		{8, []int{4, 8, 8, 4}}, {7, []int{3, 5, 6, 2}}, {1, []int{1, 1, 1}}, {33, []int{2, 64, 64, 24}}, {5, []int{3, 1}},
	} {
		rng := rand.New(rand.NewPCG(1, uint64(tt.batch)))
		n := New(tt.sizes...)
		n.Orthogonal(rng, 1)
		for _, l := range n.layers {
			copy(n.params[l.biases:l.end], random(rng, l.out))
		}
		x, c := random(rng, tt.batch*n.Inputs()), random(rng, tt.batch*n.Outputs())
		b, g := n.NewBuffers(tt.batch), make([]float32, len(n.params))
		y := n.Forward(b, x)
		n.Backward(b, c, g)

		params, loss := make([]float64, len(n.params)), 0.
		for i, v := range n.params {
			params[i] = float64(v)
		}
		for i, v := range y {
			loss += float64(v) * float64(c[i])
		}
		if want := reference(tt.sizes, params, x, c); math.Abs(loss-want) > 1e-3*float64(len(y)) {
			t.Errorf("%v: loss %v, want %v", tt.sizes, loss, want)
		}
		every := max(1, len(params)/200)
		for i := 0; i < len(params); i += every {
			const h = 1e-5
			at := params[i]
			params[i] = at + h
			up := reference(tt.sizes, params, x, c)
			params[i] = at - h
			want := (up - reference(tt.sizes, params, x, c)) / (2 * h)
			params[i] = at
			if math.Abs(float64(g[i])-want) > 1e-3*(math.Abs(want)+math.Sqrt(float64(tt.batch))) {
				t.Errorf("%v, batch %d: gradient %d is %v, want %v", tt.sizes, tt.batch, i, g[i], want)
			}
		}
	}
}

func TestTanhIsWithinItsPromise(t *testing.T) {
	for x := -8.; x < 8; x += 1e-3 {
		if d := math.Abs(float64(tanh(float32(x))) - math.Tanh(x)); d > 1e-4 {
			t.Fatalf("tanh(%v) is off by %v", x, d)
		}
		if v := tanh(float32(x)); v > 1 || v < -1 {
			t.Fatalf("tanh(%v) = %v", x, v)
		}
	}
}

// The kernels in assembly and in Go give the same bits, whatever the sizes.
func TestKernelsAgree(t *testing.T) {
	if !vectors {
		t.Skip("no kernels in assembly for this processor")
	}
	defer func() { vectors = true }()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		m, k, n := 1+rng.IntN(20), 1+rng.IntN(20), 1+rng.IntN(20)
		a, b, bias := random(rng, m*k), random(rng, k*n), random(rng, n)
		left, spare := rows(a, k), make([]float32, k*panel)
		if rng.IntN(2) == 0 {
			left = rows(a, m).transposed()
		}
		var got [2][]float32
		for i := range got {
			vectors = i == 0
			got[i] = make([]float32, m*n)
			multiply(got[i], left, rows(b, n), m, k, n, spare)
			for r := range m {
				activate(got[i][r*n:][:n], bias)
			}
		}
		if !slices.Equal(got[0], got[1]) {
			t.Fatalf("%dx%dx%d: assembly %v, Go %v", m, k, n, got[0], got[1])
		}
	}
}

func TestOrthogonal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, tt := range []struct{ rows, columns int }{{4, 4}, {3, 7}, {7, 3}, {64, 64}, {1, 5}} {
		w := make([]float32, tt.rows*tt.columns)
		orthogonal(w, tt.rows, tt.columns, 2, rng)
		count, stride, next := tt.rows, 1, tt.columns
		if tt.rows > tt.columns {
			count, stride, next = tt.columns, tt.columns, 1
		}
		for i := range count {
			for j := range count {
				s, want := 0., 0.
				for k := range max(tt.rows, tt.columns) {
					s += float64(w[i*next+k*stride]) * float64(w[j*next+k*stride])
				}
				if i == j {
					want = 4
				}
				if math.Abs(s-want) > 1e-4 {
					t.Errorf("%dx%d: product of %d and %d is %v, want %v", tt.rows, tt.columns, i, j, s, want)
				}
			}
		}
	}
}

// A network fits a function, and a training step leaves no garbage.
func TestTrainingConvergesWithoutAllocating(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	n := New(2, 32, 32, 1)
	n.Orthogonal(rng, 1)
	const batch = 64
	b, a, g := n.NewBuffers(batch), NewAdam(len(n.params)), make([]float32, len(n.params))
	x, d := make([]float32, 2*batch), make([]float32, batch)
	loss := 0.
	step := func() {
		for i := range x {
			x[i] = 2*rng.Float32() - 1
		}
		y := n.Forward(b, x)
		loss = 0
		for i, v := range y {
			d[i] = v - float32(math.Sin(3*float64(x[2*i])))*x[2*i+1]
			loss += float64(d[i]*d[i]) / batch
			d[i] /= batch
		}
		n.Backward(b, d, g)
		Clip(1, g)
		a.Step(n.params, g, 3e-3)
	}
	for range 2000 {
		step()
	}
	if loss > 2e-3 {
		t.Errorf("mean squared error %v after 2000 steps", loss)
	}
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

func TestAbsorb(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	n := New(3, 8, 2)
	n.Orthogonal(rng, 1)
	x, moved := random(rng, 3), make([]float32, 3)
	for i, v := range x {
		moved[i] = 6*v - 3
	}
	want := slices.Clone(n.Forward(n.NewBuffers(1), moved))
	n.Absorb(6, -3)
	for i, v := range n.Forward(n.NewBuffers(1), x) {
		if math.Abs(float64(v-want[i])) > 1e-4 {
			t.Errorf("output %d is %v, want %v", i, v, want[i])
		}
	}
}

func TestClip(t *testing.T) {
	a, b := []float32{3, 0, 0, 0, 0}, []float32{0, 4}
	if norm := Clip(10, a, b); norm != 5 || a[0] != 3 {
		t.Errorf("norm %v, %v", norm, a)
	}
	if norm := Clip(1, a, b); norm != 5 || math.Abs(float64(a[0])-.6) > 1e-6 || math.Abs(float64(b[1])-.8) > 1e-6 {
		t.Errorf("norm %v, %v %v", norm, a, b)
	}
}

func TestEncoding(t *testing.T) {
	n := New(3, 4, 2)
	n.Orthogonal(rand.New(rand.NewPCG(1, 1)), .01)
	src, err := n.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var got Net
	if err := got.UnmarshalBinary(src); err != nil {
		t.Fatal(err)
	}
	again, err := got.MarshalBinary()
	if err != nil || !bytes.Equal(src, again) {
		t.Errorf("the network changed (%v)", err)
	}
	for i := range src {
		damaged := bytes.Clone(src)
		damaged[i] ^= 4
		if err := got.UnmarshalBinary(damaged); err == nil {
			t.Errorf("byte %d was changed without an error", i)
		}
		if err := got.UnmarshalBinary(src[:i]); err == nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
	n.params[5] = float32(math.NaN())
	if src, err = n.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	if err := got.UnmarshalBinary(src); err == nil {
		t.Error("a parameter that is not a number passed")
	}
}

func FuzzUnmarshal(f *testing.F) {
	src, err := New(1, 2, 1).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	f.Fuzz(func(_ *testing.T, b []byte) {
		var n Net
		if n.UnmarshalBinary(b) == nil {
			n.Forward(n.NewBuffers(1), make([]float32, n.Inputs()))
		}
	})
}

func BenchmarkForward(b *testing.B)  { bench(b, false) }
func BenchmarkBackward(b *testing.B) { bench(b, true) }

func bench(b *testing.B, backward bool) {
	const batch = 256
	rng := rand.New(rand.NewPCG(1, 1))
	n := New(4, 64, 64, 24)
	n.Orthogonal(rng, 1)
	buffers, x, d, g := n.NewBuffers(batch), random(rng, 4*batch), random(rng, 24*batch), make([]float32, len(n.params))
	n.Forward(buffers, x)
	for b.Loop() {
		if backward {
			n.Backward(buffers, d, g)
		} else {
			n.Forward(buffers, x)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/batch*1e9, "ns/input")
}
