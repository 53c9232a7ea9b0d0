/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ways into a snippet and out of it, for 64-bit guests. */
	.section .multiboot, "a"
	.balign	4
	.long	0x1BADB002, 0, -0x1BADB002

	.text
	.globl	_start, stubs, enter, caught_rsp, caught_ssp, first_s_cet
	.code32
	/* Where the processor has five levels of page tables, it uses them. */
_start:	cli
	lgdt	first_gdt
	movl	$stack_top, %esp
	movl	$first_pdpt + 7, first_pml4
	movl	$first_tables + 7, first_pdpt
	movl	$0x83, first_tables
	movl	$0x200083, first_tables + 8
	movl	$first_pml4 + 7, first_pml5
	movl	$7, %eax
	xorl	%ecx, %ecx
	cpuid
	movl	%ecx, %eax
	shrl	$4, %eax
	andl	$0x1000, %eax
	movl	$first_pml4, %ebx
	jz	1f
	movl	$first_pml5, %ebx
1:	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	%ebx, %cr3
	movl	$0xc0000080, %ecx
	xorl	%edx, %edx
	movl	$0x100, %eax
	wrmsr
	movl	$0x80000031, %eax
	movl	%eax, %cr0
	ljmp	$0x08, $1f
	.code64
1:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movq	$stack_top, %rsp
	call	kernel

	.balign	16
stubs:	.set	n, 0
	.rept	256
	.balign	16
	endbr64
	.byte	0x68
	.long	n
	jmp	common
	.set	n, n + 1
	.endr
	.balign	16
common:	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movl	$0x10, %eax
	movl	%ds, %ebx
	movl	%es, %ecx
	movl	%fs, %edx
	movl	%gs, %esi
	movl	%ss, %edi
	movl	%eax, %ss
	movw	%bx, caught_seg
	movw	%cx, caught_seg + 2
	movw	%dx, caught_seg + 4
	movw	%si, caught_seg + 6
	movw	%di, caught_seg + 8
	movq	%rsp, caught_rsp
	xorl	%eax, %eax
	rdsspq	%rax
	movq	%rax, caught_ssp
	movq	saved_rsp, %rsp
	cld
	call	caught
	movq	saved_rsp, %rsp
	popq	%rbp
	popq	%rbx
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	ret

	/* The frame of IRETQ stands behind the registers. */
enter:	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%rbx
	pushq	%rbp
	movq	%rsp, saved_rsp
	movl	first_s_cet, %eax
	testl	%eax, %eax
	jz	1f
	xorl	%edx, %edx
	movl	$0x6a2, %ecx
	wrmsr
	testl	$1, %eax
	jz	1f
	setssbsy
1:	movq	$in, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq

	.data
	.balign	8
first_table:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
first_gdt:
	.word	23
	.long	first_table
	.balign	8
saved_rsp:
	.quad	0
caught_rsp:
	.quad	0
caught_ssp:
	.quad	0
first_s_cet:
	.quad	0
	.globl	caught_seg
caught_seg:
	.word	0, 0, 0, 0, 0
	.bss
	.balign	4096
first_pml5:
	.space	4096
first_pml4:
	.space	4096
first_pdpt:
	.space	4096
first_tables:
	.space	4096
	.space	16384
stack_top:
	.section .note.GNU-stack, "", @progbits
