/* Sees every frame that comes, before nghttp2 does. Private to h2.c; servers only.
 *
 * nghttp2 drops some frames without a word: unknown types, WINDOW_UPDATE, DATA and HEADERS on
 * streams that we have reset. Each costs its sender nothing, and a connection can live on them for
 * ever. So the heads are read here as well: what should not come at all takes misbehaviour credit;
 * DATA and HEADERS that nghttp2 did not take are late, which is lawful for a while after a reset
 * (RFC 9113 5.1: "closed"), and are held against an allowance of what can be under way.
 */
#ifndef RPC_H2_SCAN_H
#define RPC_H2_SCAN_H

#include <nghttp2/nghttp2.h>

#include "rpc/h2.h"

enum { H2_SCAN_PREFACE_BYTES = NGHTTP2_CLIENT_MAGIC_LEN, H2_SCAN_NO_TYPE = 0xff };

/* Before nghttp2 gets these bytes. */
void h2_scan(struct h2 *h, const uint8_t *data, size_t len);
/* nghttp2 took a DATA frame, or began with a HEADERS frame. */
void h2_scan_taken(struct h2 *h, const nghttp2_frame *frame);
/* After nghttp2 got them. */
void h2_scan_settle(struct h2 *h);

#endif
