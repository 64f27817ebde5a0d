/* Names that travel: domains, and the ids that carry one (docs/server.md; RFC 8446 3 wire forms).
 *
 *     UserId   = struct { opaque uuid[16]; opaque domain<V>; }
 *     ClientId = struct { UserId user; opaque client[16]; }
 *     GroupId  = struct { opaque uuid[16]; opaque domain<V>; }     is the MLS group_id
 *
 * Parsed names are views into their input.
 */
#ifndef SEAL_NAMES_H
#define SEAL_NAMES_H

#include "base/bytes.h"

enum {
    UUID_BYTES = 16,
    DOMAIN_MAX_BYTES = 253,
    NAME_MAX_BYTES = UUID_BYTES + 2 + DOMAIN_MAX_BYTES, /* of a UserId or GroupId */
    CLIENT_ID_MAX_BYTES = NAME_MAX_BYTES + UUID_BYTES,
};

/* A lower-case FQDN of at least two labels, no IP literal. development: `localhost`, `*.localhost`
 * and `*.test` too. ERR_DOMAIN. */
CHECKED struct err domain_check(struct bytes domain, bool development);

/* UserId or GroupId. */
struct domain_name {
    const uint8_t *uuid; /* UUID_BYTES */
    struct bytes domain;
};
/* Errors: wire errors; ERR_DOMAIN (development names are accepted: whether a domain is ours is a
 * comparison the caller makes). */
CHECKED struct err domain_name_parse(struct bytes in, struct domain_name *ret_name);
void domain_name_write(struct buf *b, const struct domain_name *name);

struct client_id {
    struct domain_name user;
    const uint8_t *client; /* UUID_BYTES */
};
CHECKED struct err client_id_parse(struct bytes in, struct client_id *ret_id);
void client_id_write(struct buf *b, const struct client_id *id);

#endif
