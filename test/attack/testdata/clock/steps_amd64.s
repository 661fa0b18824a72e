#include "textflag.h"

// stepped is clock_gettime(DI: clock, SI: *timespec), as C calls it.
TEXT ·stepped(SB), NOSPLIT|NOFRAME, $0-0
	PUSHQ	DI
	PUSHQ	SI
	SUBQ	$8, SP // C wants it at a multiple of 16
	MOVQ	·kernels(SB), AX
	CALL	AX
	ADDQ	$8, SP
	POPQ	SI
	POPQ	DI
	CMPL	DI, $0 // CLOCK_REALTIME; all others are monotonic
	JNE	done
	MOVQ	·offset(SB), CX
	ADDQ	CX, 0(SI) // tv_sec
done:
	RET

// func address() uintptr
TEXT ·address(SB), NOSPLIT, $0-8
	LEAQ	·stepped(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
