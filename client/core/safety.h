/* Safety numbers: do two people see the same keys of each other (F12)?
 *
 * Each side of a pair is one fingerprint:
 *
 *     struct { uint8 version = 1; opaque user_id<V>; ClientKey keys<V>; } Side
 *         ClientKey: struct { opaque client_id<V>; uint16 sig_scheme; opaque public_key<V>; },
 *         sorted by client_id, as they stand in the KeySet
 *     f(0) = SHA-512("Hearth 1 SafetyNumber" || 0x00 || Side)
 *     f(i) = SHA-512("Hearth 1 SafetyNumber" || 0x01 || f(i-1) || user_id), i = 1 to 5200
 *     fingerprint = the first 32 bytes of f(5200)
 *
 * The digits are 30 of each side, that of the lower UserId first: six groups, each of 5 bytes of
 * the fingerprint, big-endian, modulo 100,000. So both people read the same number, and if they
 * don't, which half differs says whose keys. 30 digits are 99 bits, of which an attacker, who must
 * make keys of one given person, has to hit all; the iterations make each try 5,200 times dearer.
 *
 *     QR code: struct { uint8 version = 1; opaque shower[32]; opaque other[32]; }
 */
#ifndef CLIENT_CORE_SAFETY_H
#define CLIENT_CORE_SAFETY_H

#include "client/core/core.h"

enum { SAFETY_FINGERPRINT_BYTES = 32, SAFETY_QR_BYTES = 1 + 2 * SAFETY_FINGERPRINT_BYTES };

/* What the keys of the pair are, as this side sees them. */
struct safety_sides {
    uint8_t own[SAFETY_FINGERPRINT_BYTES], other[SAFETY_FINGERPRINT_BYTES];
    bool own_first; /* our UserId is the lower one */
};
/* key_set: whole, of this user (ERR_KEY_SET else). Takes some milliseconds. */
CHECKED struct err safety_fingerprint(struct bytes user_id, struct bytes key_set,
                                      uint8_t ret_fingerprint[SAFETY_FINGERPRINT_BYTES]);
void safety_show(const struct safety_sides *sides, struct hearth_safety *ret_safety);

enum safety_says {
    SAFETY_SAME = 0,
    SAFETY_OWN_DIFFER = 1,   /* the other side sees other keys of ours */
    SAFETY_OTHER_DIFFER = 2, /* we see other keys of the other side than itself */
    SAFETY_BOTH_DIFFER = 3,  /* or it is the code of another pair */
};
/* ERR_WIRE_SHORT, ..._VALUE: no such QR code. */
CHECKED struct err safety_compare(const struct safety_sides *sides, struct bytes qr,
                                  enum safety_says *ret_says);

/* Of a contact, from the rows. ERR_NOT_FOUND: no keys of his yet. */
CHECKED struct err safety_of(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                             struct safety_sides *ret_sides);
/* A person says so (then `changed` has been seen to); told to our other devices. */
CHECKED struct err safety_set_compared(struct core *c, struct db_txn *t,
                                       const struct hearth_id *contact, bool compared);

#endif
