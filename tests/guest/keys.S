/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector that tells COM1 each byte of the keyboard ("k1e ") and of the mouse ("m08 "). */
	.code16
	.globl	_start
_start:	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	$0x7000, %sp
	cld
	movb	$0xA8, %al		/* the mouse's port */
	outb	%al, $0x64
	call	free
	movb	$0xD4, %al		/* to the mouse: report movements */
	outb	%al, $0x64
	call	free
	movb	$0xF4, %al
	outb	%al, $0x60
	movw	$ready, %si
say:	lodsb
	testb	%al, %al
	jz	poll
	call	put
	jmp	say
poll:	pause
	inb	$0x64, %al
	testb	$1, %al
	jz	poll
	testb	$0x20, %al
	movb	$'k', %al
	jz	named
	movb	$'m', %al
named:	call	put
	inb	$0x60, %al
	movb	%al, %bl
	shrb	$4, %al
	call	digit
	movb	%bl, %al
	andb	$15, %al
	call	digit
	movb	$' ', %al
	call	put
	jmp	poll

free:	inb	$0x64, %al
	testb	$2, %al
	jnz	free
	ret

digit:	cmpb	$10, %al
	sbbb	$0x69, %al
	das
	orb	$0x20, %al
put:	pushw	%ax
	movw	$0x3FD, %dx
full:	inb	%dx, %al
	testb	$0x20, %al
	jz	full
	popw	%ax
	movw	$0x3F8, %dx
	outb	%al, %dx
	ret
ready:	.asciz	"ready "
	.org	510
	.word	0xAA55
