package nn

// matrix is a view of numbers: element (r, c) is data[r*row + c*column].
type matrix struct {
	data        []float32
	row, column int
}

// rows is a matrix stored row after row.
func rows(data []float32, columns int) matrix { return matrix{data, columns, 1} }

// transposed swaps rows and columns, of the view only.
func (m matrix) transposed() matrix { return matrix{m.data, m.column, m.row} }

// What counts in a product is to load each number once for many multiplications, in
// sums that do not wait for one another. It is therefore computed in tiles, of 8 rows by
// a panel of 8 columns in assembly, and of 2 rows by half a panel in Go. Whichever way,
// each sum is of the same products in the same order.
const panel = 8

// multiply writes the product of a (m rows of k) and b (k rows of n, of column step 1)
// into c (m rows of n). spare holds k*panel floats.
func multiply(c []float32, a, b matrix, m, k, n int, spare []float32) {
	for j := 0; j < n; j += panel {
		q, width := b.data[j:], min(panel, n-j)
		step := b.row
		if width < panel {
			q, step = fill(spare, q, step, k, width), panel
		}
		i := 0
		if vectors && k > 0 {
			// Of fewer than 8 rows each is computed 8 times over, which takes half as long as a
			// tile; of more, the last 8 are a block whether it overlaps another or not.
			count, row, ldc := 8, a.row, n
			if m < count {
				count, row, ldc = 1, 0, 0
			}
			for ; i < m; i += count {
				i = min(i, m-count)
				from := a.data[i*a.row:][:7*row+(k-1)*a.column+1]
				if width == panel {
					to := c[i*n+j:][:7*ldc+panel]
					block8(&to[0], ldc, &from[0], row, a.column, &q[:(k-1)*step+panel][0], step, k)
					continue
				}
				var to [8 * panel]float32
				block8(&to[0], panel, &from[0], row, a.column, &q[:(k-1)*step+panel][0], step, k)
				for r := range count {
					copy(c[(i+r)*n+j:][:width], to[r*panel:])
				}
			}
		}
		for ; i < m; i += 2 {
			var r [2][panel]float32
			other := min(i+1, m-1)
			tile(&r, a.data[i*a.row:], a.data[other*a.row:], a.column, q, step, k)
			copy(c[i*n+j:][:width], r[0][:])
			copy(c[other*n+j:][:width], r[1][:])
		}
	}
}

// fill copies the last columns of a matrix into a panel, with zeros beside them.
func fill(to, b []float32, step, k, width int) []float32 {
	to = to[:k*panel]
	clear(to)
	for p := range k {
		copy(to[p*panel:][:width], b[p*step:])
	}
	return to
}

// tile is two rows times one panel, half of it at a time.
func tile(to *[2][panel]float32, a0, a1 []float32, column int, q []float32, step, k int) {
	for half := 0; half < panel; half += panel / 2 {
		var s00, s01, s02, s03, s10, s11, s12, s13 float32
		at := 0
		for p := range k {
			x, y := a0[at], a1[at]
			at += column
			b := (*[panel / 2]float32)(q[p*step+half:])
			// The conversions forbid the compiler to fuse a multiplication with an addition,
			// which some processors would round once only.
			s00 += float32(x * b[0])
			s01 += float32(x * b[1])
			s02 += float32(x * b[2])
			s03 += float32(x * b[3])
			s10 += float32(y * b[0])
			s11 += float32(y * b[1])
			s12 += float32(y * b[2])
			s13 += float32(y * b[3])
		}
		*(*[4]float32)(to[0][half:]) = [4]float32{s00, s01, s02, s03}
		*(*[4]float32)(to[1][half:]) = [4]float32{s10, s11, s12, s13}
	}
}

// transpose writes b (r rows of c) as c rows of r.
func transpose(to, b []float32, r, c int) {
	for i := range r {
		at := i
		for _, v := range b[i*c:][:c] {
			to[at] = v
			at += r
		}
	}
}
