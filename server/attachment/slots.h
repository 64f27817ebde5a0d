/* How many may be under way at once: in all, and of one source an eighth of that, so that whoever
 * opens many and lets them crawl leaves room for others. Sources are told apart by SLOTS_BINS bins
 * of a PRF; who shares a bin by chance shares its eighth. Thread-safe; the zero state is empty.
 */
#ifndef SERVER_ATTACHMENT_SLOTS_H
#define SERVER_ATTACHMENT_SLOTS_H

#include <stdatomic.h>

#include "base/err.h"

enum { SLOTS_BINS = 1024, SLOTS_SHARE = 8 };

struct slots {
    atomic_uint all;
    atomic_uint bins[SLOTS_BINS];
};

/* ERR_FRONT_OVERLOAD. control: without the share. */
CHECKED struct err slots_take(struct slots *slots, unsigned most, bool control, unsigned bin);
void slots_give(struct slots *slots, unsigned bin);

#endif
