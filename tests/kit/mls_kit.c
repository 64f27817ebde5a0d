#include "kit/mls_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/labelled.h"
#include "kit/kit_sign.h"

void kit_must(struct err err, const char *what)
{
    if (err_is_ok(err))
        return;
    (void)fprintf(stderr, "kit: %s: %s\n", what, err_name(err));
    abort();
}

void kit_init(struct kit *k, const struct suite *suite, uint64_t seed)
{
    *k = (struct kit){
        .suite = suite, .policy = mls_policy_at(KIT_NOW), .credential_type = CREDENTIAL_BASIC};
    arena_init(&k->arena, (size_t)1 << 30);
    k->clients = calloc(KIT_MAX_CLIENTS, sizeof *k->clients);
    kit_must(k->clients == NULL ? ERR(NO_MEMORY) : ERR_OK, "clients");
    rng_seeded_init(&k->seed, seed);
    k->rng = rng_of_seeded(&k->seed);
    k->capabilities_credentials = kit_list(k, 1, (const uint16_t[]){CREDENTIAL_BASIC});
}

void kit_clear(struct kit *k)
{
    public_group_clear(&k->group);
    for (uint32_t i = 0; i < k->client_count; i++)
        sig_key_clear(&k->clients[i].key);
    free(k->clients);
    free(k->client_of_leaf);
    arena_clear(&k->arena);
}

struct bytes kit_take(struct kit *k, struct buf *b)
{
    KIT_MUST(buf_check(b));
    void *copy = arena_copy(&k->arena, b->data, b->len);
    kit_must(copy == NULL ? ERR(NO_MEMORY) : ERR_OK, "arena");
    struct bytes out = bytes_of(copy, b->len);
    buf_clear(b);
    return out;
}

struct bytes kit_random(struct kit *k, size_t len)
{
    struct buf b = BUF_INIT;
    uint8_t *room = buf_extend(&b, len);
    if (room != NULL)
        KIT_MUST(rng_fill(&k->rng, room, len));
    return kit_take(k, &b);
}

struct bytes kit_kem_key(struct kit *k)
{
    struct secret private_key;
    struct public_key public_key;
    KIT_MUST(kem_generate(k->suite->hpke.kem, &k->rng, &private_key, &public_key));
    secret_clear(&private_key);
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, public_key_view(&public_key));
    return kit_take(k, &b);
}

struct u16_list kit_list(struct kit *k, size_t count, const uint16_t *values)
{
    return u16_list_of(&k->arena, values, count);
}

struct extensions kit_extension(struct kit *k, uint16_t type, struct bytes data)
{
    struct buf b = BUF_INIT;
    extension_write(&b, type, data);
    return (struct extensions){kit_take(k, &b)};
}

uint32_t kit_client_new(struct kit *k)
{
    kit_must(k->client_count == KIT_MAX_CLIENTS ? ERR(TOO_LARGE) : ERR_OK, "clients");
    struct kit_client *client = &k->clients[k->client_count];
    char name[32];
    int len = snprintf(name, sizeof name, "client %u", k->client_count);
    client->identity = bytes_of(arena_copy(&k->arena, name, (size_t)len), (size_t)len);
    KIT_MUST(sig_key_generate(k->suite->sig, &k->rng, &client->key));
    return k->client_count++;
}

struct kit_client *kit_at(struct kit *k, uint32_t leaf_index)
{
    return &k->clients[k->client_of_leaf[leaf_index]];
}

struct bytes kit_leaf(struct kit *k, uint32_t client, enum leaf_source source,
                      struct bytes encryption_key, struct bytes parent_hash, uint32_t leaf_index)
{
    struct kit_client *c = &k->clients[client];
    struct leaf_node leaf = {
        .encryption_key = encryption_key,
        .signature_key = public_key_view(&c->key.public_key),
        .credential = {k->credential_type, c->identity},
        .capabilities =
            {
                .versions = kit_list(k, 1, (const uint16_t[]){MLS_VERSION_MLS10}),
                .cipher_suites = kit_list(k, 1, &k->suite->id),
                .extensions = k->capabilities_extensions,
                .proposals = k->capabilities_proposals,
                .credentials = k->capabilities_credentials,
            },
        .source = source,
        .not_before = KIT_NOW - 3600,
        .not_after = KIT_NOW + 86400 * 90,
        .parent_hash = parent_hash,
        .extensions = k->leaf_extensions,
    };
    if (k->hooks.leaf != NULL)
        k->hooks.leaf(k, &leaf);
    struct buf tbs = BUF_INIT;
    leaf_node_write_tbs(&tbs, &leaf, k->group.context.group_id, leaf_index);
    leaf.signature = kit_sign(k, &c->key, "LeafNodeTBS", kit_take(k, &tbs));
    struct buf b = BUF_INIT;
    leaf_node_write(&b, &leaf);
    return kit_take(k, &b);
}

struct bytes kit_key_package(struct kit *k, uint32_t client)
{
    struct key_package kp = {
        .version = MLS_VERSION_MLS10,
        .cipher_suite = k->suite->id,
        .init_key = kit_kem_key(k),
    };
    struct bytes leaf =
        kit_leaf(k, client, LEAF_SOURCE_KEY_PACKAGE, kit_kem_key(k), bytes_of(NULL, 0), 0);
    KIT_MUST(leaf_node_parse(leaf, &kp.leaf_node));
    if (k->hooks.key_package != NULL)
        k->hooks.key_package(k, &kp);
    struct buf tbs = BUF_INIT;
    key_package_write_tbs(&tbs, &kp);
    kp.signature = kit_sign(k, &k->clients[client].key, "KeyPackageTBS", kit_take(k, &tbs));
    struct buf b = BUF_INIT;
    key_package_write(&b, &kp);
    return kit_take(k, &b);
}

static struct bytes with_type(struct kit *k, uint16_t type, struct bytes body)
{
    struct buf b = BUF_INIT;
    wire_write_u16(&b, type);
    wire_write_fixed(&b, body);
    return kit_take(k, &b);
}

struct bytes kit_add(struct kit *k, uint32_t client)
{
    return with_type(k, PROPOSAL_ADD, kit_key_package(k, client));
}

struct bytes kit_update(struct kit *k, uint32_t leaf_index)
{
    return with_type(k, PROPOSAL_UPDATE,
                     kit_leaf(k, k->client_of_leaf[leaf_index], LEAF_SOURCE_UPDATE, kit_kem_key(k),
                              bytes_of(NULL, 0), leaf_index));
}

struct bytes kit_proposal(struct kit *k, const struct proposal *p)
{
    struct buf b = BUF_INIT;
    proposal_write(&b, p);
    return kit_take(k, &b);
}

struct bytes kit_remove(struct kit *k, uint32_t leaf_index)
{
    return kit_proposal(k, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = leaf_index});
}

struct bytes kit_psk(struct kit *k, const struct psk_id *psk)
{
    return kit_proposal(k, &(struct proposal){.type = PROPOSAL_PSK, .psk = *psk});
}

struct proposal_or_ref kit_by_value(struct kit *k, struct bytes proposal)
{
    struct proposal_or_ref p = {.type = PROPOSAL_BY_VALUE};
    KIT_MUST(proposal_parse(proposal, &k->arena, &p.proposal));
    return p;
}

struct proposal_or_ref kit_by_ref(struct kit *k, struct bytes proposal_message)
{
    struct mls_message m;
    KIT_MUST(mls_message_parse(proposal_message, &k->arena, &m));
    struct digest ref;
    KIT_MUST(proposal_ref(k->suite->hash, &m.public_message.content, &ref));
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, digest_view(&ref));
    return (struct proposal_or_ref){.type = PROPOSAL_BY_REFERENCE, .reference = kit_take(k, &b)};
}

struct staged_commit *kit_stage(struct kit *k, struct bytes commit)
{
    struct staged_commit *staged = NULL;
    KIT_MUST(public_group_process(&k->group, commit, &k->policy, &staged));
    return staged;
}

void kit_apply(struct kit *k, struct bytes commit, const uint32_t *clients, size_t count)
{
    struct staged_commit *staged = kit_stage(k, commit);
    uint32_t width = staged->diff.width;
    if (width > k->leaf_room) {
        k->client_of_leaf = realloc(k->client_of_leaf, width * sizeof *k->client_of_leaf);
        kit_must(k->client_of_leaf == NULL ? ERR(NO_MEMORY) : ERR_OK, "leaves");
        k->leaf_room = width;
    }
    kit_must(staged->added.count == count ? ERR_OK : ERR(ARGUMENT), "as many clients as Adds");
    for (uint32_t i = 0; i < staged->added.count; i++)
        k->client_of_leaf[staged->added.at[i] / 2] = clients[i];
    public_group_merge(&k->group, &staged);
}

static void grow(struct kit *k, uint32_t members)
{
    struct proposal_or_ref *list = calloc(members, sizeof *list);
    uint32_t *clients = calloc(members, sizeof *clients);
    kit_must(list == NULL || clients == NULL ? ERR(NO_MEMORY) : ERR_OK, "list");
    for (uint32_t i = 0; i + 1 < members; i++) {
        clients[i] = kit_client_new(k);
        list[i] = kit_by_value(k, kit_add(k, clients[i]));
    }
    kit_apply(k, kit_commit(k, 0, list, members - 1, true), clients, members - 1);
    free(list);
    free(clients);
}

void kit_group(struct kit *k, uint32_t members, bool all_committed,
               const struct extensions *extensions)
{
    uint32_t founder = kit_client_new(k);
    struct bytes leaf =
        kit_leaf(k, founder, LEAF_SOURCE_KEY_PACKAGE, kit_kem_key(k), bytes_of(NULL, 0), 0);
    KIT_MUST(public_group_create(k->suite, k->group_id.len > 0 ? k->group_id : kit_random(k, 16),
                                 extensions, leaf, &k->policy, &k->group));
    public_group_set_confirmation_tag(&k->group, kit_random(k, k->suite->hash->bytes));
    k->client_of_leaf = malloc(sizeof *k->client_of_leaf);
    kit_must(k->client_of_leaf == NULL ? ERR(NO_MEMORY) : ERR_OK, "leaves");
    k->client_of_leaf[0] = founder;
    k->leaf_room = 1;
    if (members > 1)
        grow(k, members);
    for (uint32_t i = 0; all_committed && i < members; i++)
        kit_apply(k, kit_commit(k, i, NULL, 0, true), NULL, 0);
}
