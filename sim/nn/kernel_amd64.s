#include "textflag.h"

// func block8(c *float32, ldc int, a *float32, row, column int, q *float32, step, k int)
// Multiplications and additions stay apart and in the order of k, so that the bits are
// those of tile.
TEXT ·block8(SB), NOSPLIT, $0-64
	MOVQ c+0(FP), DI
	MOVQ ldc+8(FP), SI
	MOVQ a+16(FP), R8
	MOVQ row+24(FP), R9
	MOVQ column+32(FP), R13
	MOVQ q+40(FP), R10
	MOVQ step+48(FP), BX
	MOVQ k+56(FP), CX
	SHLQ $2, SI
	SHLQ $2, R9
	SHLQ $2, R13
	SHLQ $2, BX
	LEAQ (R9)(R9*2), R11 // three rows
	LEAQ (R8)(R9*4), R12 // row 4
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

sum:
	VMOVUPS      (R10), Y8
	VBROADCASTSS (R8), Y9
	VBROADCASTSS (R8)(R9*1), Y10
	VBROADCASTSS (R8)(R9*2), Y11
	VBROADCASTSS (R8)(R11*1), Y12
	VMULPS       Y8, Y9, Y9
	VMULPS       Y8, Y10, Y10
	VMULPS       Y8, Y11, Y11
	VMULPS       Y8, Y12, Y12
	VADDPS       Y9, Y0, Y0
	VADDPS       Y10, Y1, Y1
	VADDPS       Y11, Y2, Y2
	VADDPS       Y12, Y3, Y3
	VBROADCASTSS (R12), Y9
	VBROADCASTSS (R12)(R9*1), Y10
	VBROADCASTSS (R12)(R9*2), Y11
	VBROADCASTSS (R12)(R11*1), Y12
	VMULPS       Y8, Y9, Y9
	VMULPS       Y8, Y10, Y10
	VMULPS       Y8, Y11, Y11
	VMULPS       Y8, Y12, Y12
	VADDPS       Y9, Y4, Y4
	VADDPS       Y10, Y5, Y5
	VADDPS       Y11, Y6, Y6
	VADDPS       Y12, Y7, Y7
	ADDQ         R13, R8
	ADDQ         R13, R12
	ADDQ         BX, R10
	DECQ         CX
	JNZ          sum

	LEAQ    (SI)(SI*2), R11
	LEAQ    (DI)(SI*4), R12
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, (DI)(SI*1)
	VMOVUPS Y2, (DI)(SI*2)
	VMOVUPS Y3, (DI)(R11*1)
	VMOVUPS Y4, (R12)
	VMOVUPS Y5, (R12)(SI*1)
	VMOVUPS Y6, (R12)(SI*2)
	VMOVUPS Y7, (R12)(R11*1)
	VZEROUPPER
	RET

DATA lambert<>+0(SB)/4, $0x409e147b  // 4.94
DATA lambert<>+4(SB)/4, $0xc09e147b  // -4.94
DATA lambert<>+8(SB)/4, $0x4803f7c0  // 135135
DATA lambert<>+12(SB)/4, $0x46875a00 // 17325
DATA lambert<>+16(SB)/4, $0x43bd0000 // 378
DATA lambert<>+20(SB)/4, $0x4773a200 // 62370
DATA lambert<>+24(SB)/4, $0x4544e000 // 3150
DATA lambert<>+28(SB)/4, $0x41e00000 // 28
GLOBL lambert<>(SB), RODATA|NOPTR, $32

// func activate8(y, bias *float32, n int)
// n is a multiple of 8. The bits are those of activate.
TEXT ·activate8(SB), NOSPLIT, $0-24
	MOVQ         y+0(FP), DI
	MOVQ         bias+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS lambert<>+0(SB), Y8
	VBROADCASTSS lambert<>+4(SB), Y9
	VBROADCASTSS lambert<>+8(SB), Y10
	VBROADCASTSS lambert<>+12(SB), Y11
	VBROADCASTSS lambert<>+16(SB), Y12
	VBROADCASTSS lambert<>+20(SB), Y13
	VBROADCASTSS lambert<>+24(SB), Y14
	VBROADCASTSS lambert<>+28(SB), Y15

next:
	VMOVUPS (DI), Y0
	VADDPS  (SI), Y0, Y0
	VMINPS  Y8, Y0, Y0
	VMAXPS  Y9, Y0, Y0
	VMULPS  Y0, Y0, Y1
	VADDPS  Y12, Y1, Y2
	VMULPS  Y1, Y2, Y2
	VADDPS  Y11, Y2, Y2
	VMULPS  Y1, Y2, Y2
	VADDPS  Y10, Y2, Y2
	VMULPS  Y0, Y2, Y2
	VMULPS  Y15, Y1, Y3
	VADDPS  Y14, Y3, Y3
	VMULPS  Y1, Y3, Y3
	VADDPS  Y13, Y3, Y3
	VMULPS  Y1, Y3, Y3
	VADDPS  Y10, Y3, Y3
	VDIVPS  Y3, Y2, Y2
	VMOVUPS Y2, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	SUBQ    $8, CX
	JNZ     next
	VZEROUPPER
	RET
