/* The info service's door (F6): what anyone on the network may ask about a homeserver.
 *
 * GetKeys answers from a copy that info_refresh() makes: the two credentials as they are, every
 * other key as a seal/server_key.h signed by the signing credential (MitM1); for KEY_USE_TOKENS
 * struct { opaque statement<V>; opaque directory<V>; }, where the statement is about the
 * directory's SHA-256 (SERVER_KEY_SHA256) and the directory a TokenKeyDirectory (pass/directory.h);
 * and last the signing credentials before it whose client credentials have not all ended. With
 * a log, all of them are in it before they are handed out (seal/system_keys.h); receipts and
 * checkpoint stay empty, since a client looks the labels up for their newest versions.
 */
#ifndef SERVER_INFO_H
#define SERVER_INFO_H

#include "crypto/blind_rsa.h"
#include "server/front/front.h"

struct info;

/* hearth.v1.RegistrationPolicy */
enum info_registration {
    INFO_REGISTRATION_UNSAID = 0,
    INFO_REGISTRATION_INVITE = 1,
    INFO_REGISTRATION_OPEN = 2,
    INFO_REGISTRATION_CLOSED = 3,
};

enum { INFO_PROTOCOL_VERSION = 1, INFO_KEY_DAYS = 30, INFO_PREVIOUS_MOST = 31 };

/* The value of a system label, which is 0x00 || name. */
struct info_value {
    const char *name;
    struct bytes value;
};

enum { INFO_VOUCHER_KEYS_MOST = 15 };
struct info_voucher_key {
    uint8_t class;
    uint32_t week;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
};

/* The zero value is good. Copied. */
struct info_options {
    enum info_registration registration;
    /* Appends the signed list of revoked credentials, from memory: runs on any loop. NULL: none. */
    struct err (*revocations)(void *self, struct buf *b);
    void *revocations_self;
    /* Appends signing credentials before the current one that still verify something, newest first,
     * each as opaque<V>; more than INFO_PREVIOUS_MOST are left out. Asked by info_open() and
     * info_refresh(), and may wait. NULL: none. */
    struct err (*previous)(void *self, struct buf *b);
    void *previous_self;
    /* Our keys for vouchers, ascending by class and week: for the directory. NULL: none. */
    size_t (*vouchers)(void *self, struct info_voucher_key ret_keys[INFO_VOUCHER_KEYS_MOST]);
    void *vouchers_self;
    /* Puts these values of system labels into the log and waits until they are in a signed epoch:
     * only then the keys are handed out. When it fails, the old ones stay; info_open(), which has
     * none, hands out the new ones all the same. NULL: no log. */
    struct err (*publish)(void *self, const struct info_value *values, size_t count);
    void *publish_self;
};

/* Asks the keeper for all keys. */
CHECKED struct err info_open(struct front_env *env, const struct info_options *options,
                             struct info **ret_info);
/* Adds hearth.v1.Info to the server. */
CHECKED struct err info_add(struct info *info, struct hearth_server *server);
/* After a rotation of any key, and once a day: the statements about keys are good for
 * INFO_KEY_DAYS. On failure the old answer stays. Blocks for the keeper; from any thread. */
CHECKED struct err info_refresh(struct info *info);
/* What GetServerInfo says from now on; from any thread. */
void info_set_registration(struct info *info, enum info_registration registration);
void info_close(struct info *info); /* after the server */

#endif
