/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the place of zstd.c where the library isn't there; who opens or makes such an image is told so. */
#include "disk/qcow2.h"

bool
zstd_is_there(void)
{
	return false;
}

size_t
zstd_pack(void *out, size_t room, const void *in, size_t len)
{
	(void)out, (void)room, (void)in, (void)len;
	return 0;
}

bool
zstd_unpack(void *out, size_t len, const void *in, size_t in_len)
{
	(void)out, (void)len, (void)in, (void)in_len;
	return false;
}
