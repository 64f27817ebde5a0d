#include "world/world.h"

#include <stdio.h>

#include "mls/member/group_state.h"
#include "support/test.h"

static struct err find_psk(void *self, struct bytes psk_id, struct buf *psk)
{
    (void)self;
    /* every PSK of this world is its name, twice */
    if (psk_id.len == 0 || psk_id.data[0] == '?')
        return ERR(MLS_PSK_UNKNOWN);
    buf_append_bytes(psk, psk_id);
    buf_append_bytes(psk, psk_id);
    return ERR_OK;
}

static struct err find_resumption(void *self, struct bytes group_id, uint64_t epoch,
                                  struct secret *ret_psk)
{
    const struct world_client *c = self;
    const struct mls_group *groups[] = {c->group, c->previous};
    for (size_t i = 0; i < 2; i++) {
        if (groups[i] != NULL && bytes_equal(group_public(groups[i])->context.group_id, group_id))
            return group_resumption_psk(groups[i], epoch, ret_psk);
    }
    return ERR(MLS_PSK_UNKNOWN);
}

static struct err accept_credential(void *self, const struct mls_credential *credential,
                                    struct bytes signature_key, const struct leaf_node *replaced)
{
    const struct world_client *c = self;
    (void)signature_key;
    if (c->world->refuse_credentials || credential->type != CREDENTIAL_BASIC)
        return ERR(MLS_CREDENTIAL_REFUSED);
    if (replaced != NULL && !credential_equal(credential, &replaced->credential))
        return ERR(MLS_CREDENTIAL_REFUSED);
    return ERR_OK;
}

static const struct mls_client_ops ops = {find_psk, find_resumption, accept_credential};

void world_init(struct world *w, const struct suite *suite, uint64_t seed, bool public_handshake)
{
    *w = (struct world){.suite = suite, .config = MLS_GROUP_CONFIG_DEFAULT};
    w->config.public_handshake = public_handshake;
    w->has_server = public_handshake;
    rng_seeded_init(&w->seed, seed);
    w->rng = rng_of_seeded(&w->seed);
    arena_init(&w->arena, (size_t)1 << 28);
}

void world_clear(struct world *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        group_free(w->clients[i].group);
        group_free(w->clients[i].previous);
        sig_key_clear(&w->clients[i].key);
        sig_key_clear(&w->clients[i].next_key);
        world_store_clear(&w->clients[i].store);
    }
    public_group_clear(&w->server);
    arena_clear(&w->arena);
}

void world_forget(struct world *w)
{
    arena_clear(&w->arena);
}

uint64_t world_random(struct world *w, uint64_t below)
{
    return rng_seeded_next(&w->seed) % below;
}

struct bytes world_take(struct world *w, struct buf *b)
{
    assert_ok(buf_check(b));
    void *copy = arena_copy(&w->arena, b->data, b->len);
    assert_non_null(copy);
    struct bytes view = bytes_of(copy, b->len);
    buf_clear(b);
    return view;
}

struct world_client *world_client_new(struct world *w)
{
    assert_true(w->count < WORLD_MEMBERS_MAX);
    struct world_client *c = &w->clients[w->count++];
    c->world = w;
    assert_ok(sig_key_generate(w->suite->sig, &w->rng, &c->key));
    (void)snprintf((char *)c->identity, sizeof c->identity, "c%06u", (unsigned)w->count);
    c->profile = (struct leaf_profile){
        .credential = {CREDENTIAL_BASIC, bytes_of(c->identity, sizeof c->identity)},
        .capabilities = capabilities_default(),
    };
    c->client = (struct mls_client){.rng = &w->rng,
                                    .signer = &c->key,
                                    .policy = mls_policy_at(WORLD_NOW),
                                    .ops = &ops,
                                    .self = c};
    return c;
}

struct bytes world_key_package(struct world *w, struct world_client *c,
                               struct key_package_bundle *ret_bundle)
{
    assert_ok(
        key_package_make(&c->client, w->suite, &c->profile, 30 * 24 * 3600, NULL, ret_bundle));
    return buf_view(&ret_bundle->key_package);
}

static void start_server(struct world *w, const struct mls_group *g)
{
    struct buf b = BUF_INIT;
    if (!w->has_server)
        return;
    public_group_clear(&w->server);
    public_group_save(&b, group_public(g));
    assert_ok(public_group_load(buf_view(&b), &w->server));
    buf_clear(&b);
}

void world_found(struct world *w, struct world_client *c, const struct extensions *extensions)
{
    char id[24];
    (void)snprintf(id, sizeof id, "group %llu", (unsigned long long)w->groups++);
    assert_ok(group_create(&c->client, w->suite, &w->config, bytes_str(id), extensions, &c->profile,
                           &c->group));
    start_server(w, c->group);
}

uint32_t world_members(const struct world *w, struct world_client **ret_list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct world_client *c = &w->clients[i];
        if (c->group != NULL && group_is_active(c->group))
            ret_list[count++] = c->world->clients + i;
    }
    return count;
}

static struct bytes encode(struct world *w, const struct proposal *p)
{
    struct buf b = BUF_INIT;
    proposal_write(&b, p);
    return world_take(w, &b);
}

struct bytes world_add(struct world *w, struct bytes key_package)
{
    struct buf b = BUF_INIT;
    wire_write_u16(&b, PROPOSAL_ADD);
    wire_write_fixed(&b, key_package);
    return world_take(w, &b);
}

struct bytes world_remove(struct world *w, uint32_t leaf)
{
    return encode(w, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = leaf});
}

static struct bytes encode_psk(struct world *w, struct psk_id id)
{
    struct secret nonce;
    assert_ok(secret_random(&w->rng, suite_hash_bytes(w->suite), &nonce));
    id.nonce = secret_view(&nonce);
    return encode(w, &(struct proposal){.type = PROPOSAL_PSK, .psk = id});
}

struct bytes world_psk(struct world *w, struct bytes id)
{
    return encode_psk(w, (struct psk_id){.type = PSK_EXTERNAL, .id = id});
}

struct bytes world_resumption(struct world *w, const struct mls_group *g, uint64_t epoch)
{
    return encode_psk(w, (struct psk_id){.type = PSK_RESUMPTION,
                                         .usage = PSK_USAGE_APPLICATION,
                                         .group_id = group_public(g)->context.group_id,
                                         .epoch = epoch});
}

struct bytes world_extensions(struct world *w, const struct extensions *extensions)
{
    return encode(w, &(struct proposal){.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                        .group_context_extensions = *extensions});
}

struct bytes world_reinit(struct world *w, const struct suite *suite)
{
    char id[24];
    (void)snprintf(id, sizeof id, "group %llu", (unsigned long long)w->groups++);
    return encode(w, &(struct proposal){.type = PROPOSAL_REINIT,
                                        .reinit = {.group_id = bytes_str(id),
                                                   .version = MLS_VERSION_MLS10,
                                                   .cipher_suite = suite->id}});
}

static struct staged_commit *serve(struct world *w, struct bytes message)
{
    struct staged_commit *staged = NULL;
    struct mls_policy policy = mls_policy_at(WORLD_NOW);
    if (w->has_server)
        assert_ok(public_group_process(&w->server, message, &policy, &staged));
    return staged;
}

void world_deliver_proposal(struct world *w, const struct world_client *from, struct bytes message)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(w, members);
    assert_null(serve(w, message));
    for (uint32_t i = 0; i < count; i++) {
        struct mls_received received;
        if (members[i] == from)
            continue;
        assert_ok(group_process(members[i]->group, &members[i]->client, message, &received));
        assert_int_equal(received.type, MLS_RECEIVED_PROPOSAL);
        mls_received_clear(&received);
    }
}

/* A signature key announced by an Update or a commit is the client's when its leaf has it. */
static void adopt_key(struct world_client *c)
{
    struct leaf_node leaf;
    if (c->next_key.alg == NULL ||
        !public_group_leaf(group_public(c->group), group_own_leaf(c->group), &leaf))
        return;
    if (bytes_equal(leaf.signature_key, public_key_view(&c->next_key.public_key))) {
        sig_key_clear(&c->key);
        c->key = c->next_key;
    } else {
        sig_key_clear(&c->next_key);
    }
    c->next_key = (struct sig_key){0};
}

void world_deliver_commit(struct world *w, struct world_client *from, struct bytes message)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(w, members);
    struct staged_commit *staged = serve(w, message);
    if (w->has_server) {
        assert_non_null(staged);
        public_group_merge(&w->server, &staged);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mls_received received;
        struct world_client *c = members[i];
        if (c == from)
            continue;
        assert_ok(group_process(c->group, &c->client, message, &received));
        assert_int_equal(received.type, MLS_RECEIVED_COMMIT);
        assert_ok(group_merge(c->group, &received.staged));
        mls_received_clear(&received);
        adopt_key(c);
        if (!group_is_active(c->group)) {
            group_free(c->group);
            c->group = NULL;
        }
    }
    assert_ok(group_merge_pending(from->group));
    adopt_key(from);
}

void world_join(struct world *w, struct world_client *c, const struct key_package_bundle *bundle,
                struct bytes welcome, struct bytes tree)
{
    assert_null(c->group);
    assert_ok(group_join(&c->client, &w->config, bundle, welcome, tree, NULL, &c->group));
}

void world_commit(struct world *w, struct world_client *from, const struct commit_options *options,
                  struct commit_output *ret_output)
{
    assert_ok(group_commit(from->group, &from->client, options, ret_output));
    world_deliver_commit(w, from, buf_view(&ret_output->commit));
}

void world_grow(struct world *w, uint32_t n)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    struct key_package_bundle bundles[WORLD_MEMBERS_MAX] = {0};
    struct bytes adds[WORLD_MEMBERS_MAX];
    struct commit_output out;
    world_found(w, world_client_new(w), NULL);
    for (uint32_t i = 1; i < n; i++)
        adds[i - 1] = world_add(w, world_key_package(w, world_client_new(w), &bundles[i]));
    if (n > 1) {
        struct commit_options options = {.proposals = adds, .proposal_count = n - 1};
        world_commit(w, &w->clients[0], &options, &out);
        for (uint32_t i = 1; i < n; i++) {
            world_join(w, &w->clients[i], &bundles[i], buf_view(&out.welcome), bytes_of(NULL, 0));
            key_package_bundle_clear(&bundles[i]);
        }
        commit_output_clear(&out);
    }
    world_check(w);
    uint32_t count = world_members(w, members);
    assert_int_equal(count, n);
    for (uint32_t i = 0; i < n; i++) {
        world_commit(w, members[i], &(struct commit_options){0}, &out);
        commit_output_clear(&out);
        world_check(w);
    }
}

/* A member holds the private key of its leaf and of each node above it that is not blank and does
 * not have it as unmerged: no less (RFC 9420 7.5), and no more (deletion). */
static void check_keys(const struct mls_group *g)
{
    const struct public_group *public = group_public(g);
    uint32_t held = 0;
    for (uint32_t node = 2 * group_own_leaf(g);; node = tree_math_parent(node)) {
        const struct tree_node *in_tree = tree_at(&public->tree, node);
        const struct secret *key = treekem_keys_find(&g->keys, group_own_leaf(g), node);
        struct public_key public_key;
        bool expected = in_tree != NULL;
        if (expected && !tree_math_is_leaf(node)) {
            struct parent_node parent = tree_node_parent(in_tree);
            expected = !u32_list_has_sorted(&parent.unmerged_leaves, group_own_leaf(g));
        }
        assert_int_equal(key != NULL, expected);
        if (expected) {
            assert_ok(kem_public_of(public->suite->hpke.kem, secret_view(key), &public_key));
            test_assert_bytes(public_key_view(&public_key), tree_node_encryption_key(in_tree));
            held += !tree_math_is_leaf(node);
        }
        if (node == tree_math_root(public->tree.width))
            break;
    }
    assert_int_equal(g->keys.count, held);
}

void world_check(struct world *w)
{
    enum { EXPORT_BYTES = 40 };
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(w, members);
    uint8_t first[EXPORT_BYTES];
    uint8_t other[EXPORT_BYTES];
    assert_true(count > 0);
    const struct mls_group *a = members[0]->group;
    assert_int_equal(count, public_group_member_count(group_public(a)));
    assert_ok(group_export(a, bytes_str("label"), bytes_str("context"), EXPORT_BYTES, first));
    check_keys(a);
    for (uint32_t i = 1; i < count; i++) {
        const struct mls_group *b = members[i]->group;
        check_keys(b);
        test_assert_bytes(public_group_context(group_public(b)),
                          public_group_context(group_public(a)));
        test_assert_bytes(group_epoch_authenticator(b), group_epoch_authenticator(a));
        assert_ok(group_export(b, bytes_str("label"), bytes_str("context"), EXPORT_BYTES, other));
        assert_memory_equal(first, other, EXPORT_BYTES);
    }
    if (w->has_server)
        test_assert_bytes(public_group_context(&w->server), public_group_context(group_public(a)));
}

void world_chat(struct world *w, struct world_client *c)
{
    struct world_client *members[WORLD_MEMBERS_MAX];
    uint32_t count = world_members(w, members);
    struct buf message = BUF_INIT;
    assert_ok(group_protect(c->group, &c->client, bytes_str("hello"), bytes_str("aad"), &message));
    for (uint32_t i = 0; i < count; i++) {
        struct mls_received received;
        if (members[i] == c)
            continue;
        assert_ok(
            group_process(members[i]->group, &members[i]->client, buf_view(&message), &received));
        assert_int_equal(received.type, MLS_RECEIVED_APPLICATION);
        assert_int_equal(received.sender.index, group_own_leaf(c->group));
        test_assert_bytes(received.application_data, bytes_str("hello"));
        test_assert_bytes(received.authenticated_data, bytes_str("aad"));
        mls_received_clear(&received);
    }
    buf_clear(&message);
}

void world_reload(struct world *w, struct world_client *c)
{
    struct buf first = BUF_INIT;
    struct buf second = BUF_INIT;
    struct mls_group *again;
    (void)w;
    assert_ok(group_write(c->group, &first));
    assert_ok(group_read(&c->client, buf_view(&first), &again));
    assert_ok(group_write(again, &second));
    test_assert_bytes(buf_view(&second), buf_view(&first));
    buf_clear(&first);
    buf_clear(&second);
    group_free(c->group);
    c->group = again;
}
