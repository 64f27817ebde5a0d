/* Connection offers as a client makes, keeps and judges them (protocol.md 5; the envelope is
 * seal/connection_offer.h), and what contact.pending holds while somebody is asked. Apart from
 * groups: lib/seal and lib/mls each have a struct credential.
 */
#ifndef CLIENT_CORE_OFFER_H
#define CLIENT_CORE_OFFER_H

#include "client/core/contact.h"
#include "seal/connection_package.h"

/* ---- ASKED: pending of whom we ask. An attempt that broke off may have left its offer, so the
 * latest few can all be answered.
 *
 *     struct { uint8 version = 1; opaque handle_hash<V>; opaque private<V>; opaque public<V>;
 *              Hashes offers<V>; opaque error<V>; }
 */
enum { ASKED_OFFERS_MAX = 8, OFFER_HASH_BYTES = 32 };
/* struct connection_offer_hashes, whose header files of groups can't include. Wipe it. */
struct offer_hashes {
    uint8_t psk_id[OFFER_HASH_BYTES], psk[OFFER_HASH_BYTES], hash[OFFER_HASH_BYTES];
};
struct asked {
    bool has_hash;
    uint8_t handle_hash[HANDLE_HASH_BYTES];
    struct secret answer_private;
    struct public_key answer_public;
    size_t count; /* oldest first */
    struct offer_hashes offers[ASKED_OFFERS_MAX];
};
void asked_clear(struct asked *asked);
void asked_write(struct buf *b, const struct asked *asked);
CHECKED struct err asked_read(struct bytes in, struct asked *ret_asked);

/* ---- ASKS: pending of who asks us.
 *
 *     struct { uint8 version = 1; opaque handle<V>; opaque package_hash[32]; opaque offer<V>; }
 */
struct asks {
    struct bytes handle;         /* of ours, that he asked */
    const uint8_t *package_hash; /* 32 */
    struct bytes offer;          /* Offer, opened */
};
void asks_write(struct buf *b, const struct asks *asks);
CHECKED struct err asks_read(struct bytes in, struct asks *ret_asks);

/* ---- making one */

/* "bob@b.test" into its parts, views into text. ERR_ARGUMENT, ERR_DOMAIN. */
CHECKED struct err handle_split(const char *text, struct bytes *ret_local,
                                struct bytes *ret_domain);

/* What Connect answered: the KeySet is of this handle and names the key that signed the package,
 * which is of this handle, too, and valid now (seconds). Errors: ERR_KEY_SET,
 * ERR_CRYPTO_SIGNATURE, ERR_CREDENTIAL_TIME, wire errors. */
CHECKED struct err offer_check_package(const uint8_t handle_hash[HANDLE_HASH_BYTES],
                                       struct bytes package, struct bytes key_set, uint64_t now,
                                       struct connection_package *ret_package);

/* Seals one for the contact: from the account, the contact's token, and the group that waits.
 * Adds its hashes to `asked` (the oldest go) and to what contact_psk finds. Appends. */
struct offer_group {
    struct bytes group_id;
    const uint8_t *state_key, *identity_key;
};
CHECKED struct err offer_make(struct core *c, struct db_txn *t, const struct contact *contact,
                              struct asked *asked, const struct offer_group *group,
                              const struct connection_package *package, struct buf *ret_sealed);

/* ---- judging one */

/* Facts of an offer that is what it says; views into it. */
struct offer_facts {
    struct bytes user_id;
    struct bytes key_sets;
    struct bytes group_id;
    const uint8_t *state_key, *identity_key, *answer_key;
    struct bytes handle, display_name, text;
    bool complete, reset; /* the chain of KeySets */
};
/* ERR_NOT_FOUND: keys of the sender's domain are not here (homeserver_want was called). Everything
 * else: it is not to be believed. ret_friendship: wipe it. */
CHECKED struct err offer_judge(struct core *c, struct db_txn *t, const struct asks *asks,
                               struct offer_facts *ret_facts, struct friendship *ret_friendship);
/* Without judging, of one that was: parsed again. */
CHECKED struct err offer_facts_of(struct bytes offer, struct offer_facts *ret_facts,
                                  struct offer_hashes *ret_hashes);

/* ---- saying no (seal/connection_answer.h) */

/* By who was asked: the body of RefuseConnection. Appends. */
CHECKED struct err offer_refusal_seal(struct core *c, struct bytes answer_key,
                                      const struct offer_hashes *hashes, struct buf *ret_sealed);
/* By who asked: is it a refusal of an offer that we left? ERR_CRYPTO_TAG: of none. */
CHECKED struct err offer_refusal_open(const struct asked *asked, struct bytes sealed,
                                      bool *ret_refused);

/* contact_psk's index. */
CHECKED struct err offer_psk_put(struct db_txn *t, const struct offer_hashes *hashes);
CHECKED struct err offer_psk_drop(struct db_txn *t, const struct offer_hashes *hashes);

#endif
