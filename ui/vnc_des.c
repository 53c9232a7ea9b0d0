/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC authentication (RFC 6143, "VNC Authentication"): DES with the password's bytes as key, each with its bits reversed. */
#include "ui/vnc.h"

#include <nettle/des.h>

bool
vnc_des_built(void)
{
	return true;
}

static uint8_t
reverse(uint8_t byte)
{
	uint8_t reversed = 0;

	for (unsigned i = 0; i < 8; i++)
		reversed |= (byte >> i & 1) << (7 - i);
	return reversed;
}

void
vnc_des(const char password[8], const uint8_t challenge[16], uint8_t response[16])
{
	struct des_ctx des;
	uint8_t key[8];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = reverse((uint8_t)password[i]);
	/* It tells of weak keys, and takes them: passwords are what they are. */
	des_set_key(&des, key);
	des_encrypt(&des, 16, response, challenge);
}
