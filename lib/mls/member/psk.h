/* Mixing pre-shared keys into an epoch (RFC 9420 8.4). */
#ifndef MLS_MEMBER_PSK_H
#define MLS_MEMBER_PSK_H

#include "crypto/suite.h"

/* One PSK of a commit, in the order of its PreSharedKey proposals. Borrowed. */
struct psk_input {
    struct bytes id;  /* the encoded PreSharedKeyID, as it stands in the proposal */
    struct bytes psk; /* the key itself, any length */
};

enum { PSK_INPUTS_MAX = 65535 }; /* count is a uint16 */

/* psk_secret: Nh zeros when there is none. ERR_TOO_LARGE over PSK_INPUTS_MAX, ERR_NO_MEMORY. */
CHECKED struct err psk_secret_derive(const struct suite *suite, const struct psk_input *inputs,
                                     size_t count, struct secret *ret_secret);

#endif
