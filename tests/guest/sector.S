/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector: a line to COM1, then status 35 (11h << 1 | 1) by isa-debug-exit at port 501h. */
	.code16
	.globl	_start
_start:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	$text, %si
	cld
next:	movw	$0x3FD, %dx
ready:	inb	%dx, %al
	testb	$0x20, %al
	jz	ready
	lodsb
	testb	%al, %al
	jz	done
	movw	$0x3F8, %dx
	outb	%al, %dx
	jmp	next
done:	movw	$0x3FD, %dx
empty:	inb	%dx, %al
	testb	$0x40, %al
	jz	empty
	movw	$0x501, %dx
	movb	$0x11, %al
	outb	%al, %dx
halt:	hlt
	jmp	halt
text:	.asciz	"hello from the boot sector\r\n"
	.org	510
	.word	0xAA55
