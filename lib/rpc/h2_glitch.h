/* Which frames cost misbehaviour credit, and how much (docs/http2.md). Private to h2.c. */
#ifndef RPC_H2_GLITCH_H
#define RPC_H2_GLITCH_H

#include <nghttp2/nghttp2.h>

#include "rpc/h2.h"

enum { H2_PING_CREDIT_FIRST = 8, H2_WINDOW_CREDIT_FIRST = 64, H2_SHORT_CREDIT_FIRST = 64 };

void h2_terminate(struct h2 *h, enum h2_error error);
/* A complete valid frame came. */
void h2_glitch_received(struct h2 *h, const nghttp2_frame *frame);
/* A WINDOW_UPDATE came, on whichever stream. */
void h2_glitch_window_update(struct h2 *h);
/* A frame of ours went out. */
void h2_glitch_sent(struct h2 *h, const nghttp2_frame *frame);

#endif
