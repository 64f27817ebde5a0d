/* Where type-5 keys come from: a master secret that moves on by a hash each day, so that keys of
 * days to come can be published ahead and keys of days gone can't be had again.
 *
 *     master of day d + 1 = SHA-256("Hearth token master 1" || master of day d)
 *     seed                = HKDF-SHA-256(master of period, "tok" || class || period), 32 bytes
 *     key                 = DeriveKeyPair(seed, "Hearth token v1" || counter)     RFC 9497 3.2.1
 *
 * counter (uint16) is the first from 0 for which the last byte of the key's id has
 *
 *     byte mod 16 = (period mod 3) * 5 + class - 1
 *
 * A request names its key by that byte alone (RFC 9578 5.1), and keys of three consecutive periods
 * are in use at once: this makes the fifteen of them differ without anybody remembering counters.
 * About 16 attempts of 30 us.
 */
#ifndef PASS_KEY_SCHEDULE_H
#define PASS_KEY_SCHEDULE_H

#include "pass/issue.h"

enum {
    PASS_MASTER_BYTES = 32,
    PASS_MASTER_ADVANCE_MAX = 36525, /* days: a clock that jumps further is wrong */
};

/* Secret; wipe with pass_master_clear. Keep the one of yesterday: its tokens are still spent. */
struct pass_master {
    uint32_t period;
    uint8_t secret[PASS_MASTER_BYTES];
};

/* A first one. ERR_IO. */
CHECKED struct err pass_master_new(const struct rng *rng, uint32_t period,
                                   struct pass_master *ret_master);
/* Forward to a later period, or stays where it is; what was is wiped. ERR_ARGUMENT: backwards, or
 * by more than PASS_MASTER_ADVANCE_MAX days. */
CHECKED struct err pass_master_advance(struct pass_master *master, uint32_t period);
/* The key of a class and a period that is the master's or later. ERR_ARGUMENT as above, or as
 * pass_issuer_key_init. */
CHECKED struct err pass_master_key(const struct pass_master *master, struct bytes domain,
                                   uint8_t class, uint32_t period, struct pass_issuer_key *ret_key);
void pass_master_clear(struct pass_master *master);

/* byte mod 16 of above: which key a request can mean at all. */
uint8_t pass_key_slot(uint8_t class, uint32_t period);

#endif
