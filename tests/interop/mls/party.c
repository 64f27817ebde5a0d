#include "interop/mls/party.h"

#include <stdlib.h>

#include "base/clock.h"

enum { ROOM_AT_FIRST = 1024, PARTIES_MAX = 1 << 26, LIFETIME_SECONDS = 30 * 24 * 3600 };

/* By id. Ids are never used twice, so that a stale one is noticed; runners of whole test plans make
 * hundreds of thousands and give few back. */
static struct party **table;
static uint32_t room;
static uint32_t next_id = 1;

static struct err table_reserve(void)
{
    if (next_id < room)
        return ERR_OK;
    if (room >= PARTIES_MAX)
        return ERR(TOO_LARGE);
    uint32_t larger = room == 0 ? ROOM_AT_FIRST : 2 * room;
    struct party **grown = realloc(table, larger * sizeof *grown);
    if (grown == NULL)
        return ERR(NO_MEMORY);
    memset(grown + room, 0, (larger - room) * sizeof *grown);
    table = grown;
    room = larger;
    return ERR_OK;
}

static struct err find_psk(void *self, struct bytes psk_id, struct buf *psk)
{
    const struct party *p = self;
    for (size_t i = 0; i < p->psk_count; i++) {
        if (bytes_equal(buf_view(&p->psks[i].id), psk_id)) {
            buf_append_bytes(psk, buf_view(&p->psks[i].key));
            return ERR_OK;
        }
    }
    return ERR(MLS_PSK_UNKNOWN);
}

static const struct mls_client_ops ops = {.psk = find_psk};

struct err party_new(uint32_t suite_id, struct bytes identity, bool encrypt_handshake,
                     struct party **ret_party)
{
    const struct suite *suite = suite_id <= UINT16_MAX ? suite_find((uint16_t)suite_id) : NULL;
    if (suite == NULL)
        return ERR(MLS_SUITE_UNKNOWN);
    if (identity.len > PARTY_IDENTITY_MAX)
        return ERR(TOO_LARGE);
    TRY(table_reserve());
    struct party *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR(NO_MEMORY);
    struct err err = sig_key_generate(suite->sig, &rng_system, &p->key);
    if (!err_is_ok(err)) {
        free(p);
        return err;
    }
    p->id = next_id++;
    p->suite = suite;
    if (identity.len > 0)
        memcpy(p->identity, identity.data, identity.len);
    p->profile = (struct leaf_profile){
        .credential = {CREDENTIAL_BASIC, bytes_of(p->identity, identity.len)},
        .capabilities = capabilities_default(),
    };
    p->client = (struct mls_client){.rng = &rng_system, .signer = &p->key, .ops = &ops, .self = p};
    p->client.policy = mls_policy_at(clock_unix_ms(&clock_system) / 1000);
    /* some implementations make key packages that last for ever */
    p->client.policy.max_lifetime_seconds = 0;
    p->config = MLS_GROUP_CONFIG_DEFAULT;
    p->config.resumptions = MLS_RESUMPTIONS_MAX;
    party_encrypt(p, encrypt_handshake);
    table[p->id] = p;
    *ret_party = p;
    return ERR_OK;
}

struct party *party_find(uint32_t id)
{
    return id < next_id && table != NULL ? table[id] : NULL;
}

void party_free(uint32_t id)
{
    struct party *p = party_find(id);
    if (p == NULL)
        return;
    table[id] = NULL;
    group_free(p->group);
    key_package_bundle_clear(&p->bundle);
    sig_key_clear(&p->key);
    for (size_t i = 0; i < p->psk_count; i++) {
        buf_clear(&p->psks[i].id);
        buf_clear(&p->psks[i].key);
    }
    free(p->seen);
    free(p);
}

void party_free_all(void)
{
    for (uint32_t id = 1; id < next_id; id++)
        party_free(id);
    free(table);
    table = NULL;
    room = 0;
    next_id = 1;
}

void party_encrypt(struct party *p, bool encrypt_handshake)
{
    p->config.public_handshake = !encrypt_handshake;
}

struct err party_make_key_package(struct party *p)
{
    key_package_bundle_clear(&p->bundle);
    return key_package_make(&p->client, p->suite, &p->profile, LIFETIME_SECONDS, NULL, &p->bundle);
}

struct err party_key_package(const struct party *p, struct buf *b)
{
    wire_write_u16(b, MLS_VERSION_MLS10);
    wire_write_u16(b, WIRE_FORMAT_KEY_PACKAGE);
    wire_write_fixed(b, buf_view(&p->bundle.key_package));
    return buf_check(b);
}

struct err party_store_psk(struct party *p, struct bytes id, struct bytes key)
{
    if (p->psk_count == PARTY_PSKS_MAX)
        return ERR(TOO_LARGE);
    struct party_psk *psk = &p->psks[p->psk_count++];
    buf_append_bytes(&psk->id, id);
    buf_append_bytes(&psk->key, key);
    TRY(buf_check(&psk->id));
    return buf_check(&psk->key);
}

static struct err remember(struct party *p, const struct digest *message, const struct digest *ref)
{
    if (p->seen_count == p->seen_room) {
        size_t larger = p->seen_room == 0 ? 16 : 2 * p->seen_room;
        struct party_seen *grown = realloc(p->seen, larger * sizeof *grown);
        if (grown == NULL)
            return ERR(NO_MEMORY);
        p->seen = grown;
        p->seen_room = larger;
    }
    p->seen[p->seen_count++] = (struct party_seen){*message, *ref};
    return ERR_OK;
}

struct err party_learn(struct party *p, struct bytes message, struct digest *ret_ref)
{
    struct digest name;
    struct mls_received received;
    hash_once(&hash_sha256, message, &name);
    for (size_t i = 0; i < p->seen_count; i++) {
        if (bytes_equal(digest_view(&p->seen[i].message), digest_view(&name))) {
            *ret_ref = p->seen[i].ref;
            return ERR_OK;
        }
    }
    TRY(group_process(p->group, &p->client, message, &received));
    bool is_proposal = received.type == MLS_RECEIVED_PROPOSAL;
    *ret_ref = received.proposal_ref;
    mls_received_clear(&received);
    return is_proposal ? remember(p, &name, ret_ref) : ERR(ARGUMENT);
}

static struct err remember_own(struct party *p, const struct buf *message, const struct digest *ref)
{
    struct digest name;
    hash_once(&hash_sha256, buf_view(message), &name);
    return remember(p, &name, ref);
}

struct err party_propose(struct party *p, struct bytes proposal, struct buf *ret_message)
{
    struct digest ref;
    TRY(group_propose(p->group, &p->client, proposal, bytes_of(NULL, 0), ret_message, &ref));
    return remember_own(p, ret_message, &ref);
}

struct err party_propose_update(struct party *p, struct buf *ret_message)
{
    struct digest ref;
    TRY(group_propose_update(p->group, &p->client, NULL, NULL, bytes_of(NULL, 0), ret_message,
                             &ref));
    return remember_own(p, ret_message, &ref);
}

struct err party_handle_commit(struct party *p, struct bytes commit)
{
    struct mls_received received;
    TRY(group_process(p->group, &p->client, commit, &received));
    struct err err = received.type == MLS_RECEIVED_COMMIT ? group_merge(p->group, &received.staged)
                                                          : ERR(ARGUMENT);
    mls_received_clear(&received);
    if (err_is_ok(err))
        p->seen_count = 0;
    return err;
}

struct err party_merge_pending(struct party *p)
{
    TRY(group_merge_pending(p->group));
    p->seen_count = 0;
    return ERR_OK;
}

struct err party_leaf_of(const struct tree *tree, struct bytes identity, uint32_t *ret_leaf)
{
    struct leaf_node leaf;
    for (uint32_t i = 0; i < tree->width; i++) {
        if (tree_leaf(tree, i, &leaf) && leaf.credential.type == CREDENTIAL_BASIC &&
            bytes_equal(leaf.credential.body, identity)) {
            *ret_leaf = i;
            return ERR_OK;
        }
    }
    return ERR(NOT_FOUND);
}
