package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Net is a dense network: tanh after each layer but the last, which is linear. All of
// its parameters are one slice, so that an optimiser is one loop.
type Net struct {
	sizes  []int
	params []float32 // by layer: weights [in][out], then biases [out]
	layers []layer
}

type layer struct{ in, out, weights, biases, end int } // positions in params

// New returns a network of zeros with the given sizes: of the input, of each hidden
// layer, of the output. It panics with fewer than two sizes, or one below 1, which is
// the caller's mistake.
func New(sizes ...int) *Net {
	if len(sizes) < 2 || slices.Min(sizes) < 1 {
		panic(fmt.Sprintf("nn: sizes %v", sizes))
	}
	n := &Net{sizes: slices.Clone(sizes)}
	at := 0
	for i, in := range sizes[:len(sizes)-1] {
		l := layer{in: in, out: sizes[i+1], weights: at}
		l.biases = l.weights + l.in*l.out
		l.end = l.biases + l.out
		at = l.end
		n.layers = append(n.layers, l)
	}
	n.params = make([]float32, at)
	return n
}

// Sizes are what New was given. The slice is the network's own.
func (n *Net) Sizes() []int { return n.sizes }

// Params are the parameters, for an optimiser to change.
func (n *Net) Params() []float32 { return n.params }

// Inputs is the length of one input.
func (n *Net) Inputs() int { return n.sizes[0] }

// Outputs is the length of one output.
func (n *Net) Outputs() int { return n.sizes[len(n.sizes)-1] }

// Clone returns a copy.
func (n *Net) Clone() *Net {
	c := *n
	c.params = slices.Clone(n.params)
	return &c
}

// Absorb changes the first layer so that the network gives for x what it gave for
// factor*x + shift.
func (n *Net) Absorb(factor, shift float32) {
	l := n.layers[0]
	biases := n.params[l.biases:l.end]
	for i, w := range n.params[l.weights:l.biases] {
		biases[i%l.out] += shift * w
		n.params[l.weights+i] = factor * w
	}
}

// Orthogonal sets the weights to random orthogonal matrices times a gain, which is
// sqrt 2 for the hidden layers, and the biases to zero (Saxe et al. 2014, as is usual
// for PPO: Andrychowicz et al. 2021). A small gain of the output starts a policy near
// uniform.
func (n *Net) Orthogonal(rng *rand.Rand, output float64) {
	for i, l := range n.layers {
		gain := math.Sqrt2
		if i == len(n.layers)-1 {
			gain = output
		}
		clear(n.params[l.biases:l.end])
		orthogonal(n.params[l.weights:l.biases], l.in, l.out, gain, rng)
	}
}

// orthogonal makes the rows of w orthonormal times gain, or its columns where there
// are more rows, by Gram and Schmidt's method on normal numbers.
func orthogonal(w []float32, rows, columns int, gain float64, rng *rand.Rand) {
	count, length := min(rows, columns), max(rows, columns)
	basis := make([][]float64, count)
	for i := range basis {
		v := make([]float64, length)
		for norm := 0.; norm < 1e-3; norm = math.Sqrt(dot(v, v)) {
			for k := range v {
				v[k] = rng.NormFloat64()
			}
			for range 2 { // once more, for what rounding has left
				for _, u := range basis[:i] {
					along := dot(u, v)
					for k := range v {
						v[k] -= along * u[k]
					}
				}
			}
		}
		norm := math.Sqrt(dot(v, v))
		for k := range v {
			v[k] /= norm
		}
		basis[i] = v
	}
	for r := range rows {
		for c := range columns {
			v := basis[min(r, count-1)]
			at := c
			if rows > columns {
				v, at = basis[c], r
			}
			w[r*columns+c] = float32(gain * v[at])
		}
	}
}

func dot(a, b []float64) float64 {
	s := 0.
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// Buffers hold what a network computes for up to a number of inputs at once. One is
// for one goroutine, and for networks of the same sizes.
type Buffers struct {
	batch  int
	count  int         // inputs of the last Forward
	values [][]float32 // [layer][input][unit]: the input, then what each layer gives
	delta  [2][]float32
	turned []float32 // the weights of a layer, transposed
	spare  []float32
}

// NewBuffers returns buffers for batches of up to batch inputs.
func (n *Net) NewBuffers(batch int) *Buffers {
	b := &Buffers{batch: batch, values: make([][]float32, len(n.sizes))}
	widest, weights := slices.Max(n.sizes), 0
	for i, size := range n.sizes[1:] {
		b.values[i+1] = make([]float32, batch*size)
	}
	for _, l := range n.layers {
		weights = max(weights, l.in*l.out)
	}
	b.turned, b.spare = make([]float32, weights), make([]float32, panel*max(batch, widest))
	for i := range b.delta {
		b.delta[i] = make([]float32, batch*widest)
	}
	return b
}

// Forward computes the outputs of a batch of inputs, one after the other in x. The
// result is valid until the next Forward with the same buffers; x has to stay as it is
// until Backward.
func (n *Net) Forward(b *Buffers, x []float32) []float32 {
	b.count = len(x) / n.sizes[0]
	b.values[0] = x
	for i, l := range n.layers {
		y := b.values[i+1][:b.count*l.out]
		multiply(y, rows(b.values[i], l.in), rows(n.params[l.weights:l.biases], l.out), b.count, l.in, l.out, b.spare)
		biases := n.params[l.biases:l.end]
		for ; len(y) > 0; y = y[l.out:] {
			row := y[:len(biases)]
			if i == len(n.layers)-1 {
				for o, v := range biases {
					row[o] += v
				}
				continue
			}
			activate(row, biases)
		}
	}
	return b.values[len(n.layers)][:b.count*n.Outputs()]
}

// Backward writes the gradient of a loss by the parameters into gradient, given the
// loss's gradient by the outputs of the last Forward with these buffers.
func (n *Net) Backward(b *Buffers, outputs, gradient []float32) {
	delta := outputs[:b.count*n.Outputs()]
	for i, l := range slices.Backward(n.layers) {
		biases := gradient[l.biases:l.end]
		clear(biases)
		for at := 0; at < len(delta); at += l.out {
			row := delta[at:][:len(biases)]
			for o, v := range row {
				biases[o] += v
			}
		}
		multiply(gradient[l.weights:l.biases], rows(b.values[i], l.in).transposed(), rows(delta, l.out), l.in, b.count, l.out, b.spare)
		if i == 0 {
			return
		}
		next := b.delta[i%2][:b.count*l.in]
		transpose(b.turned, n.params[l.weights:l.biases], l.in, l.out)
		multiply(next, rows(delta, l.out), rows(b.turned, l.in), b.count, l.out, l.in, b.spare)
		values := b.values[i][:len(next)]
		for k, v := range values {
			next[k] *= 1 - v*v
		}
		delta = next
	}
}

// activate adds the biases and takes the hyperbolic tangent.
func activate(y, bias []float32) {
	i := 0
	if n := len(y) &^ 7; vectors && n > 0 {
		activate8(&y[0], &bias[:len(y)][0], n)
		i = n
	}
	for ; i < len(y); i++ {
		y[i] = tanh(y[i] + bias[i])
	}
}

// tanh is Lambert's continued fraction for the hyperbolic tangent, cut after four
// terms: within 1e-4 of it, at a fifth of the time of math.Tanh. The derivative that
// Backward uses, 1 - tanh squared, is within 3e-4 of this function's own.
func tanh(x float32) float32 {
	const most = 4.94 // where the fraction is .9999
	x = max(min(x, most), -most)
	s := float32(x * x)
	// The conversions forbid fused operations: see tile.
	over := 135135 + float32(s*(17325+float32(s*(378+s))))
	under := 135135 + float32(s*(62370+float32(s*(3150+float32(28*s)))))
	return float32(x*over) / under
}
