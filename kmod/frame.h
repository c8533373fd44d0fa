/* SPDX-License-Identifier: GPL-2.0 */
/* Where the headers of a prepared frame lie, and its lengths and checksums. */
#ifndef KTRXER_FRAME_H
#define KTRXER_FRAME_H

#include <linux/types.h>

/* Offsets from the frame's start, all within it; found once, however the frame's bytes change afterwards. */
struct krx_layout {
	u8 family; /* 4, 6, or 0: neither */
	u8 protocol; /* of the transport header, where there is one */
	u16 network;
	u16 transport; /* 0: none that has a checksum */
	u16 checksum;
};

/* Reads the layout of a frame behind a link header of so many bytes; VLAN tags may follow an Ethernet header. */
void krx_layout(struct krx_layout *layout, const u8 *frame, unsigned int length, unsigned int link);
/* Makes the IP and UDP lengths those of a frame that ends at `length`. */
void krx_frame_lengths(const struct krx_layout *layout, u8 *frame, unsigned int length);
/* Makes the checksums right. */
void krx_frame_checksums(const struct krx_layout *layout, u8 *frame, unsigned int length);

#endif
