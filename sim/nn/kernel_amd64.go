package nn

import "golang.org/x/sys/cpu"

// vectors says whether the kernels in assembly can run. They are an eighth of the time
// of those in Go, and give the same bits.
var vectors = cpu.X86.HasAVX

// block8 writes the product of 8 rows of a (element (r, p) at a[r*row + p*column]) and
// k > 0 rows of 8 (at q[p*step]) into 8 rows of c (ldc apart).
//
//go:noescape
func block8(c *float32, ldc int, a *float32, row, column int, q *float32, step, k int)

// activate8 is activate for n > 0, a multiple of 8.
//
//go:noescape
func activate8(y, bias *float32, n int)
