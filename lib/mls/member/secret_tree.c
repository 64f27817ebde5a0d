#include "mls/member/secret_tree.h"

#include <stdlib.h>

#include "crypto/labelled.h"
#include "mls/member/secret_tree_state.h"
#include "mls/public/tree_math.h"

void message_key_clear(struct message_key *key)
{
    bytes_wipe(key, sizeof *key);
}

static void sender_free(struct sender *s)
{
    if (s == NULL)
        return;
    for (int type = 0; type < RATCHET_TYPE_COUNT; type++)
        ratchet_clear(&s->ratchets[type]);
    free(s);
}

void secret_tree_free(struct secret_tree *tree)
{
    if (tree == NULL)
        return;
    for (size_t i = 0; i < tree->sender_count; i++)
        sender_free(tree->senders[i]);
    free(tree->senders);
    bytes_wipe(tree->nodes, tree->node_count * sizeof *tree->nodes);
    free(tree->nodes);
    free(tree);
}

static size_t grown(size_t cap, size_t need)
{
    return cap + cap / 2 > need ? cap + cap / 2 : need;
}

/* Not realloc: what moves away is secret. */
struct err secret_tree_reserve_nodes(struct secret_tree *tree, size_t need)
{
    if (need <= tree->node_cap)
        return ERR_OK;
    size_t cap = grown(tree->node_cap, need);
    struct node_secret *nodes = calloc(cap, sizeof *nodes);
    if (nodes == NULL)
        return ERR(NO_MEMORY);
    if (tree->node_count > 0)
        memcpy(nodes, tree->nodes, tree->node_count * sizeof *nodes);
    bytes_wipe(tree->nodes, tree->node_count * sizeof *nodes);
    free(tree->nodes);
    tree->nodes = nodes;
    tree->node_cap = cap;
    return ERR_OK;
}

struct err secret_tree_reserve_senders(struct secret_tree *tree, size_t need)
{
    if (need <= tree->sender_cap)
        return ERR_OK;
    size_t cap = grown(tree->sender_cap, need);
    struct sender **senders = realloc(tree->senders, cap * sizeof(struct sender *));
    if (senders == NULL)
        return ERR(NO_MEMORY);
    tree->senders = senders;
    tree->sender_cap = cap;
    return ERR_OK;
}

struct err secret_tree_new(const struct suite *suite, uint32_t leaf_count,
                           const struct secret *encryption_secret, struct secret_tree_limits limits,
                           struct secret_tree **ret_tree)
{
    if (leaf_count == 0 || leaf_count > 1u << TREE_MATH_MAX_LEVEL ||
        encryption_secret->len != suite_hash_bytes(suite))
        return ERR(ARGUMENT);
    struct secret_tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return ERR(NO_MEMORY);
    tree->suite = suite;
    tree->limits = limits;
    tree->width = tree_math_width_for(leaf_count);
    struct err err = secret_tree_reserve_nodes(tree, 1);
    if (!err_is_ok(err)) {
        secret_tree_free(tree);
        return err;
    }
    tree->nodes[0].node = tree_math_root(tree->width);
    memcpy(tree->nodes[0].secret, encryption_secret->data, encryption_secret->len);
    tree->node_count = 1;
    tree->nodes_changed = true;
    *ret_tree = tree;
    return ERR_OK;
}

/* Where the sender of a leaf stands or would stand. */
static size_t sender_place(const struct secret_tree *tree, uint32_t leaf)
{
    size_t low = 0, high = tree->sender_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tree->senders[middle]->leaf < leaf)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sender *sender_find(const struct secret_tree *tree, uint32_t leaf)
{
    size_t at = sender_place(tree, leaf);
    return at < tree->sender_count && tree->senders[at]->leaf == leaf ? tree->senders[at] : NULL;
}

/* The node above a leaf that has not sent yet; there is one. */
static size_t node_above(const struct secret_tree *tree, uint32_t leaf)
{
    size_t low = 0, high = tree->node_count;
    while (high - low > 1) { /* the last node that starts at or before the leaf */
        size_t middle = low + (high - low) / 2;
        if (tree_math_first_leaf(tree->nodes[middle].node) <= leaf)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A leaf's ratchets, and what the way down to it leaves beside it. Made apart from the tree, so
 * that a failure leaves the tree alone. */
struct descent {
    size_t from; /* index of the node that the way starts from */
    uint32_t sibling_count;
    struct node_secret siblings[TREE_MATH_MAX_LEVEL]; /* ascending */
    struct secret leaf;                               /* secret of the leaf's node */
};

static struct err expand(const struct suite *suite, const struct secret *from, const char *label,
                         const char *context, struct secret *ret_out)
{
    return labelled_expand(suite->hpke.kdf, secret_view(from), LABEL_MLS, bytes_str(label),
                           bytes_str(context), suite_hash_bytes(suite), ret_out);
}

/* RFC 9420 9: the children's secrets. Right siblings are met from the outside in, so they fill from
 * the end. */
static struct err descend(const struct secret_tree *tree, uint32_t leaf, struct descent *d)
{
    const struct suite *suite = tree->suite;
    size_t secret_bytes = suite_hash_bytes(suite);
    *d = (struct descent){.from = node_above(tree, leaf)};
    uint32_t node = tree->nodes[d->from].node;
    TRY(secret_set(bytes_of(tree->nodes[d->from].secret, secret_bytes), &d->leaf));
    d->sibling_count = tree_math_level(node);
    uint32_t first = 0, last = d->sibling_count;
    while (!tree_math_is_leaf(node)) {
        struct secret left = {0}, right = {0};
        struct err err = expand(suite, &d->leaf, "tree", "left", &left);
        if (err_is_ok(err))
            err = expand(suite, &d->leaf, "tree", "right", &right);
        bool go_left = 2 * leaf < node;
        struct node_secret *sibling = &d->siblings[go_left ? --last : first++];
        sibling->node = go_left ? tree_math_right(node) : tree_math_left(node);
        memcpy(sibling->secret, go_left ? right.data : left.data, secret_bytes);
        d->leaf = go_left ? left : right;
        node = go_left ? tree_math_left(node) : tree_math_right(node);
        secret_clear(&left);
        secret_clear(&right);
        TRY(err);
    }
    return ERR_OK;
}

/* RFC 9420 9.1: handshake_ratchet_secret_[N]_[0], application_ratchet_secret_[N]_[0] */
static struct err ratchet_begin(const struct suite *suite, const struct secret *leaf,
                                enum ratchet_type type, struct ratchet *r)
{
    static const char *const labels[RATCHET_TYPE_COUNT] = {
        [RATCHET_HANDSHAKE] = "handshake", [RATCHET_APPLICATION] = "application"};
    *r = (struct ratchet){0};
    return expand(suite, leaf, labels[type], "", &r->secret);
}

/* The ratchets of a leaf that has not sent yet; *ret_sender is the caller's until sender_insert. */
static struct err sender_make(const struct suite *suite, uint32_t leaf, const struct descent *d,
                              struct sender **ret_sender)
{
    struct sender *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    s->leaf = leaf;
    for (enum ratchet_type type = 0; type < RATCHET_TYPE_COUNT; type++) {
        struct err err = ratchet_begin(suite, &d->leaf, type, &s->ratchets[type]);
        if (!err_is_ok(err)) {
            sender_free(s);
            return err;
        }
    }
    *ret_sender = s;
    return ERR_OK;
}

/* Cannot fail: room was reserved. The siblings take the place of the node they came from. */
static void sender_insert(struct secret_tree *tree, const struct descent *d, struct sender *s)
{
    struct node_secret *at = tree->nodes + d->from;
    size_t behind = tree->node_count - d->from - 1;
    memmove(at + d->sibling_count, at + 1, behind * sizeof *at);
    memcpy(at, d->siblings, d->sibling_count * sizeof *at);
    tree->node_count = tree->node_count - 1 + d->sibling_count;
    if (d->sibling_count == 0) /* one fewer: wipe the place that fell free */
        bytes_wipe(tree->nodes + tree->node_count, sizeof *at);
    size_t place = sender_place(tree, s->leaf);
    memmove(tree->senders + place + 1, tree->senders + place,
            (tree->sender_count - place) * sizeof(struct sender *));
    tree->senders[place] = s;
    tree->sender_count++;
    s->changed = tree->nodes_changed = true;
}

struct err secret_tree_peek(const struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                            uint32_t generation, struct message_key *ret_key)
{
    if (leaf >= tree->width)
        return ERR(MLS_SECRET_TREE_LEAF);
    const struct sender *sender = sender_find(tree, leaf);
    if (sender != NULL)
        return ratchet_peek(&sender->ratchets[type], tree->suite, &tree->limits, generation,
                            ret_key);
    struct descent d;
    struct ratchet r = {0};
    struct err err = descend(tree, leaf, &d);
    if (err_is_ok(err))
        err = ratchet_begin(tree->suite, &d.leaf, type, &r);
    if (err_is_ok(err))
        err = ratchet_peek(&r, tree->suite, &tree->limits, generation, ret_key);
    ratchet_clear(&r);
    bytes_wipe(&d, sizeof d);
    return err;
}

/* What is done with a ratchet once it is there. */
struct use {
    enum ratchet_type type;
    bool open; /* nothing yet */
    bool send;
    uint32_t generation;     /* receiving: which one */
    struct message_key *ret; /* sending: where the key goes */
};

static struct err use_ratchet(const struct secret_tree *tree, struct sender *sender,
                              const struct use *use)
{
    struct ratchet *r = &sender->ratchets[use->type];
    if (use->open)
        return ERR_OK;
    sender->changed = true;
    if (use->send)
        return ratchet_next(r, tree->suite, use->ret);
    return ratchet_consume(r, tree->suite, &tree->limits, use->generation);
}

static struct err use_leaf(struct secret_tree *tree, uint32_t leaf, const struct use *use)
{
    if (leaf >= tree->width)
        return ERR(MLS_SECRET_TREE_LEAF);
    struct sender *sender = sender_find(tree, leaf);
    if (sender != NULL)
        return use_ratchet(tree, sender, use);
    struct descent d;
    struct err err;
    TRY_OR(descend(tree, leaf, &d), err, out);
    TRY_OR(secret_tree_reserve_nodes(tree, tree->node_count + d.sibling_count), err, out);
    TRY_OR(secret_tree_reserve_senders(tree, tree->sender_count + 1), err, out);
    TRY_OR(sender_make(tree->suite, leaf, &d, &sender), err, out);
    err = use_ratchet(tree, sender, use);
    if (err_is_ok(err))
        sender_insert(tree, &d, sender);
    else
        sender_free(sender);
out:
    bytes_wipe(&d, sizeof d);
    return err;
}

struct err secret_tree_consume(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                               uint32_t generation)
{
    return use_leaf(tree, leaf, &(struct use){.type = type, .generation = generation});
}

struct err secret_tree_next(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                            struct message_key *ret_key)
{
    return use_leaf(tree, leaf, &(struct use){.type = type, .send = true, .ret = ret_key});
}

struct err secret_tree_open_leaf(struct secret_tree *tree, uint32_t leaf)
{
    return use_leaf(tree, leaf, &(struct use){.open = true});
}

void secret_tree_end_handshake(struct secret_tree *tree)
{
    for (size_t i = 0; i < tree->sender_count; i++) {
        ratchet_end(&tree->senders[i]->ratchets[RATCHET_HANDSHAKE], tree->suite);
        tree->senders[i]->changed = true;
    }
}

size_t secret_tree_memory_bytes(const struct secret_tree *tree)
{
    size_t bytes = sizeof *tree + tree->node_cap * sizeof *tree->nodes +
                   tree->sender_cap * sizeof(struct sender *);
    for (size_t i = 0; i < tree->sender_count; i++) {
        bytes += sizeof(struct sender);
        for (int type = 0; type < RATCHET_TYPE_COUNT; type++)
            bytes += tree->senders[i]->ratchets[type].kept_count * sizeof(struct ratchet_kept);
    }
    return bytes;
}
