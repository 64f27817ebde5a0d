/* Opening a Welcome (RFC 9420 12.4.3.1) up to the GroupInfo inside: nothing in it is verified yet
 * but that who made it knew the PSKs. Internal to lib/mls/member. */
#ifndef MLS_MEMBER_WELCOME_OPEN_H
#define MLS_MEMBER_WELCOME_OPEN_H

#include "mls/member/group_state.h"

/* Views go into the arena, the bundle and the Welcome. Clear it, which wipes. */
struct welcome_opened {
    const struct mls_client *client;
    const struct key_package_bundle *bundle;
    const struct mls_group *predecessor; /* or NULL */
    const struct suite *suite;
    struct key_package key_package;
    struct welcome welcome;
    struct arena arena; /* plaintexts */
    struct group_secrets secrets;
    struct secret joiner;
    struct secret psk;
    struct group_info info;
    bool has_successor_psk; /* a resumption PSK of usage reinit or branch */
    struct psk_id successor_psk;
};

/* Errors: ERR_MLS_WELCOME_..., ERR_MLS_PSK_UNKNOWN, ERR_MLS_PSK_NONCE, ERR_MLS_PSK_TWICE,
 * ERR_WIRE_... */
CHECKED struct err welcome_open(const struct mls_client *client,
                                const struct key_package_bundle *bundle,
                                const struct mls_group *predecessor, struct bytes welcome,
                                struct welcome_opened *ret_opened);
void welcome_opened_clear(struct welcome_opened *opened);

#endif
