/* Which token keys a client uses. An issuer that gives one user a key of his own knows his tokens
 * when they come back; so a key must have been public before its time, where everybody looks: in
 * the directory (directory.h) that the log held at a distinguished epoch, at least one monitoring
 * window before the key is good for anything. All clients watch that label as if it were their own,
 * and a special key would take a forked log.
 *
 * Refused is everything that is not exactly the key all others expect: another issuer, a time that
 * does not follow from the period, a form that is not the type's. (One key per type, class and
 * period is what a directory can express.)
 */
#ifndef PASS_KEY_RULES_H
#define PASS_KEY_RULES_H

#include "crypto/blind_rsa.h"
#include "pass/directory.h"

/* Where a directory was seen: what the verified log says of the epoch. Times in unix seconds. */
struct pass_sighting {
    bool distinguished;
    uint64_t epoch_s;  /* time of the epoch whose tree held the directory */
    uint64_t window_s; /* the log's monitoring window */
    uint64_t first_s;  /* time of the log's first epoch */
};

/* The interval in which keys of a type and period are spent: for a token its day and the next
 * (48 h), for a voucher its week and a day. False for other types, or past the end of time. */
bool pass_key_interval(uint16_t token_type, uint32_t period, uint64_t *ret_not_before,
                       uint64_t *ret_not_after);

/* Was it public a window before its time, or in the first two windows of a log? */
bool pass_key_seen_in_time(const struct pass_sighting *sighting, uint64_t not_before);

/* The directory's key of that class and period, if the client may use it: ERR_PASS_KEY when there
 * is none, ERR_PASS_KEY_UNKNOWN when it breaks a rule, ERR_CRYPTO_ELEMENT, ERR_ARGUMENT (class,
 * domain). In a log's first two windows it suffices that the key is in the log. */
CHECKED struct err pass_token_key_accept(const struct pass_directory *directory,
                                         const struct pass_sighting *sighting, struct bytes domain,
                                         uint8_t class, uint32_t period,
                                         struct pass_public_key *ret_key);
/* The same for a voucher key of that class and week; clear it. Also ERR_CRYPTO_KEY_LENGTH,
 * ERR_CRYPTO_KEY, ERR_NO_MEMORY. */
CHECKED struct err pass_voucher_key_accept(const struct pass_directory *directory,
                                           const struct pass_sighting *sighting,
                                           struct bytes domain, uint8_t class, uint32_t week,
                                           struct blind_rsa_public *ret_key);

#endif
