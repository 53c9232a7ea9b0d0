/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 82540EM: between the ring of the transmitter (e1000_tx.c) and what is done to packets (e1000_offload.c). */
#ifndef HW_E1000_TX_H
#define HW_E1000_TX_H

#include "hw/e1000.h"

enum {
	TX_PIECES = NET_IOV_MAX - 3, /* besides: the copied headers, padding */
	TX_MSS_MIN = 32,
	TX_TSO_MAX = 256 * 1024,     /* of a packet that is to be segmented */
	TX_SEGMENTS_MAX = 2048,
	TX_OPTION_IP = 1,            /* POPTS: insert the sum of the IP header */
	TX_OPTION_TU = 2,            /* ... of TCP or UDP */
	TX_OPTION_LEGACY = 4,        /* a legacy descriptor's sum */
};

/* A packet in the guest's memory, or a part of one. */
struct tx_packet {
	struct iovec pieces[TX_PIECES];
	unsigned count;
	size_t len, scratch_used;
};

/*
 * Does what the state's contexts and options say, and sends it.  One to be segmented may come in several parts, each but the
 * last a whole segment.
 */
void e1000_tx_packet(struct e1000 *d, const struct tx_packet *p, bool last);

#endif
