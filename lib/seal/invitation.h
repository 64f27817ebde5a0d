/* Invitations as text (ux.md): what an operator or a friend hands on.
 *
 *     a.test/K7QM-2V9T-...      domain / Crockford base32 of code[16] || AsCredential
 * fingerprint[0..15], in groups of four
 *
 * The fingerprint pins the root of the homeserver's authentication service before the first
 * connection (MitM1). Reading is lenient as Crockford's alphabet is: lower case, O for 0, I and L
 * for 1, dashes anywhere.
 */
#ifndef SEAL_INVITATION_H
#define SEAL_INVITATION_H

#include "seal/names.h"

enum {
    INVITATION_CODE_BYTES = 16,
    INVITATION_PIN_BYTES = 16,
    INVITATION_TEXT_MAX_BYTES = DOMAIN_MAX_BYTES + 1 + 64 + 1, /* with the NUL */
};

struct invitation {
    char domain[DOMAIN_MAX_BYTES + 1];
    uint8_t code[INVITATION_CODE_BYTES];
    uint8_t pin[INVITATION_PIN_BYTES]; /* begin of the AsCredential's fingerprint */
};

void invitation_write(const struct invitation *invitation,
                      char ret_text[INVITATION_TEXT_MAX_BYTES]);
/* ERR_ARGUMENT: not an invitation; ERR_DOMAIN. */
CHECKED struct err invitation_read(const char *text, struct invitation *ret_invitation);

#endif
