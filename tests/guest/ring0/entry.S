/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways into a snippet and out of it, for 32-bit guests. */
	.set	SEL_CODE, 0x08
	.set	SEL_DATA, 0x10
	.set	REAL, 0x8000
	.section .multiboot, "a"
	.balign	4
	.long	0x1BADB002, 0, -0x1BADB002

	.text
	.code32
	.globl	_start, stubs, df_entry, enter_outer, enter_same, enter_real, real_start, real_end
	.globl	caught_esp, caught_ss, in_stack
_start:	movl	$stack_top, %esp
	lgdt	first_gdt
	ljmp	$SEL_CODE, $1f
1:	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	call	kernel

	/* Interrupt handlers, 16 bytes each. */
	.balign	16
stubs:	.set	n, 0
	.rept	256
	.balign	16
	endbr32
	pushl	$n
	jmp	common
	.set	n, n + 1
	.endr
	.balign	16
common:	pushal
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%esp, caught_esp
	movl	%ss, %ebx
	movl	%ebx, caught_ss
	movl	%eax, %ss
	movl	saved_esp, %esp
	cld
	call	caught
leave:	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	saved_esp, %esp
	popl	%ebp
	popl	%ebx
	popl	%esi
	popl	%edi
	popfl
	ret

df_entry:
	endbr32
	clts
	call	caught_double
	jmp	leave

	.macro	SAVE
	pushfl
	pushl	%edi
	pushl	%esi
	pushl	%ebx
	pushl	%ebp
	movl	%esp, saved_esp
	.endm
	.macro	SEGMENTS
	movl	in+60, %eax
	movl	%eax, %fs
	movl	in+64, %eax
	movl	%eax, %gs
	movl	in+52, %eax
	movl	%eax, %es
	movl	in+56, %eax
	movl	%eax, %ds
	.endm

	/* To level 3 or virtual-8086 mode: the frame stands behind the registers. */
enter_outer:
	SAVE
	testl	$0x20000, in+40
	jnz	1f
	SEGMENTS
1:	movl	$in, %esp
	popal
	iretl

	/* To level 0: the frame was written to the snippet's stack. */
enter_same:
	SAVE
	SEGMENTS
	movl	$in, %esp
	popal
	lssl	%cs:in_stack, %esp
	iretl

	/* To real mode, by way of 16-bit segments. */
enter_real:
	SAVE
	ljmp	$0x78, $REAL
	.code16
	.balign	8
real_start:
	movw	$0x80, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	%cr0, %eax
	andl	$~1, %eax
	movl	%eax, %cr0
	ljmp	$0, $REAL + 1f - real_start
1:	xorw	%ax, %ax
	movw	%ax, %ss
	movl	$REAL + 0xd00, %esp
	popal
	movw	%cs:REAL + 0xd20, %ds
	movw	%cs:REAL + 0xd22, %es
	movw	%cs:REAL + 0xd24, %fs
	movw	%cs:REAL + 0xd26, %gs
	lssl	%cs:REAL + 0xd28, %esp
	iretw
	.org	real_start + 0x400
	.set	n, 0
	.rept	256
	.balign	8
	.byte	0x68
	.word	n
	jmp	real_common
	.set	n, n + 1
	.endr
	.org	real_start + 0xc00
real_common:
	pushal
	pushw	%ds
	pushw	%es
	pushw	%fs
	pushw	%gs
	movw	%ss, %bx
	movl	%esp, %esi
	movl	%cr0, %edi
	lgdtl	%cs:REAL + 0xd30
	movl	%edi, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE, $from_real
real_end:
	.code32
from_real:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movzwl	%bx, %ebx
	movl	%ebx, caught_ss
	movl	%esi, caught_esp
	movl	%eax, %ss
	movl	saved_esp, %esp
	cld
	call	caught_real
	jmp	leave

	.data
	.balign	8
first_table:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
first_gdt:
	.word	23
	.long	first_table
saved_esp:
	.long	0
caught_esp:
	.long	0
caught_ss:
	.long	0
in_stack:
	.long	0, 0
	.bss
	.balign	16
	.space	16384
stack_top:
	.section .note.GNU-stack, "", @progbits
