/* With whom this homeserver exchanges messages (requirements F2), as data. Knows no connection.
 *
 *     off     nobody
 *     allow   those of `peer` and `allow`
 *     open    everybody but those of `block`
 *
 * A blocked domain takes its subdomains along, and wins over the other lists.
 */
#ifndef SERVER_FEDERATION_POLICY_H
#define SERVER_FEDERATION_POLICY_H

#include "base/bytes.h"

enum federation_mode { FEDERATION_OFF, FEDERATION_OPEN, FEDERATION_ALLOW };

enum { POLICY_NAMES_MOST = 1024, POLICY_TARGET_MAX_BYTES = 280 };

/* As in hearthd.conf, borrowed. */
struct federation_settings {
    enum federation_mode mode;
    bool development;       /* *.test is a domain, and "pipe:" a target */
    bool private_addresses; /* peers that are found may be anywhere, inside of our network too */
    /* "DOMAIN=HOST:PORT" */
    const char *const *peers;
    size_t peer_count;
    /* each one or more domains, separated by spaces or commas */
    const char *const *allow;
    size_t allow_count;
    const char *const *block;
    size_t block_count;
};

struct policy;

/* ERR_ARGUMENT with what can't be read in ret_wrong (a view into the settings); ERR_NO_MEMORY. */
CHECKED struct err policy_new(const struct federation_settings *settings, struct bytes *ret_wrong,
                              struct policy **ret_policy);
void policy_free(struct policy *policy); /* NULL is fine */

enum federation_mode policy_mode(const struct policy *policy);
/* Is it a domain, and one that we speak with? */
bool policy_admits(const struct policy *policy, struct bytes domain);
/* An operator has named it. */
bool policy_names(const struct policy *policy, struct bytes domain);
/* Where it is, as configured; NULL: to be looked up. */
const char *policy_target(const struct policy *policy, struct bytes domain);
/* May one that no setting places be at an address that is not public? */
bool policy_private_addresses(const struct policy *policy);
/* Does any list name it, that of blocked ones too? */
bool policy_lists(const struct policy *policy, struct bytes domain);
/* Every domain that is named in the lists, once; rule: 2 blocked, else 0 a peer, else 1 allowed. */
void policy_each(const struct policy *policy, void (*say)(void *to, struct bytes domain, int rule),
                 void *to);

#endif
