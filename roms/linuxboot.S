/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot ROM of -kernel: an option ROM whose bootstrap entry vector fetches a kernel through fw_cfg and starts it.
 *
 * Up to four pieces are fetched by DMA, each described by three items of fw_cfg: its size, its address, its data.  Then,
 * with the item "kernel entry" zero, the piece "setup" is real-mode code that is entered 200h bytes from its start
 * (Linux, by its boot protocol), SP standing below the piece "command line".  Otherwise the entry is one of flat
 * protected mode, and "command line" holds parameters for this ROM:
 *
 *     00h EAX   04h EBX   08h ESI   0Ch address of a multiboot memory map to fill, or 0   10h where its length goes
 *
 * roms/update makes vm/linuxboot_rom.h from this file, with the checksums.
 */
	.code16
	.text
	.globl _start
_start:
	.word 0xaa55
	.byte 2                 /* length in 512 bytes */
	jmp init
	.org 0x1a
	.word pnp
pnp:
	.ascii "$PnP"
	.byte 1, 2              /* revision, length in 16 bytes */
	.word 0                 /* no further header */
	.byte 0
	.byte 0                 /* checksum, by roms/update */
	.long 0
	.word 0
	.word product
	.byte 0, 0x80, 2        /* other network-like boot device */
	.byte 0x08              /* bootstrap device */
	.word 0, 0
	.word boot
	.word 0, 0

product:
	.asciz "kernel of -kernel"

FW_SELECT = 0x510
FW_DATA = 0x511
FW_DMA = 0x514
KEY_ENTRY = 0x10
KEY_SETUP_ADDR = 0x16
KEY_CMDLINE_ADDR = 0x13
MAP_LIMIT = 24 * 32

	/* Size, address and data of each piece: kernel, initrd, command line, setup. */
pieces:
	.byte 0x08, 0x07, 0x11
	.byte 0x0b, 0x0a, 0x12
	.byte 0x14, 0x13, 0x15
	.byte 0x17, 0x16, 0x18
pieces_end:

init:
	movw $0x20, %ax         /* "an IPL device is attached" */
	lret

	/* EAX: the 32-bit item AX.  Uses CX, DX. */
item:
	movw $FW_SELECT, %dx
	outw %ax, %dx
	incw %dx
	movw $4, %cx
1:	inb %dx, %al
	rorl $8, %eax
	loop 1b
	ret

	/* Fetches EBX bytes of item AX to physical EDI, by a descriptor on the stack.  Uses EAX, ECX, DX. */
fetch:
	movl %edi, %ecx
	bswap %ecx
	pushl %ecx
	pushl $0
	movl %ebx, %ecx
	bswap %ecx
	pushl %ecx
	shll $16, %eax
	movw $0x0a, %ax         /* select, read */
	bswap %eax
	pushl %eax
	movw $FW_DMA, %dx
	xorl %eax, %eax
	outl %eax, %dx
	movw %ss, %ax
	shll $4, %eax
	movzwl %sp, %ecx
	addl %ecx, %eax
	bswap %eax
	movw $FW_DMA + 4, %dx
	outl %eax, %dx
	movw %sp, %bp
1:	movl (%bp), %eax        /* bits other than "error" show that it is under way */
	andl $0xfeffffff, %eax
	jnz 1b
	addw $16, %sp
	ret

boot:
	cld
	movw $pieces, %si
1:	movzbw %cs:(%si), %ax
	call item
	movl %eax, %ebx
	testl %eax, %eax
	jz 2f
	movzbw %cs:1(%si), %ax
	call item
	movl %eax, %edi
	movzbw %cs:2(%si), %ax
	call fetch
2:	addw $3, %si
	cmpw $pieces_end, %si
	jb 1b
	movw $KEY_CMDLINE_ADDR, %ax
	call item
	movl %eax, %ebx
	movw $KEY_ENTRY, %ax
	call item
	testl %eax, %eax
	jnz protected

	/* Real mode: all segments at the setup code, the stack's top 16 bytes below the command line. */
	movw $KEY_SETUP_ADDR, %ax
	call item
	subl %eax, %ebx
	subl $16, %ebx
	shrl $4, %eax
	cli
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %ebx, %esp
	addw $0x20, %ax
	pushw %ax
	pushw $0
	xorl %eax, %eax
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %esi, %esi
	xorl %edi, %edi
	xorl %ebp, %ebp
	lret

	/* EAX: entry, EBX: the parameters' address. */
protected:
	pushl %eax
	shrl $4, %ebx
	movw %bx, %ds
	movl 0x0c, %eax
	testl %eax, %eax
	jz enter

	/* The firmware's memory map: each entry with its size, 20, in front. */
	shrl $4, %eax
	movw %ax, %es
	movw $4, %di
	xorl %ebx, %ebx
1:	movl $0xe820, %eax
	movl $0x534d4150, %edx
	movl $20, %ecx
	int $0x15
	jc 2f
	cmpl $0x534d4150, %eax
	jne 2f
	movl $20, %es:-4(%di)
	addw $24, %di
	cmpw $MAP_LIMIT, %di
	jae 2f
	testl %ebx, %ebx
	jnz 1b
2:	movl 0x10, %ebx
	shrl $4, %ebx
	movw %bx, %es
	movl 0x10, %ebx
	andw $15, %bx
	movzwl %di, %edi
	subl $4, %edi
	movl %edi, %es:(%bx)

enter:
	popl %ebp
	movl 0x00, %eax
	movl 0x04, %ebx
	movl 0x08, %esi
	cli
	movw %cs, %dx
	movzwl %dx, %edx
	shll $4, %edx
	leal gdt(%edx), %ecx
	pushl %ecx
	pushw $gdt_end - gdt - 1
	movw %sp, %di
	lgdtl %ss:(%di)
	leal flat(%edx), %ecx
	pushl $0x10
	pushl %ecx
	movl %cr0, %edx
	orb $1, %dl
	movl %edx, %cr0
	lretl

	.code32
flat:
	movl $0x18, %edx
	movl %edx, %ds
	movl %edx, %es
	movl %edx, %fs
	movl %edx, %gs
	movl %edx, %ss
	movl $0x7000, %esp
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %edi, %edi
	jmp *%ebp

	.balign 8
gdt:
	.quad 0, 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
gdt_end:
	.org 1023
	.byte 0                 /* checksum, by roms/update */
