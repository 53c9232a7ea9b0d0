/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A BIOS of 64 KiB that enters system management mode in several states: each time the handler prints the save
 * area as far as it isn't 0, and changes some of it.
 */
	.set	DEBUG, 0xe9
	.text
	.code16
	.globl	_start
base:
_start:	cli
	lgdtl	%cs:table - base
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$0x08, $flat
	.code32
flat:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$0x7000, %esp
	movl	$0xf0000 + handler - base, %esi
	movl	$0x38000, %edi
	movl	$handler_end - handler, %ecx
	rep movsb
	movl	$0x1ff, 0xfee000f0

	/* Registers that are easily told apart; the handler adds 1 to the saved rAX. */
	movl	$0x30, %eax
	movl	%eax, %fs
	movl	$0x38, %eax
	movl	%eax, %gs
	movl	$0x11111110, %eax
	movl	$0x22222222, %ecx
	movl	$0x33333333, %edx
	movl	$0x44444444, %ebx
	movl	$0x55555555, %ebp
	movl	$0x66666666, %esi
	movl	$0x77777777, %edi
	std
	stc
	movl	$0x4200, 0xfee00300
first:	jmp	first
	/* The handler put RIP behind the loop. */
after_first:
	call	state

	cld
	movl	$0x123, %eax
	pushl	$0x4200
	popl	0xfee00300
second:	jmp	second
after_second:
	call	state
	/* RSM out of SMM. */
	lidt	idt_pointer
	rsm
	ud2
undefined:
	call	state
	movb	$0x11, %al
	movw	$0x501, %dx
	outb	%al, %dx
halt:	hlt
	jmp	halt

	/* EAX, ECX, EFLAGS, CS, FS. */
state:	pushl	%eax
	call	hex
	movl	%ecx, %eax
	call	hex
	pushf
	popl	%eax
	call	hex
	movl	%cs, %eax
	call	hex
	movl	%fs, %eax
	call	hex
	movl	%cr0, %eax
	call	hex
	movl	%fs:0xf0000, %eax
	movb	$'\n', %al
	outb	%al, $DEBUG
	popl	%eax
	ret
	/* EAX in hexadecimal. */
hex:	pushl	%ecx
	pushl	%edx
	movl	%eax, %edx
	movl	$8, %ecx
1:	roll	$4, %edx
	movb	%dl, %al
	andb	$15, %al
	cmpb	$10, %al
	jb	2f
	addb	$'a' - '0' - 10, %al
2:	addb	$'0', %al
	outb	%al, $DEBUG
	decl	%ecx
	jnz	1b
	movb	$' ', %al
	outb	%al, $DEBUG
	popl	%edx
	popl	%ecx
	ret

	/* Copied to 38000h; in SMM: 16-bit, CS based at 30000h, the other segments flat. */
	.code16
handler:
	movl	$0x3fe00, %ebx
1:	movl	%ds:(%ebx), %edi
	testl	%edi, %edi
	jz	2f
	movl	%ebx, %edi
	movl	$4, %ecx
	shll	$16, %edi
	calll	digits
	movb	$'=', %al
	outb	%al, $DEBUG
	movl	(%ebx), %edi
	movl	$8, %ecx
	calll	digits
	movb	$' ', %al
	outb	%al, $DEBUG
2:	addl	$4, %ebx
	cmpl	$0x40000, %ebx
	jb	1b
	movb	$'\n', %al
	outb	%al, $DEBUG
	movl	$after_first, %eax
	movl	$0x3ff78, %ebx
	cmpl	$first, (%ebx)
	je	3f
	movl	$after_second, %eax
3:	movl	%eax, (%ebx)
	incl	0x80(%ebx)
	rsm
digits:	roll	$4, %edi
	movl	%edi, %eax
	andb	$15, %al
	cmpb	$10, %al
	jb	4f
	addb	$'a' - '0' - 10, %al
4:	addb	$'0', %al
	outb	%al, $DEBUG
	decl	%ecx
	jnz	digits
	retl
handler_end:
	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0, 0, 0, 0x00cff3000000ffff, 0x0040931234560fff
table:	.word	63
	.long	gdt
idt_pointer:
	.word	7 * 8 - 1
	.long	idt - 0
	.balign	8
	/* #UD alone. */
idt:	.fill	6, 8, 0
	.word	undefined - base, 0x08, 0x8e00, 0xf
	.org	base + 0xfff0
	.code16
	ljmp	$0xf000, $_start - base
	.org	base + 0x10000
	.section .note.GNU-stack, "", @progbits
