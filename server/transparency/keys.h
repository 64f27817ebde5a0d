/* The log's keys and configuration, from the keeper: what makes the log of a domain. Origin is
 * DOMAIN/kt/NUMBER: another number begins another log. Signatures are the keeper's (KEEPER_LOG);
 * the VRF's secret and the rows' keys are in this process, as other storage keys are.
 *
 * Everything here is in leaf 0: a keeper with another log key or VRF secret, or another window,
 * makes another log, and transparency_open() says so (ERR_WRONG_STATE).
 */
#ifndef SERVER_TRANSPARENCY_KEYS_H
#define SERVER_TRANSPARENCY_KEYS_H

#include "server/front/front.h"
#include "server/transparency/kt_log.h"

struct kt_keys {
    struct kt_log log; /* for transparency_options; points into this struct, which must not move */
    struct vrf_key vrf;
};

enum {
    KT_MAX_AHEAD_MS = 60000,
    KT_MAX_BEHIND_MS = 3600000,
    KT_WINDOW_MS = 21600000, /* reasonable monitoring window: 6 h */
};

/* number from 1; window_ms 0: KT_WINDOW_MS. env is borrowed. ERR_DOMAIN for a domain too long for
 * an origin. */
CHECKED struct err kt_keys_open(const struct front_env *env, uint64_t number, uint64_t window_ms,
                                struct kt_keys *ret_keys);
void kt_keys_clear(struct kt_keys *keys);

#endif
