/* hearth_malicious: `hearth` for the tests of threats, whose words (malice.h, $HEARTH_MALICE of its
 * own process) make it a member who cheats, or a client without one of our defences: the control of
 * a test, in which the attack succeeds. Functions are wrapped by the linker; never installed. */
#include <stdio.h>

#include "client/core/group_data.h"
#include "client/core/log_gate.h"
#include "client/core/log_inside.h"
#include "client/core/receipt.h"
#include "crypto/labelled.h"
#include "malicious/malice.h"
#include "mls/member/group.h"
#include "seal/queue_ratchet.h"

/* Checked against the headers: a function that changes is no longer wrapped unnoticed. */
#define WRAPPED(name) __typeof__(name) __real_##name, __wrap_##name

/* ---- spoil-all, spoil-N: path secrets that nobody, or not the N-th who gets one, can open */

WRAPPED(labelled_encrypt);

struct err __wrap_labelled_encrypt(const struct hpke_suite *suite, const struct rng *rng,
                                   struct bytes public_key, struct bytes prefix, struct bytes label,
                                   struct bytes context, struct bytes plaintext,
                                   struct public_key *ret_enc, uint8_t *ret_ciphertext)
{
    static unsigned count; /* commits are made by one thread */
    char word[32];
    TRY(__real_labelled_encrypt(suite, rng, public_key, prefix, label, context, plaintext, ret_enc,
                                ret_ciphertext));
    if (!bytes_equal(label, bytes_str("UpdatePathNode")))
        return ERR_OK;
    (void)snprintf(word, sizeof word, "spoil-%u", ++count);
    if (malice_on("spoil-all") || malice_on(word))
        ret_ciphertext[0] ^= 1;
    return ERR_OK;
}

/* ---- stays-out: does not join again */

WRAPPED(group_join_external);

struct err __wrap_group_join_external(const struct mls_client *client,
                                      const struct mls_group_config *config,
                                      const struct external_join *join,
                                      const struct leaf_profile *profile, struct buf *ret_commit,
                                      struct mls_group **ret_group)
{
    return malice_on("stays-out")
               ? ERR(NO_MEMORY)
               : __real_group_join_external(client, config, join, profile, ret_commit, ret_group);
}

/* ---- no-log: looks at no log, as with a homeserver that never had one */

WRAPPED(log_search);
WRAPPED(log_contact);
WRAPPED(log_says_of);
WRAPPED(log_keys_gate);
WRAPPED(log_check_member);

struct err __wrap_log_search(struct core *c, struct db_txn *t, const char *domain,
                             struct bytes label, unsigned roles, uint64_t *ret_task)
{
    if (!malice_on("no-log"))
        return __real_log_search(c, t, domain, label, roles, ret_task);
    if (ret_task != NULL)
        *ret_task = 0;
    return ERR_OK;
}

struct err __wrap_log_contact(struct core *c, struct db_txn *t, struct bytes user_id, bool changed)
{
    return malice_on("no-log") ? ERR_OK : __real_log_contact(c, t, user_id, changed);
}

struct err __wrap_log_says_of(struct core *c, struct db_txn *t, const char *domain,
                              struct bytes key_set, unsigned roles, uint64_t max_age_ms,
                              enum log_says *ret_says)
{
    if (!malice_on("no-log"))
        return __real_log_says_of(c, t, domain, key_set, roles, max_age_ms, ret_says);
    *ret_says = LOG_SAYS_UNLOGGED;
    return ERR_OK;
}

struct err __wrap_log_keys_gate(struct db_txn *t, const char *domain)
{
    return malice_on("no-log") ? ERR_OK : __real_log_keys_gate(t, domain);
}

struct err __wrap_log_check_member(struct core *c, struct db_txn *t, struct bytes user_id,
                                   struct bytes uuid, struct bytes key, bool proves_himself)
{
    return malice_on("no-log") ? ERR_OK
                               : __real_log_check_member(c, t, user_id, uuid, key, proves_himself);
}

/* ---- no-chain: an item is as good as another */

WRAPPED(queue_ratchet_open);

struct err __wrap_queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                                     struct bytes queue_public_key, struct bytes sealed,
                                     struct buf *scratch, struct queue_item *ret_item)
{
    TRY(__real_queue_ratchet_open(r, queue_private_key, queue_public_key, sealed, scratch,
                                  ret_item));
    ret_item->astray = ret_item->astray && !malice_on("no-chain");
    return ERR_OK;
}

/* ---- no-receipts: keeps none */

WRAPPED(receipt_take);

struct err __wrap_receipt_take(struct core *c, struct db_txn *t, const struct receipt_ask *ask,
                               const struct hearth_status *status)
{
    return malice_on("no-receipts") ? ERR_OK : __real_receipt_take(c, t, ask, status);
}
