package nn

// The compiler does not vectorise, so what counts is to load each number once for many
// multiplications, without bounds checks, in sums that do not wait for one another. A
// product is therefore computed in tiles of 2 rows by 4 columns, and the right side is
// first packed in panels of 4 columns, so that the inner loop reads it in order.
const panel = 4

// packed is the number of floats that pack and packTransposed write.
func packed(k, n int) int { return (n + panel - 1) / panel * panel * k }

// pack writes b (k rows of n) as panels of 4 columns, the last one filled up with zeros.
func pack(to, b []float32, k, n int) {
	for j := 0; j < n; j += panel {
		width := min(panel, n-j)
		for p := range k {
			row := b[p*n+j:][:width]
			if width == panel {
				*(*[panel]float32)(to) = *(*[panel]float32)(row)
			} else {
				clear(to[:panel])
				copy(to, row)
			}
			to = to[panel:]
		}
	}
}

// packTransposed is pack of the transpose of b, which has n rows of k.
func packTransposed(to, b []float32, k, n int) {
	for j := 0; j < n; j += panel {
		out := to[:panel*k]
		to = to[panel*k:]
		for c := range panel {
			if j+c >= n {
				for p := c; p < len(out); p += panel {
					out[p] = 0
				}
				continue
			}
			for p, v := range b[(j+c)*k:][:k] {
				out[p*panel+c] = v
			}
		}
	}
}

// transpose writes b (rows by columns) as columns by rows.
func transpose(to, b []float32, rows, columns int) {
	for r := range rows {
		i := r
		for _, v := range b[r*columns:][:columns] {
			to[i] = v
			i += rows
		}
	}
}

// multiply writes a (m rows of k) times b (packed panels of k rows and n columns) into
// c (m rows of n).
func multiply(c, a, b []float32, m, k, n int) {
	for j := 0; j < n; j += panel {
		q := b[j*k:][:panel*k]
		width := min(panel, n-j)
		var r [2][panel]float32
		i := 0
		for ; i+2 <= m; i += 2 {
			tile(&r, a[i*k:][:k], a[(i+1)*k:][:k], q)
			if width == panel {
				*(*[panel]float32)(c[i*n+j:]) = r[0]
				*(*[panel]float32)(c[(i+1)*n+j:]) = r[1]
			} else {
				copy(c[i*n+j:][:width], r[0][:])
				copy(c[(i+1)*n+j:][:width], r[1][:])
			}
		}
		if i < m {
			last := a[i*k:][:k]
			tile(&r, last, last, q)
			copy(c[i*n+j:][:width], r[0][:])
		}
	}
}

// tile is two rows times one panel.
func tile(to *[2][panel]float32, a0, a1, q []float32) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	for len(a0) >= 2 && len(a1) >= 2 && len(q) >= 2*panel {
		x, y := a0[0], a1[0]
		b0, b1, b2, b3 := q[0], q[1], q[2], q[3]
		s00 += x * b0
		s01 += x * b1
		s02 += x * b2
		s03 += x * b3
		s10 += y * b0
		s11 += y * b1
		s12 += y * b2
		s13 += y * b3
		x, y = a0[1], a1[1]
		b0, b1, b2, b3 = q[4], q[5], q[6], q[7]
		s00 += x * b0
		s01 += x * b1
		s02 += x * b2
		s03 += x * b3
		s10 += y * b0
		s11 += y * b1
		s12 += y * b2
		s13 += y * b3
		a0, a1, q = a0[2:], a1[2:], q[2*panel:]
	}
	if len(a0) > 0 && len(a1) > 0 && len(q) >= panel {
		x, y := a0[0], a1[0]
		s00 += x * q[0]
		s01 += x * q[1]
		s02 += x * q[2]
		s03 += x * q[3]
		s10 += y * q[0]
		s11 += y * q[1]
		s12 += y * q[2]
		s13 += y * q[3]
	}
	to[0] = [panel]float32{s00, s01, s02, s03}
	to[1] = [panel]float32{s10, s11, s12, s13}
}
