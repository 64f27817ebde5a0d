/* The third set's part in what the other two wrap already. */
#ifndef PLANTED_THIRD_H
#define PLANTED_THIRD_H

#include "server/courier/inside.h"
#include "server/queue/accept.h"

/* A reference's row was read; appending: the batch whose rows are being appended, or NULL. */
void third_tag_loaded(const struct accept *appending, struct queue_tag *tag);
/* It is about to be written. */
void third_tag_kept(struct queue_tag *tag);
/* What became of a parcel; valid until the next call. */
const enum queue_outcome *third_outcomes(const struct parcel *p,
                                         const enum queue_outcome *outcomes);
/* The front asks for a homeserver's key. */
void third_finding(bool now);

#endif
