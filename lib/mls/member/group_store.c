/* A group as bytes and back. Secrets inside: the caller seals them. */
#include <stdlib.h>

#include "mls/member/group_state.h"
#include "mls/public/validate_leaf.h"

/*     struct {
 *         uint16 format = 3;                     4: with the epochs' secret trees elsewhere
 *         uint8 public_handshake, past_leaf_keys;  uint32 padding_block, past_epochs,
 *             resumptions, forward_most, kept_most;
 *         uint8 active;  uint32 own_leaf;
 *         opaque public<V>;                      public_group_save
 *         EpochKeys keys;                        when active
 *         { uint64 epoch;  opaque psk<V>; } resumptions<V>;   newest first
 *         PastEpoch past<V>;                     newest first
 *         { opaque public_key<V>, private_key<V>; } updates<V>;
 *         optional<Pending> pending;
 *     } GroupState;
 *     struct { opaque secret<V>[8];  opaque secret_tree<V>;  opaque leaf<V>;
 *              { uint32 node;  opaque private_key<V>; } nodes<V>; } EpochKeys;
 *     struct { uint64 epoch;  opaque context<V>, sender_data<V>, leaf_key<V>, secret_tree<V>;
 *              uint32 width;
 *              PastLeaf leaves<V>; } PastEpoch;
 *     struct { uint8 kind;  opaque leaf<V> when PAST_LEAF_OWN; } PastLeaf;
 *     struct { uint64 now;  uint8 psk_usage;  opaque content<V>;  EpochKeys keys; } Pending; */
enum { STATE_FORMAT = 3, STATE_FORMAT_APART = 4 };
/* Most leaves of a past epoch are those of the next one, which is written before. */
enum { PAST_LEAF_BLANK = 0, PAST_LEAF_SAME = 1, PAST_LEAF_OWN = 2 };

static struct secret *secret_at(struct epoch_secrets *s, size_t i)
{
    struct secret *all[] = {&s->init,         &s->sender_data, &s->exporter,   &s->external,
                            &s->confirmation, &s->membership,  &s->resumption, &s->authenticator};
    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

static void write_tree(struct buf *b, const struct secret_tree *tree)
{
    size_t mark = wire_vector_begin(b);
    if (tree != NULL)
        secret_tree_write(b, tree);
    wire_vector_end(b, mark);
}

/* tree NULL: elsewhere */
static void write_keys(struct buf *b, const struct epoch_secrets *secrets,
                       const struct secret_tree *tree, const struct treekem_keys *keys)
{
    struct epoch_secrets copy = *secrets;
    const struct secret *s;
    for (size_t i = 0; (s = secret_at(&copy, i)) != NULL; i++)
        wire_write_vector(b, secret_view(s));
    epoch_secrets_clear(&copy);
    write_tree(b, tree);
    wire_write_vector(b, secret_view(&keys->leaf));
    size_t mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < keys->count; i++) {
        wire_write_u32(b, keys->at[i].node);
        wire_write_vector(b, secret_view(&keys->at[i].private_key));
    }
    wire_vector_end(b, mark);
}

/* The leaf of the epoch after past[i]. */
static const struct tree_node *newer_leaf(const struct mls_group *g, uint32_t i, uint32_t leaf)
{
    if (i > 0)
        return leaf < g->past[i - 1].width ? g->past[i - 1].leaves[leaf] : NULL;
    return leaf < g->public.tree.width ? tree_at(&g->public.tree, 2 * leaf) : NULL;
}

static void write_past(struct buf *b, const struct mls_group *g, uint32_t i, enum group_trees trees)
{
    const struct past_epoch *past = &g->past[i];
    wire_write_u64(b, past->epoch);
    wire_write_vector(b, buf_view(&past->context));
    wire_write_vector(b, secret_view(&past->sender_data));
    wire_write_vector(b, secret_view(&past->leaf_key));
    write_tree(b, trees == GROUP_TREES_INSIDE ? past->tree : NULL);
    wire_write_u32(b, past->width);
    size_t mark = wire_vector_begin(b);
    for (uint32_t k = 0; k < past->width; k++) {
        const struct tree_node *leaf = past->leaves[k];
        const struct tree_node *newer = newer_leaf(g, i, k);
        if (leaf == NULL) {
            wire_write_u8(b, PAST_LEAF_BLANK);
        } else if (newer != NULL && bytes_equal(tree_node_raw(newer), tree_node_raw(leaf))) {
            wire_write_u8(b, PAST_LEAF_SAME);
        } else {
            wire_write_u8(b, PAST_LEAF_OWN);
            wire_write_vector(b, tree_node_raw(leaf));
        }
    }
    wire_vector_end(b, mark);
}

static void write_pending(struct buf *b, const struct mls_staged *pending)
{
    wire_write_present(b, pending != NULL);
    if (pending == NULL)
        return;
    wire_write_u64(b, pending->public->policy.now);
    wire_write_u8(b, (uint8_t)pending->psk_usage);
    wire_write_vector(b, pending->content);
    write_keys(b, &pending->secrets, pending->tree, &pending->keys);
}

static void write_config(struct buf *b, const struct mls_group_config *c)
{
    wire_write_u8(b, c->public_handshake);
    wire_write_u8(b, c->past_leaf_keys);
    wire_write_u32(b, c->padding_block);
    wire_write_u32(b, c->past_epochs);
    wire_write_u32(b, c->resumptions);
    wire_write_u32(b, c->limits.forward_most);
    wire_write_u32(b, c->limits.kept_most);
}

struct err group_pack_write(const struct mls_group *g, enum group_trees trees, struct buf *b)
{
    bool inside = trees == GROUP_TREES_INSIDE;
    wire_write_u16(b, inside ? STATE_FORMAT : STATE_FORMAT_APART);
    write_config(b, &g->config);
    wire_write_u8(b, g->active);
    wire_write_u32(b, g->own_leaf);
    size_t mark = wire_vector_begin(b);
    public_group_save(b, &g->public);
    wire_vector_end(b, mark);
    if (g->active)
        write_keys(b, &g->secrets, inside ? g->tree : NULL, &g->keys);
    mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < g->resumption_count; i++) {
        wire_write_u64(b, g->resumptions[i].epoch);
        wire_write_vector(b, secret_view(&g->resumptions[i].psk));
    }
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < g->past_count; i++)
        write_past(b, g, i, trees);
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < g->update_count; i++) {
        wire_write_vector(b, public_key_view(&g->updates[i].public_key));
        wire_write_vector(b, secret_view(&g->updates[i].private_key));
    }
    wire_vector_end(b, mark);
    write_pending(b, g->pending);
    return buf_check(b);
}

struct err group_write(const struct mls_group *g, struct buf *b)
{
    return group_pack_write(g, GROUP_TREES_INSIDE, b);
}

/* ---- reading ---- */

static void read_secret(struct wire_reader *r, struct secret *ret_secret)
{
    if (!err_is_ok(secret_set(wire_read_vector(r), ret_secret)))
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

static struct err read_tree(struct wire_reader *r, const struct mls_group *g,
                            enum group_trees trees, struct secret_tree **ret_tree)
{
    struct bytes tree = wire_read_vector(r);
    TRY(wire_reader_check(r));
    if (trees == GROUP_TREES_APART)
        return tree.len == 0 ? ERR_OK : ERR(WIRE_VALUE);
    return secret_tree_read(g->public.suite, g->config.limits, tree, ret_tree);
}

static struct err read_keys(struct wire_reader *r, const struct mls_group *g,
                            enum group_trees trees, struct epoch_secrets *secrets,
                            struct secret_tree **tree, struct treekem_keys *keys)
{
    struct secret *s;
    size_t hash_bytes = suite_hash_bytes(g->public.suite);
    for (size_t i = 0; (s = secret_at(secrets, i)) != NULL; i++) {
        read_secret(r, s);
        if (s->len != hash_bytes)
            wire_reader_fail(r, ERR_WIRE_VALUE);
    }
    TRY(read_tree(r, g, trees, tree));
    read_secret(r, &keys->leaf);
    struct wire_reader nodes = wire_read_nested(r);
    while (wire_reader_more(&nodes)) {
        struct secret key = {0};
        uint32_t node = wire_read_u32(&nodes);
        read_secret(&nodes, &key);
        struct err err = wire_reader_check(&nodes);
        if (err_is_ok(err))
            err = treekem_keys_put(keys, node, &key);
        secret_clear(&key);
        TRY(err);
    }
    wire_reader_join(r, &nodes);
    return wire_reader_check(r);
}

static struct err read_resumptions(struct wire_reader *r, struct mls_group *g)
{
    struct wire_reader it = wire_read_nested(r);
    while (wire_reader_more(&it)) {
        if (g->resumption_count == g->config.resumptions)
            return ERR(WIRE_LIMIT);
        struct resumption *to = &g->resumptions[g->resumption_count++];
        to->epoch = wire_read_u64(&it);
        read_secret(&it, &to->psk);
    }
    wire_reader_join(r, &it);
    return wire_reader_check(r);
}

static struct err read_past_leaf(struct wire_reader *it, const struct mls_group *g, uint32_t i,
                                 uint32_t k, struct tree_node **ret_leaf)
{
    const struct tree_node *newer = newer_leaf(g, i, k);
    struct leaf_node checked;
    struct bytes raw = {0};
    switch (wire_read_u8(it)) {
    case PAST_LEAF_BLANK:
        return wire_reader_check(it);
    case PAST_LEAF_SAME:
        if (newer == NULL)
            return ERR(WIRE_VALUE);
        raw = tree_node_raw(newer);
        break;
    case PAST_LEAF_OWN:
        raw = wire_read_vector(it);
        TRY(wire_reader_check(it));
        TRY(leaf_node_parse(raw, &checked));
        break;
    default:
        return ERR(WIRE_VALUE);
    }
    *ret_leaf = tree_node_new(raw);
    return *ret_leaf != NULL ? ERR_OK : ERR(NO_MEMORY);
}

static struct err read_past(struct wire_reader *r, enum group_trees trees, struct mls_group *g)
{
    if (g->past_count == g->config.past_epochs)
        return ERR(WIRE_LIMIT);
    uint32_t i = g->past_count++;
    struct past_epoch *past = &g->past[i];
    past->epoch = wire_read_u64(r);
    buf_append_bytes(&past->context, wire_read_vector(r));
    TRY(buf_check(&past->context));
    read_secret(r, &past->sender_data);
    read_secret(r, &past->leaf_key);
    TRY(read_tree(r, g, trees, &past->tree));
    uint32_t width = wire_read_u32(r);
    struct wire_reader leaves = wire_read_nested(r);
    /* each leaf takes a byte at least, which bounds what is allocated */
    if (width == 0 || width > wire_reader_left(&leaves))
        return ERR(WIRE_VALUE);
    past->leaves = calloc(width, sizeof *past->leaves);
    if (past->leaves == NULL)
        return ERR(NO_MEMORY);
    past->width = width;
    for (uint32_t k = 0; k < width; k++)
        TRY(read_past_leaf(&leaves, g, i, k, &past->leaves[k]));
    wire_reader_join(r, &leaves);
    return wire_reader_check(r);
}

static struct err read_updates(struct wire_reader *r, struct mls_group *g)
{
    struct wire_reader it = wire_read_nested(r);
    if (wire_reader_more(&it) && (g->updates = calloc(OWN_UPDATES_MAX, sizeof *g->updates)) == NULL)
        return ERR(NO_MEMORY);
    while (wire_reader_more(&it)) {
        if (g->update_count == OWN_UPDATES_MAX)
            return ERR(WIRE_LIMIT);
        struct own_update *to = &g->updates[g->update_count++];
        struct bytes key = wire_read_vector(&it);
        if (key.len > PUBLIC_KEY_MAX_BYTES)
            return ERR(WIRE_VALUE);
        if (key.len > 0)
            memcpy(to->public_key.data, key.data, key.len);
        to->public_key.len = key.len;
        read_secret(&it, &to->private_key);
    }
    wire_reader_join(r, &it);
    return wire_reader_check(r);
}

/* The public part is worked out anew from the commit itself; the secrets come from storage. */
static struct err read_pending(struct wire_reader *r, const struct mls_client *client,
                               struct mls_group *g)
{
    if (!wire_read_present(r))
        return wire_reader_check(r);
    struct mls_staged *p = g->pending = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR(NO_MEMORY);
    struct mls_policy policy = client->policy;
    policy.now = wire_read_u64(r);
    p->psk_usage = wire_read_u8(r);
    struct bytes content = wire_read_vector(r);
    TRY(read_keys(r, g, GROUP_TREES_INSIDE, &p->secrets, &p->tree, &p->keys));
    enum { ARENA_FACTOR = 96, ARENA_FLOOR_BYTES = 64 * 1024 };
    arena_init(&p->arena, content.len * ARENA_FACTOR + ARENA_FLOOR_BYTES);
    const void *copy = arena_copy(&p->arena, content.data, content.len);
    if (copy == NULL)
        return ERR(NO_MEMORY);
    p->content = bytes_of(copy, content.len);
    p->epoch = group_epoch(g);
    struct authenticated_content parsed;
    struct staged_options options = {.psk_usage = p->psk_usage};
    TRY(authenticated_content_parse(p->content, &p->arena, &parsed));
    TRY(staged_commit_process_with(&g->public, &parsed, &policy, &options, &p->public));
    p->own_leaf = p->public->committer_leaf;
    if (g->active && g->config.past_epochs > 0)
        return past_epoch_of(g, &p->outgoing);
    return ERR_OK;
}

static struct mls_group_config read_config(struct wire_reader *r)
{
    struct mls_group_config c = {0};
    c.public_handshake = wire_read_u8(r) != 0;
    c.past_leaf_keys = wire_read_u8(r) != 0;
    c.padding_block = wire_read_u32(r);
    c.past_epochs = wire_read_u32(r);
    c.resumptions = wire_read_u32(r);
    c.limits.forward_most = wire_read_u32(r);
    c.limits.kept_most = wire_read_u32(r);
    return c;
}

static struct err read_group(struct wire_reader *r, const struct mls_client *client,
                             enum group_trees trees, struct mls_group *g)
{
    struct leaf_node leaf;
    bool active = wire_read_u8(r) != 0;
    g->own_leaf = wire_read_u32(r);
    struct bytes public = wire_read_vector(r);
    TRY(wire_reader_check(r));
    TRY(public_group_load(public, &g->public));
    if (active && !tree_leaf(&g->public.tree, g->own_leaf, &leaf))
        return ERR(WIRE_VALUE);
    if (active)
        TRY(read_keys(r, g, trees, &g->secrets, &g->tree, &g->keys));
    g->active = active;
    TRY(read_resumptions(r, g));
    struct wire_reader past = wire_read_nested(r);
    while (wire_reader_more(&past))
        TRY(read_past(&past, trees, g));
    wire_reader_join(r, &past);
    TRY(read_updates(r, g));
    TRY(read_pending(r, client, g));
    return wire_reader_end(r);
}

struct err group_pack_blame(struct err err)
{
    if (err.code == ERR_MLS_SECRET_TREE_BYTES)
        return ERR(MLS_GROUP_STATE);
    return validate_blame(err, ERR_MLS_GROUP_STATE);
}

struct err group_pack_read(const struct mls_client *client, enum group_trees trees, struct bytes in,
                           struct mls_group **ret_group)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u16(&r) != (trees == GROUP_TREES_INSIDE ? STATE_FORMAT : STATE_FORMAT_APART))
        return ERR(MLS_GROUP_STATE);
    struct mls_group_config config = read_config(&r);
    struct mls_group *g;
    TRY(group_pack_blame(wire_reader_check(&r)));
    struct err err = group_new(&config, &g);
    if (!err_is_ok(err))
        return group_pack_blame(err);
    err = read_group(&r, client, trees, g);
    if (!err_is_ok(err)) {
        group_free(g);
        return group_pack_blame(err);
    }
    *ret_group = g;
    return ERR_OK;
}

struct err group_read(const struct mls_client *client, struct bytes in,
                      struct mls_group **ret_group)
{
    return group_pack_read(client, GROUP_TREES_INSIDE, in, ret_group);
}
