/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XOP and FMA4 in the interpreter, which hardly any host has: results of another program made from AMD's pseudo-code, FMA4 also
 * against FMA, which the host's processor has confirmed.
 */
#include <string.h>

#include "base/util.h"
#include "tcg/interp/avx_op.h"
#include "tests/check_main.h"

enum { DST, A, B, C };

static const uint64_t operands[][3][2] = {
	{ { 0x123480007fff8000, 0x80007fff0001ffff }, { 0x43217fff7fff8000, 0x80007fffffffffff }, { 0x000000017fffffff, 0x7fffffff80000000 } },
	{ { 0x8000000080000000, 0x800000007fffffff }, { 0x7fffffff80000000, 0x800000007fffffff }, { 0x8000000000000000, 0x7fffffffffffffff } },
	{ { 0x4164d8399f767c45, 0x5bc8fbbcbde5c099 }, { 0xb0c11fdecb91ce37, 0xd76d4330f1446bea }, { 0xa6eb8c9ebd69fe29, 0x87b0b125ec1d7da0 } },
	{ { 0xd7210dff076ce2ef, 0xc6a5387777330bdb }, { 0xf8f9ff0908070100, 0x04f10ffd03807ff7 }, { 0x3fc1ea36f17fd374, 0x0d464138a6233255 } },
	{ { 0x2827688de6a16a3b, 0x5f2dd97f1cfb10f6 }, { 0xc040f010c13fe11f, 0xfe55ec14d828df21 }, { 0xf8f9ff0908070100, 0x04f10ffd03807ff7 } },
};

/* What each row makes of each set of operands: 16 bytes, the lower half first. */
static const struct {
	uint16_t row;
	uint8_t imm;
	uint64_t result[ARRAY_SIZE(operands)][2];
} cases[] = {
	{ AVX_ROW_vpmacssww, 0x00, {
		{ 0x7fff80007fff7fff, 0x7fff7fff80000001 }, { 0x800000007fff0000, 0x7fffffff7fff0000 }, { 0x800080007fff8000, 0x800080007fff8000 },
		{ 0x7fff80007fff8000, 0x80007fff7fff7fff }, { 0x800080007fff8000, 0x80007fff80008000 } } },
	{ AVX_ROW_vpmacsswd, 0x00, {
		{ 0x04c5f4b57fffffff, 0x7fffffff80000000 }, { 0x8000000040000000, 0x7fffffff3fff0000 }, { 0x92ad9902d12fe1ff, 0x80000000efeb8374 },
		{ 0x40e1214ff1bb6768, 0x0c2ad68da7c464d5 }, { 0xeefa48c90e3f239f, 0x04524feefefdcf2f } } },
	{ AVX_ROW_vpmacssdql, 0x00, {
		{ 0x3fff8001bfffffff, 0x7fffffff7ffe0001 }, { 0xc000000000000000, 0x7fffffffffffffff }, { 0xbab1093d71f336fc, 0x8b7e9006b9437c7a },
		{ 0x3ffd85500aebc274, 0x0ee7af7779c547a2 }, { 0xff31f14e7375b925, 0x006e75d3aa13f9ad } } },
	{ AVX_ROW_vpmacssdd, 0x00, {
		{ 0x7fffffff7fffffff, 0x7fffffff80000000 }, { 0x800000007fffffff, 0x7fffffff7fffffff }, { 0x800000007fffffff, 0x800000007fffffff },
		{ 0x7fffffff7fffffff, 0x800000007fffffff }, { 0x800000007fffffff, 0x8000000080000000 } } },
	{ AVX_ROW_vpmacssdqh, 0x00, {
		{ 0x04c61f602dcb7fff, 0x7fffffffffffffff }, { 0x8000000000000000, 0x7fffffffffffffff }, { 0x92ad5e37dc056697, 0x8000000000000000 },
		{ 0x40e0f83613a1526b, 0x0c2ad40fa9c1f8f0 }, { 0xeefa54675fc1b9d0, 0x0452a648f0c191e3 } } },
	{ AVX_ROW_vpmadcsswd, 0x00, {
		{ 0xc4c674b57fffffff, 0x7fffffff80000000 }, { 0x8000000040000000, 0x7fffffff3fff0001 }, { 0x8dba0170b9051ad2, 0x80000000d531824e },
		{ 0x40d3a046f19e5668, 0x0fb19d28adb17a22 }, { 0xe8780199016edbc4, 0x075161dafcd048e5 } } },
	{ AVX_ROW_vpmacsww, 0x00, {
		{ 0xf4b480018000ffff, 0x7fff00007fff0001 }, { 0x0000000000000000, 0x7fffffff00000000 }, { 0xb34ff50ca13f36fc, 0x93d81865f1f17c7a },
		{ 0x76da692d8573c274, 0xa29b07d3d8a347a2 }, { 0x42b9b7d92aa6b925, 0x44e221e952b8f9ad } } },
	{ AVX_ROW_vpmacswd, 0x00, {
		{ 0x04c5f4b5bfff0000, 0xbfffffff7fffffff }, { 0x4000800040000000, 0xbfffffff3fff0000 }, { 0x92ad9902d12fe1ff, 0x7924bd4defeb8374 },
		{ 0x40e1214ff1bb6768, 0x0c2ad68da7c464d5 }, { 0xeefa48c90e3f239f, 0x04524feefefdcf2f } } },
	{ AVX_ROW_vpmacsdql, 0x00, {
		{ 0x3fff8001bfffffff, 0x7fffffff7ffe0001 }, { 0xc000000000000000, 0xbfffffff00000000 }, { 0xbab1093d71f336fc, 0x8b7e9006b9437c7a },
		{ 0x3ffd85500aebc274, 0x0ee7af7779c547a2 }, { 0xff31f14e7375b925, 0x006e75d3aa13f9ad } } },
	{ AVX_ROW_vpmacsdd, 0x00, {
		{ 0xadcb8001bfffffff, 0xbfff00007ffe0001 }, { 0x0000000000000000, 0x7fffffff00000000 }, { 0xc586f50c71f336fc, 0x6a4e1865b9437c7a },
		{ 0x61e3692d0aebc274, 0x10e507d379c547a2 }, { 0x50b4b7d97375b925, 0xf23221e9aa13f9ad } } },
	{ AVX_ROW_vpmacsdqh, 0x00, {
		{ 0x04c61f602dcb7fff, 0xbfff8000bfff0001 }, { 0x4000000080000000, 0xbfffffffffffffff }, { 0x92ad5e37dc056697, 0x7924ad7ecebae4e0 },
		{ 0x40e0f83613a1526b, 0x0c2ad40fa9c1f8f0 }, { 0xeefa54675fc1b9d0, 0x0452a648f0c191e3 } } },
	{ AVX_ROW_vpmadcswd, 0x00, {
		{ 0xc4c674b5ffff0000, 0xffff000080000000 }, { 0x4000800040000000, 0xbfffffff3fff0001 }, { 0x8dba0170b9051ad2, 0x7806248dd531824e },
		{ 0x40d3a046f19e5668, 0x0fb19d28adb17a22 }, { 0xe8780199016edbc4, 0x075161dafcd048e5 } } },
	{ AVX_ROW_vpcmov, 0x00, {
		{ 0x43217ffe7fff8000, 0x80007fff7fffffff }, { 0xffffffff80000000, 0x800000007fffffff }, { 0x10609b58dff07c17, 0x53cdf334bd4542ca },
		{ 0xd7391d3f096cc264, 0x04b50ef527a34ff3 }, { 0x28216819c139e01f, 0xfe25e97dd8a890f6 } } },
	{ AVX_ROW_vpperm, 0x00, {
		{ 0x00000080fe000000, 0xfe00000000000000 }, { 0x0000000000000000, 0xfe00000000000000 }, { 0xff000000fffcff3f, 0x00ffff2700433dff },
		{ 0xfbffff06ffdf006f, 0x38844708fff8f8ff }, { 0xff000010f6286a3b, 0x8d005f00e6008000 } } },
	{ AVX_ROW_vprotb_imm, 0x83, {
		{ 0x1a09fbfffbff0400, 0x0400fbffffffffff }, { 0xfbffffff04000000, 0x04000000fbffffff }, { 0x850ef8f65e8c76b9, 0xbe6b1a818f225b57 },
		{ 0xc7cfff4840380800, 0x208f78ef1804fbbf }, { 0x060287800ef90ff8, 0xf7aa67a0c641fe09 } } },
	{ AVX_ROW_vprotb, 0x00, {
		{ 0x90684000bfff8000, 0x8000bfff0080ffff }, { 0x4000000080000000, 0x80000000bfffffff }, { 0x41c86c4efcec1fa2, 0xad19dfbc7b5e0666 },
		{ 0xd74286ff0736c5ef, 0x6c4b1ceebb3385ed }, { 0x2827688dcdd0d49d, 0xd7a59df71cfb08ed } } },
	{ AVX_ROW_vpshlb, 0x00, {
		{ 0x00000000007f0000, 0x0000007f00007f7f }, { 0x0000000000000000, 0x00000000007f7f7f }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x000006000000c4ef, 0x6000000eb8000000 }, { 0x0000000000000000, 0x1700000000000000 } } },
	{ AVX_ROW_vpshab, 0x00, {
		{ 0x0000000000ffff00, 0xff0000ff0000ffff }, { 0x00000000ff000000, 0xff00000000ffffff }, { 0x00000000ff000000, 0x00000000ff0000ff },
		{ 0xff0006000000c4ef, 0x60ff000eb80000ff }, { 0x00000000ff000000, 0x1700ff0000000000 } } },
	{ AVX_ROW_vpcomb, 0x00, {
		{ 0xff00ff0000000000, 0x0000000000000000 }, { 0xff00000000000000, 0x0000000000000000 }, { 0x0000ff00ff000000, 0x00ffffffffffffff },
		{ 0xff0000ffff00ffff, 0xffff00000000ffff }, { 0x00ff00ff00ff0000, 0x00ffff0000ff00ff } } },
	{ AVX_ROW_vpcomub, 0x00, {
		{ 0xff0000ff00000000, 0x00000000ffff0000 }, { 0x00ffffff00000000, 0x0000000000000000 }, { 0xffff00ffffffff00, 0xff000000ff0000ff },
		{ 0xffffff00ff000000, 0x00ff00ff00ffffff }, { 0xffffff000000ff00, 0xffffff00ff00ff00 } } },
	{ AVX_ROW_vpcomb, 0x01, {
		{ 0xff00ff00ffffffff, 0xffffffff0000ffff }, { 0xff000000ffffffff, 0xffffffffffffffff }, { 0x0000ff00ff000000, 0x00ffffffffffffff },
		{ 0xff0000ffff00ffff, 0xffff00000000ffff }, { 0x00ff00ff00ff0000, 0x00ffff0000ff00ff } } },
	{ AVX_ROW_vpcomub, 0x01, {
		{ 0xff0000ffffffffff, 0xffffffffffffffff }, { 0x00ffffffffffffff, 0xffffffffffffffff }, { 0xffff00ffffffff00, 0xff000000ff0000ff },
		{ 0xffffff00ff000000, 0x00ff00ff00ffffff }, { 0xffffff000000ff00, 0xffffff00ff00ff00 } } },
	{ AVX_ROW_vpcomb, 0x02, {
		{ 0x00ff00ff00000000, 0x00000000ffff0000 }, { 0x00ffffff00000000, 0x0000000000000000 }, { 0xffff00ff00ffffff, 0xff00000000000000 },
		{ 0x00ffff0000ff0000, 0x0000ffffffff0000 }, { 0xff00ff00ff00ffff, 0xff0000ffff00ff00 } } },
	{ AVX_ROW_vpcomub, 0x02, {
		{ 0x00ffff0000000000, 0x0000000000000000 }, { 0xff00000000000000, 0x0000000000000000 }, { 0x0000ff00000000ff, 0x00ffffff00ffff00 },
		{ 0x000000ff00ffffff, 0xff00ff00ff000000 }, { 0x000000ffffff00ff, 0x000000ff00ff00ff } } },
	{ AVX_ROW_vpcomb, 0x03, {
		{ 0x00ff00ffffffffff, 0xffffffffffffffff }, { 0x00ffffffffffffff, 0xffffffffffffffff }, { 0xffff00ff00ffffff, 0xff00000000000000 },
		{ 0x00ffff0000ff0000, 0x0000ffffffff0000 }, { 0xff00ff00ff00ffff, 0xff0000ffff00ff00 } } },
	{ AVX_ROW_vpcomub, 0x03, {
		{ 0x00ffff00ffffffff, 0xffffffff0000ffff }, { 0xff000000ffffffff, 0xffffffffffffffff }, { 0x0000ff00000000ff, 0x00ffffff00ffff00 },
		{ 0x000000ff00ffffff, 0xff00ff00ff000000 }, { 0x000000ffffff00ff, 0x000000ff00ff00ff } } },
	{ AVX_ROW_vprotw_imm, 0x83, {
		{ 0x190afffbfffb0004, 0x0004fffbffffffff }, { 0xfffbffff00040000, 0x00040000fffbffff }, { 0x860dfef05c8e71be, 0xbb6e19828a275f53 },
		{ 0xc7cff84f40380800, 0x27887fe81c00ffbb }, { 0x0206808709fe08ff, 0xf2af60a7c146f90e } } },
	{ AVX_ROW_vprotw, 0x00, {
		{ 0x24684000bfff8000, 0x8000bfff8000ffff }, { 0x4000000080000000, 0x80000000bfffffff }, { 0x82c8760e3eed22be, 0x0b79fbbcde5b6702 },
		{ 0x43aefe1bb603e2ef, 0x8d4be70e7733ed85 }, { 0x2827688df350b51d, 0xe5ab97fdfb1c21ec } } },
	{ AVX_ROW_vpshlw, 0x00, {
		{ 0x000040003fff8000, 0x80003fff00007fff }, { 0x4000000080000000, 0x800000003fff7fff }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x01aefe00b600e2ef, 0x0001070e00000005 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpshaw, 0x00, {
		{ 0x0000c0003fff8000, 0x80003fff0000ffff }, { 0xc000000080000000, 0x800000003fffffff }, { 0x0000ffffffff0000, 0x000000000000ffff },
		{ 0xffaefe00b600e2ef, 0xffff070e00000005 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomw, 0x00, {
		{ 0xffffffff00000000, 0x0000000000000000 }, { 0xffff000000000000, 0x0000000000000000 }, { 0x0000ffffffff0000, 0x0000ffffffffffff },
		{ 0xffff0000ffffffff, 0xffff00000000ffff }, { 0x0000000000000000, 0x0000ffff00000000 } } },
	{ AVX_ROW_vpcomuw, 0x00, {
		{ 0xffff000000000000, 0x00000000ffff0000 }, { 0x0000ffff00000000, 0x0000000000000000 }, { 0xffff0000ffffffff, 0xffff0000ffff0000 },
		{ 0xffffffffffff0000, 0x000000000000ffff }, { 0xffffffff0000ffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomw, 0x01, {
		{ 0xffffffffffffffff, 0xffffffff0000ffff }, { 0xffff0000ffffffff, 0xffffffffffffffff }, { 0x0000ffffffff0000, 0x0000ffffffffffff },
		{ 0xffff0000ffffffff, 0xffff00000000ffff }, { 0x0000000000000000, 0x0000ffff00000000 } } },
	{ AVX_ROW_vpcomuw, 0x01, {
		{ 0xffff0000ffffffff, 0xffffffffffffffff }, { 0x0000ffffffffffff, 0xffffffffffffffff }, { 0xffff0000ffffffff, 0xffff0000ffff0000 },
		{ 0xffffffffffff0000, 0x000000000000ffff }, { 0xffffffff0000ffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomw, 0x02, {
		{ 0x0000000000000000, 0x00000000ffff0000 }, { 0x0000ffff00000000, 0x0000000000000000 }, { 0xffff00000000ffff, 0xffff000000000000 },
		{ 0x0000ffff00000000, 0x0000ffffffff0000 }, { 0xffffffffffffffff, 0xffff0000ffffffff } } },
	{ AVX_ROW_vpcomuw, 0x02, {
		{ 0x0000ffff00000000, 0x0000000000000000 }, { 0xffff000000000000, 0x0000000000000000 }, { 0x0000ffff00000000, 0x0000ffff0000ffff },
		{ 0x000000000000ffff, 0xffffffffffff0000 }, { 0x00000000ffff0000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomw, 0x03, {
		{ 0x00000000ffffffff, 0xffffffffffffffff }, { 0x0000ffffffffffff, 0xffffffffffffffff }, { 0xffff00000000ffff, 0xffff000000000000 },
		{ 0x0000ffff00000000, 0x0000ffffffff0000 }, { 0xffffffffffffffff, 0xffff0000ffffffff } } },
	{ AVX_ROW_vpcomuw, 0x03, {
		{ 0x0000ffffffffffff, 0xffffffff0000ffff }, { 0xffff0000ffffffff, 0xffffffffffffffff }, { 0x0000ffff00000000, 0x0000ffff0000ffff },
		{ 0x000000000000ffff, 0xffffffffffff0000 }, { 0x00000000ffff0000, 0x0000000000000000 } } },
	{ AVX_ROW_vprotd_imm, 0x83, {
		{ 0x190bfffafffc0003, 0x0003fffcffffffff }, { 0xfffffffb00000004, 0x00000004fffffffb }, { 0x8608fef55c8e71be, 0xbb6a19868a235f57 },
		{ 0xc7cff84f40380800, 0x27887fe81c03ffb8 }, { 0x0207808609ff08fe, 0xf2af60a7c146f90e } } },
	{ AVX_ROW_vprotd, 0x00, {
		{ 0x091a40007fff8000, 0xc0003fff8000ffff }, { 0x4000000080000000, 0x80000000bfffffff }, { 0x5059360e22cfbb3e, 0xfbbc5bc8970266f7 },
		{ 0x421bffae076ce2ef, 0xf8d4a70eedbb9985 }, { 0x688d2827f350b51d, 0x97f5f2dd39f621ec } } },
	{ AVX_ROW_vpshld, 0x00, {
		{ 0x091a40007fff8000, 0x40003fff0000ffff }, { 0x4000000080000000, 0x800000003fffffff }, { 0x0000000000000000, 0x00000000000002f7 },
		{ 0x421bfe00076ce2ef, 0x18d4a70e003b9985 }, { 0x688d000080000000, 0x97f0000000000000 } } },
	{ AVX_ROW_vpshad, 0x00, {
		{ 0x091a40007fff8000, 0xc0003fff0000ffff }, { 0xc000000080000000, 0x800000003fffffff }, { 0x0000000000000000, 0x00000000fffffef7 },
		{ 0x421bfe00076ce2ef, 0xf8d4a70e003b9985 }, { 0x688d000080000000, 0x97f0000000000000 } } },
	{ AVX_ROW_vpcomd, 0x00, {
		{ 0xffffffff00000000, 0x0000000000000000 }, { 0xffffffff00000000, 0x0000000000000000 }, { 0x00000000ffffffff, 0x00000000ffffffff },
		{ 0xffffffffffffffff, 0xffffffff00000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomud, 0x00, {
		{ 0xffffffff00000000, 0x00000000ffffffff }, { 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0x0000000000000000 }, { 0xffffffff00000000, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomd, 0x01, {
		{ 0xffffffffffffffff, 0xffffffff00000000 }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0x00000000ffffffff, 0x00000000ffffffff },
		{ 0xffffffffffffffff, 0xffffffff00000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomud, 0x01, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0x00000000ffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0x0000000000000000 }, { 0xffffffff00000000, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomd, 0x02, {
		{ 0x0000000000000000, 0x00000000ffffffff }, { 0x0000000000000000, 0x0000000000000000 }, { 0xffffffff00000000, 0xffffffff00000000 },
		{ 0x0000000000000000, 0x00000000ffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomud, 0x02, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0xffffffff00000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0xffffffffffffffff }, { 0x00000000ffffffff, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomd, 0x03, {
		{ 0x00000000ffffffff, 0xffffffffffffffff }, { 0x00000000ffffffff, 0xffffffffffffffff }, { 0xffffffff00000000, 0xffffffff00000000 },
		{ 0x0000000000000000, 0x00000000ffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomud, 0x03, {
		{ 0x00000000ffffffff, 0xffffffff00000000 }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0xffffffffffffffff }, { 0x00000000ffffffff, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomd, 0x04, {
		{ 0x00000000ffffffff, 0xffffffff00000000 }, { 0x00000000ffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomud, 0x04, {
		{ 0x00000000ffffffff, 0xffffffff00000000 }, { 0x00000000ffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomd, 0x05, {
		{ 0xffffffff00000000, 0x00000000ffffffff }, { 0xffffffff00000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomud, 0x05, {
		{ 0xffffffff00000000, 0x00000000ffffffff }, { 0xffffffff00000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomd, 0x06, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomud, 0x06, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomd, 0x07, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomud, 0x07, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vprotq_imm, 0x83, {
		{ 0x190bfffbfffc0002, 0x0003fffffffffffc }, { 0xfffffffc00000003, 0x00000003fffffffc }, { 0x8608fef65c8e71bd, 0xbb6a19878a235f56 },
		{ 0xc7cff84840380807, 0x27887fe81c03ffb8 }, { 0x0207808609ff08fe, 0xf2af60a6c146f90f } } },
	{ AVX_ROW_vprotq, 0x00, {
		{ 0x123480007fff8000, 0xc0003fff8000ffff }, { 0x8000000080000000, 0xc00000003fffffff }, { 0x22a0b26c1ccfbb3e, 0x9702656f23eef2f7 },
		{ 0xd7210dff076ce2ef, 0xede3529c3bbb9985 }, { 0xf350b51d9413b446, 0x39f621ecbe5bb2fe } } },
	{ AVX_ROW_vpshlq, 0x00, {
		{ 0x123480007fff8000, 0x40003fff8000ffff }, { 0x8000000080000000, 0x400000003fffffff }, { 0x2280000000000000, 0x0000016f23eef2f7 },
		{ 0xd7210dff076ce2ef, 0x0063529c3bbb9985 }, { 0xf350b51d80000000, 0x39f621ec00000000 } } },
	{ AVX_ROW_vpshaq, 0x00, {
		{ 0x123480007fff8000, 0xc0003fff8000ffff }, { 0x8000000080000000, 0xc00000003fffffff }, { 0x2280000000000000, 0x0000016f23eef2f7 },
		{ 0xd7210dff076ce2ef, 0xffe3529c3bbb9985 }, { 0xf350b51d80000000, 0x39f621ec00000000 } } },
	{ AVX_ROW_vpcomq, 0x00, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomuq, 0x00, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomq, 0x01, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomuq, 0x01, {
		{ 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0xffffffffffffffff, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomq, 0x02, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomuq, 0x02, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vpcomq, 0x03, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0xffffffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffffff },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff } } },
	{ AVX_ROW_vpcomuq, 0x03, {
		{ 0x0000000000000000, 0x0000000000000000 }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 },
		{ 0x0000000000000000, 0xffffffffffffffff }, { 0x0000000000000000, 0x0000000000000000 } } },
	{ AVX_ROW_vphaddbw, 0x00, {
		{ 0x0064007e007eff80, 0xff80007efffefffe }, { 0x007efffeff800000, 0xff800000007efffe }, { 0xff71fffdff5c0005, 0x0044007300350055 },
		{ 0xfff10008000f0001, 0xfff5000cff830076 }, { 0x0000000000000000, 0x0053000000000000 } } },
	{ AVX_ROW_vphaddubw, 0x00, {
		{ 0x0064017e017e0080, 0x0080017e01fe01fe }, { 0x017e01fe00800000, 0x00800000017e01fe }, { 0x017100fd015c0105, 0x0144007301350155 },
		{ 0x01f10108000f0001, 0x00f5010c00830176 }, { 0x0100010001000100, 0x0153010001000100 } } },
	{ AVX_ROW_vphaddbd, 0x00, {
		{ 0x000000e2fffffffe, 0xfffffffefffffffc }, { 0x0000007cffffff80, 0xffffff800000007c }, { 0xffffff6effffff61, 0x000000b70000008a },
		{ 0xfffffff900000010, 0x00000001fffffff9 }, { 0x0000000000000000, 0x0000005300000000 } } },
	{ AVX_ROW_vphaddubd, 0x00, {
		{ 0x000001e2000001fe, 0x000001fe000003fc }, { 0x0000037c00000080, 0x000000800000037c }, { 0x0000026e00000261, 0x000001b70000028a },
		{ 0x000002f900000010, 0x00000201000001f9 }, { 0x0000020000000200, 0x0000025300000200 } } },
	{ AVX_ROW_vphaddbq, 0x00, {
		{ 0x00000000000000e0, 0xfffffffffffffffa }, { 0xfffffffffffffffc, 0xfffffffffffffffc }, { 0xfffffffffffffecf, 0x0000000000000141 },
		{ 0x0000000000000009, 0xfffffffffffffffa }, { 0x0000000000000000, 0x0000000000000053 } } },
	{ AVX_ROW_vphaddubq, 0x00, {
		{ 0x00000000000003e0, 0x00000000000005fa }, { 0x00000000000003fc, 0x00000000000003fc }, { 0x00000000000004cf, 0x0000000000000441 },
		{ 0x0000000000000309, 0x00000000000003fa }, { 0x0000000000000400, 0x0000000000000453 } } },
	{ AVX_ROW_vphaddwd, 0x00, {
		{ 0x0000c320ffffffff, 0xfffffffffffffffe }, { 0x00007ffeffff8000, 0xffff800000007ffe }, { 0xffffd09fffff99c8, 0x00001a9d00005d2e },
		{ 0xfffff80200000907, 0x000014ee00008377 }, { 0xffffb050ffffa25e, 0xffffea69ffffb749 } } },
	{ AVX_ROW_vphadduwd, 0x00, {
		{ 0x0000c3200000ffff, 0x0000ffff0001fffe }, { 0x00017ffe00008000, 0x0000800000017ffe }, { 0x0000d09f000199c8, 0x00011a9d00015d2e },
		{ 0x0001f80200000907, 0x000014ee00008377 }, { 0x0001b0500001a25e, 0x0001ea690001b749 } } },
	{ AVX_ROW_vphaddwq, 0x00, {
		{ 0x000000000000c31f, 0xfffffffffffffffd }, { 0xfffffffffffffffe, 0xfffffffffffffffe }, { 0xffffffffffff6a67, 0x00000000000077cb },
		{ 0x0000000000000109, 0x0000000000009865 }, { 0xffffffffffff52ae, 0xffffffffffffa1b2 } } },
	{ AVX_ROW_vphadduwq, 0x00, {
		{ 0x000000000001c31f, 0x000000000002fffd }, { 0x000000000001fffe, 0x000000000001fffe }, { 0x0000000000026a67, 0x00000000000277cb },
		{ 0x0000000000020109, 0x0000000000009865 }, { 0x00000000000352ae, 0x000000000003a1b2 } } },
	{ AVX_ROW_vphadddq, 0x00, {
		{ 0x00000000c320ffff, 0xffffffff80007ffe }, { 0xffffffffffffffff, 0xffffffffffffffff }, { 0xffffffff7c52ee15, 0xffffffffc8b1af1a },
		{ 0x0000000001010009, 0x0000000008718ff4 }, { 0xffffffff8180d12f, 0xffffffffd67ecb35 } } },
	{ AVX_ROW_vphaddudq, 0x00, {
		{ 0x00000000c320ffff, 0x0000000180007ffe }, { 0x00000000ffffffff, 0x00000000ffffffff }, { 0x000000017c52ee15, 0x00000001c8b1af1a },
		{ 0x0000000101010009, 0x0000000008718ff4 }, { 0x000000018180d12f, 0x00000001d67ecb35 } } },
	{ AVX_ROW_vphsubbw, 0x00, {
		{ 0xffdeff80ff800080, 0x0080ff8000000000 }, { 0xff80000000800000, 0x00800000ff800000 }, { 0x0011ffbfffc60069, 0x0096ffed0053ff7f },
		{ 0x0001000affffffff, 0xffedffeeff7dff78 }, { 0x00800020007e003e, 0x0057002800500042 } } },
	{ AVX_ROW_vphsubwd, 0x00, {
		{ 0x00003cdeffff0001, 0x0000ffff00000000 }, { 0xffff800000008000, 0x00008000ffff8000 }, { 0x00006f1d000002a6, 0x00006bc300007aa6 },
		{ 0x00000610fffff8f9, 0x00000b0c00007c77 }, { 0x00002fd000001fe0, 0xffffedbf000006f9 } } },
	{ AVX_ROW_vphsubdq, 0x00, {
		{ 0x000000003cde0001, 0x000000007fff8000 }, { 0xffffffff00000001, 0x00000000ffffffff }, { 0x000000001ad0ae59, 0x0000000019d728ba },
		{ 0x000000000f0d01f7, 0xfffffffffe8f6ffa }, { 0x0000000000fef10f, 0xffffffffd9d2f30d } } },
	{ AVX_ROW_vpermil2ps, 0x00, {
		{ 0x1234800080007fff, 0x80007fff7fff8000 }, { 0x8000000080000000, 0x8000000080000000 }, { 0xf1446bea4164d839, 0xb0c11fde9f767c45 },
		{ 0x03807ff708070100, 0x076ce2eff8f9ff09 }, { 0x2827688de6a16a3b, 0xc040f010fe55ec14 } } },
	{ AVX_ROW_vpermil2pd, 0x00, {
		{ 0x80007fffffffffff, 0x123480007fff8000 }, { 0x8000000080000000, 0x800000007fffffff }, { 0x4164d8399f767c45, 0x4164d8399f767c45 },
		{ 0xf8f9ff0908070100, 0xf8f9ff0908070100 }, { 0x2827688de6a16a3b, 0xfe55ec14d828df21 } } },
	{ AVX_ROW_vpermil2ps, 0x01, {
		{ 0x1234800080007fff, 0x80007fff7fff8000 }, { 0x8000000080000000, 0x8000000080000000 }, { 0xf1446bea4164d839, 0xb0c11fde9f767c45 },
		{ 0x03807ff708070100, 0x076ce2eff8f9ff09 }, { 0x2827688de6a16a3b, 0xc040f010fe55ec14 } } },
	{ AVX_ROW_vpermil2pd, 0x01, {
		{ 0x80007fffffffffff, 0x123480007fff8000 }, { 0x8000000080000000, 0x800000007fffffff }, { 0x4164d8399f767c45, 0x4164d8399f767c45 },
		{ 0xf8f9ff0908070100, 0xf8f9ff0908070100 }, { 0x2827688de6a16a3b, 0xfe55ec14d828df21 } } },
	{ AVX_ROW_vpermil2ps, 0x02, {
		{ 0x1234800000000000, 0x000000007fff8000 }, { 0x8000000080000000, 0x0000000000000000 }, { 0x0000000000000000, 0xb0c11fde9f767c45 },
		{ 0x03807ff708070100, 0x00000000f8f9ff09 }, { 0x00000000e6a16a3b, 0x00000000fe55ec14 } } },
	{ AVX_ROW_vpermil2pd, 0x02, {
		{ 0x0000000000000000, 0x123480007fff8000 }, { 0x8000000080000000, 0x0000000000000000 }, { 0x0000000000000000, 0x4164d8399f767c45 },
		{ 0xf8f9ff0908070100, 0xf8f9ff0908070100 }, { 0x2827688de6a16a3b, 0xfe55ec14d828df21 } } },
	{ AVX_ROW_vpermil2ps, 0x03, {
		{ 0x0000000080007fff, 0x80007fff00000000 }, { 0x0000000000000000, 0x8000000080000000 }, { 0xf1446bea4164d839, 0x0000000000000000 },
		{ 0x0000000000000000, 0x076ce2ef00000000 }, { 0x2827688d00000000, 0xc040f01000000000 } } },
	{ AVX_ROW_vpermil2pd, 0x03, {
		{ 0x80007fffffffffff, 0x0000000000000000 }, { 0x0000000000000000, 0x800000007fffffff }, { 0x4164d8399f767c45, 0x0000000000000000 },
		{ 0x0000000000000000, 0x0000000000000000 }, { 0x0000000000000000, 0x0000000000000000 } } },
};

static struct ir_opnd
xmm(unsigned reg)
{
	return (struct ir_opnd){ IR_XMM, (uint8_t)reg, 0 };
}

/* ROW with its first, second and third source in A, B and C. */
static void
run(struct tcg_frame *f, unsigned row, unsigned imm, unsigned l)
{
	const struct avx_row *r = &avx_rows[row];
	struct ir_insn i = { .op = IR_avx, .sub = (uint16_t)row, .width = 16, .src_width = 4, .dst = xmm(DST), .src = xmm(A), .src2 = xmm(B) };

	switch ((enum avx_form)r->form) {
	case AVX_RM:
		i.src = xmm(B);
		i.src2 = (struct ir_opnd){ IR_NONE, 0, 0 };
		break;
	case AVX_RMV:
		i.src = xmm(B);
		i.src2 = xmm(A);
		break;
	case AVX_RVMR:
		imm |= C << 4;
		break;
	case AVX_RVRM:
		i.src2 = xmm(C);
		imm |= B << 4;
		break;
	default:
		break;
	}
	i.aux = AVX_AUX(imm, 0, l);
	interp_avx(f, &i);
}

static struct tcg_frame *
new_frame(void)
{
	struct tcg_frame *f = tcg_frame_alloc(sizeof(*f));

	ck_assert_ptr_nonnull(f);
	f->mxcsr = 0x1f80;
	return f;
}

/* A row of W = 0 may have one of W = 1 behind it, with two operands exchanged. */
static bool
has_twin(unsigned row)
{
	return row + 1 < AVX_ROWS && avx_rows[row + 1].opcode == avx_rows[row].opcode && avx_rows[row + 1].map == avx_rows[row].map;
}

/* The upper half works on the next set. */
static void
check_case(struct tcg_frame *f, unsigned n, unsigned set, unsigned row)
{
	unsigned next = (set + 1) % ARRAY_SIZE(operands), l = avx_rows[row].l == AVX_L_V;

	memset(f->vec, 0xee, sizeof(f->vec));
	for (unsigned k = 0; k < 3; k++) {
		memcpy(f->vec[A + k], operands[set][k], 16);
		memcpy(f->vec[A + k] + 16, operands[next][k], 16);
	}
	run(f, row, cases[n].imm, l);
	ck_assert_msg(memcmp(f->vec[DST], cases[n].result[set], 16) == 0, "%s, imm %u, set %u: %016llx %016llx", avx_rows[row].name,
		cases[n].imm, set, *(unsigned long long *)f->vec[DST], *(unsigned long long *)(f->vec[DST] + 8));
	for (unsigned k = 16; k < 64; k++)
		ck_assert_uint_eq(f->vec[DST][k], l && k < 32 ? ((const uint8_t *)cases[n].result[next])[k - 16] : 0);
}

START_TEST(integers)
{
	struct tcg_frame *f = new_frame();

	for (unsigned n = 0; n < ARRAY_SIZE(cases); n++)
		for (unsigned set = 0; set < ARRAY_SIZE(operands); set++) {
			check_case(f, n, set, cases[n].row);
			if (has_twin(cases[n].row))
				check_case(f, n, set, cases[n].row + 1);
		}
	tcg_frame_free(f, sizeof(*f));
}
END_TEST

/* ---- FMA4 ---- */

#define PAIR(name) { AVX_ROW_v##name, AVX_ROW_v##name##_w1 }
static const struct { uint16_t four[2], three; } sums[] = {
#define PACKED(name) { PAIR(name##ps), AVX_ROW_v##name##231ps }, { PAIR(name##pd), AVX_ROW_v##name##231pd }
#define ALL(name) PACKED(name), { PAIR(name##ss), AVX_ROW_v##name##231ss }, { PAIR(name##sd), AVX_ROW_v##name##231sd }
	ALL(fmadd), ALL(fmsub), ALL(fnmadd), ALL(fnmsub), PACKED(fmaddsub), PACKED(fmsubadd),
};

static const uint32_t numbers[] = { 0x3f800000, 0x40490fdb, 0xc2f6e979, 0x00000001, 0x7f7fffff, 0x7f800000, 0x7fc12345, 0xffa00001, 0,
	0x80000000, 0x34000000, 0xbf000001, 0x0080ffff, 0xff800000, 0x4b000003, 0x7e967699 };

static void
fill(struct tcg_frame *f, unsigned seed)
{
	memset(f->vec, 0xee, sizeof(f->vec));
	for (unsigned k = A; k <= C; k++)
		for (unsigned n = 0; n < 8; n++)
			memcpy(f->vec[k] + 4 * n, &numbers[((seed = seed * 1103515245 + 12345) >> 16) % ARRAY_SIZE(numbers)], 4);
	f->mxcsr = 0x1f80;
}

/* 231 is the form of FMA in which the operands have the same order. */
START_TEST(four_operands)
{
	struct tcg_frame *f = new_frame();

	for (unsigned n = 0; n < 2 * ARRAY_SIZE(sums); n++) {
		unsigned row = sums[n / 2].four[n & 1], scalar = avx_rows[row].l == AVX_L_IG, bytes = scalar ? avx_rows[row].size : 32;

		for (unsigned seed = 0; seed < 200; seed++) {
			struct ir_insn i = { .op = IR_avx, .sub = sums[n / 2].three, .width = 16, .src_width = 4, .dst = xmm(C), .src = xmm(A),
				.src2 = xmm(B), .aux = AVX_AUX(0, 0, !scalar) };
			uint8_t result[64];
			uint32_t mxcsr;

			fill(f, seed);
			run(f, row, 0, !scalar);
			memcpy(result, f->vec[DST], 64);
			mxcsr = f->mxcsr;
			fill(f, seed);
			interp_avx(f, &i);
			memset(f->vec[C] + bytes, 0, 64 - bytes);
			ck_assert_msg(memcmp(result, f->vec[C], 64) == 0 && mxcsr == f->mxcsr, "%s, seed %u", avx_rows[row].name, seed);
		}
	}
	tcg_frame_free(f, sizeof(*f));
}
END_TEST

/* ---- fractions ---- */

static const struct { uint64_t value, result; uint32_t mxcsr; uint8_t size, flags; } fractions[] = {
	{ 0x3fc00000, 0x3f000000, 0x1f80, 4, 0 }, { 0xc0300000, 0xbf400000, 0x1f80, 4, 0 }, { 0x40400000, 0, 0x1f80, 4, 0 },
	{ 0x40400000, 0x80000000, 0x3f80, 4, 0 }, { 0xc0400000, 0, 0x1f80, 4, 0 }, { 0x7149f2ca, 0, 0x1f80, 4, 0 },
	{ 0x3e200000, 0x3e200000, 0x1f80, 4, 0 }, { 0x7f800000, 0xffc00000, 0x1f80, 4, MX_IE }, { 0xff800000, 0xffc00000, 0x1f80, 4, MX_IE },
	{ 0x7f800001, 0x7fc00001, 0x1f80, 4, MX_IE }, { 0xffc12345, 0xffc12345, 0x1f80, 4, 0 }, { 0x80000001, 0x80000001, 0x1f80, 4, MX_DE },
	{ 0x80000001, 0, 0x1fc0, 4, 0 }, { 0x00000001, 0, 0x9f80, 4, MX_DE | MX_UE | MX_PE }, { 0x4b000000, 0, 0x1f80, 4, 0 },
	{ 0x4affffff, 0x3f000000, 0x1f80, 4, 0 },
	{ 0x4005bf0a8b145769, 0x3fe6fc2a2c515da4, 0x1f80, 8, 0 }, { 0xc059000000000000, 0, 0x1f80, 8, 0 },
	{ 0x7ff0000000000000, 0xfff8000000000000, 0x1f80, 8, MX_IE }, { 0x000fffffffffffff, 0x000fffffffffffff, 0x1f80, 8, MX_DE },
};

START_TEST(fraction_of)
{
	struct tcg_frame *f = new_frame();

	for (unsigned n = 0; n < ARRAY_SIZE(fractions); n++) {
		unsigned size = fractions[n].size;

		for (unsigned scalar = 0; scalar < 2; scalar++) {
			unsigned row = size == 4 ? (scalar ? AVX_ROW_vfrczss : AVX_ROW_vfrczps) : scalar ? AVX_ROW_vfrczsd : AVX_ROW_vfrczpd;

			memset(f->vec, 0, sizeof(f->vec));
			memset(f->vec[DST], 0xee, 64);
			for (unsigned at = 0; at < 32; at += size)
				memcpy(f->vec[B] + at, &fractions[n].value, size);
			f->mxcsr = fractions[n].mxcsr;
			run(f, row, 0, !scalar);
			for (unsigned at = 0; at < 64; at += size) {
				uint64_t v = 0;

				memcpy(&v, f->vec[DST] + at, size);
				ck_assert_uint_eq(v, at < (scalar ? size : 32) ? fractions[n].result : 0);
			}
			ck_assert_uint_eq(f->mxcsr, fractions[n].mxcsr | fractions[n].flags);
		}
	}
	tcg_frame_free(f, sizeof(*f));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("xop");
	TCase *t = tcase_create("rows");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, integers);
	tcase_add_test(t, four_operands);
	tcase_add_test(t, fraction_of);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
