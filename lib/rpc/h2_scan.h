/* Sees every frame that comes, before nghttp2 does. Private to h2.c; servers only.
 *
 * nghttp2 drops some frames without a word: unknown types, PRIORITY, WINDOW_UPDATE, DATA and
 * HEADERS on streams that are gone. Each costs its sender nothing, and a connection can live on
 * them for ever; some break rules of RFC 9113 that it no longer sees. So the heads are read here as
 * well:
 * - what should not come at all takes misbehaviour credit;
 * - DATA and HEADERS on a stream that the peer itself has ended are a connection error
 * STREAM_CLOSED (5.1), which needs no state but what the peer said;
 * - those that nghttp2 did not take are late, which is lawful for a while after we reset a stream
 * (5.1 "closed"), and are held against an allowance of what can be under way;
 * - PRIORITY on stream 0 or on itself is a PROTOCOL_ERROR (6.3; 7540 5.3.1).
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
