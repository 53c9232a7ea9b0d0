/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zstd for compressed clusters: one frame each. */
#include "disk/qcow2.h"

#include <zstd.h>

bool
zstd_is_there(void)
{
	return true;
}

size_t
zstd_pack(void *out, size_t room, const void *in, size_t len)
{
	size_t n = ZSTD_compress(out, room, in, len, ZSTD_CLEVEL_DEFAULT);

	return ZSTD_isError(n) ? 0 : n;
}

/* What follows the frame, up to the end of its last sector, belongs to others. */
bool
zstd_unpack(void *out, size_t len, const void *in, size_t in_len)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	ZSTD_outBuffer to = { out, len, 0 };
	ZSTD_inBuffer from = { in, in_len, 0 };

	while (d != NULL && to.pos < to.size) {
		size_t out_before = to.pos, in_before = from.pos, status = ZSTD_decompressStream(d, &to, &from);

		if (ZSTD_isError(status) || (to.pos == out_before && from.pos == in_before))
			break;
	}
	ZSTD_freeDCtx(d);
	return to.pos == to.size;
}
