/* The secret tree as bytes and back, to be stored under seal. */
#include <stdlib.h>

#include "mls/member/secret_tree_state.h"
#include "mls/public/tree_math.h"

enum { FORMAT_VERSION = 1 };

static void nodes_write(struct buf *b, const struct secret_tree *tree)
{
    wire_write_u8(b, FORMAT_VERSION);
    wire_write_u16(b, tree->suite->id);
    wire_write_u32(b, tree->width);
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < tree->node_count; i++) {
        wire_write_u32(b, tree->nodes[i].node);
        wire_write_fixed(b, bytes_of(tree->nodes[i].secret, suite_hash_bytes(tree->suite)));
    }
    wire_vector_end(b, mark);
}

static void ratchets_write(struct buf *b, const struct secret_tree *tree, const struct sender *s)
{
    for (int type = 0; type < RATCHET_TYPE_COUNT; type++)
        ratchet_write(b, &s->ratchets[type], tree->suite);
}

/* struct { uint8 version; uint16 suite; uint32 width; struct { uint32 node; opaque secret[Nh]; }
 * nodes<V>; struct { uint32 leaf; Ratchet handshake, application; } senders<V>; } */
void secret_tree_write(struct buf *b, const struct secret_tree *tree)
{
    nodes_write(b, tree);
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < tree->sender_count; i++) {
        wire_write_u32(b, tree->senders[i]->leaf);
        ratchets_write(b, tree, tree->senders[i]);
    }
    wire_vector_end(b, mark);
}

static struct err nodes_read(struct wire_reader *in, struct secret_tree *tree)
{
    struct wire_reader list = wire_read_nested(in);
    size_t secret_bytes = suite_hash_bytes(tree->suite);
    TRY(secret_tree_reserve_nodes(tree,
                                  wire_reader_left(&list) / (sizeof(uint32_t) + secret_bytes)));
    while (wire_reader_more(&list)) {
        uint32_t node = wire_read_u32(&list);
        struct bytes secret = wire_read_fixed(&list, secret_bytes);
        if (list.failure != ERR_NONE || tree->node_count == tree->node_cap) {
            wire_reader_fail(&list, ERR_WIRE_SHORT);
            break;
        }
        struct node_secret *to = &tree->nodes[tree->node_count++];
        to->node = node;
        memcpy(to->secret, secret.data, secret.len);
    }
    wire_reader_join(in, &list);
    return ERR_OK;
}

/* A sender at the end of the list, without ratchets yet. */
static struct err sender_append(struct secret_tree *tree, uint32_t leaf, struct sender **ret_sender)
{
    TRY(secret_tree_reserve_senders(tree, tree->sender_count + 1));
    struct sender *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    tree->senders[tree->sender_count++] = s;
    s->leaf = leaf;
    *ret_sender = s;
    return ERR_OK;
}

static struct err ratchets_read(struct wire_reader *in, const struct secret_tree *tree,
                                struct sender *s)
{
    for (int type = 0; type < RATCHET_TYPE_COUNT; type++)
        TRY(ratchet_read(in, tree->suite, &s->ratchets[type]));
    return ERR_OK;
}

static struct err senders_read(struct wire_reader *in, struct secret_tree *tree)
{
    struct wire_reader list = wire_read_nested(in);
    while (wire_reader_more(&list)) {
        struct sender *s;
        TRY(sender_append(tree, wire_read_u32(&list), &s));
        TRY(ratchets_read(&list, tree, s));
        s->changed = true;
    }
    wire_reader_join(in, &list);
    return ERR_OK;
}

/* Nodes and senders, merged by place, must cover each leaf once. That also shows both lists to be
 * in order. */
static bool covers_each_leaf_once(const struct secret_tree *tree)
{
    size_t node = 0, sender = 0;
    uint64_t leaf = 0;
    while (leaf < tree->width) {
        if (sender < tree->sender_count && tree->senders[sender]->leaf == leaf) {
            sender++;
            leaf++;
            continue;
        }
        if (node == tree->node_count ||
            tree->nodes[node].node >= tree_math_node_count(tree->width) ||
            tree_math_first_leaf(tree->nodes[node].node) != leaf)
            return false;
        leaf += tree_math_leaf_count(tree->nodes[node].node);
        node++;
    }
    return leaf == tree->width && node == tree->node_count && sender == tree->sender_count;
}

static struct err top_read(struct wire_reader *in, struct secret_tree *tree)
{
    uint8_t version = wire_read_u8(in);
    uint16_t suite = wire_read_u16(in);
    tree->width = wire_read_u32(in);
    bool power = tree->width != 0 && (tree->width & (tree->width - 1)) == 0;
    if (version != FORMAT_VERSION || suite != tree->suite->id || !power)
        return ERR(MLS_SECRET_TREE_BYTES);
    return nodes_read(in, tree);
}

static struct err tree_read(struct wire_reader *in, struct secret_tree *tree)
{
    TRY(top_read(in, tree));
    TRY(senders_read(in, tree));
    if (!err_is_ok(wire_reader_end(in)) || !covers_each_leaf_once(tree))
        return ERR(MLS_SECRET_TREE_BYTES);
    tree->nodes_changed = true;
    return ERR_OK;
}

struct err secret_tree_start(const struct suite *suite, struct secret_tree_limits limits,
                             struct secret_tree **ret_tree)
{
    struct secret_tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return ERR(NO_MEMORY);
    tree->suite = suite;
    tree->limits = limits;
    *ret_tree = tree;
    return ERR_OK;
}

struct err secret_tree_read(const struct suite *suite, struct secret_tree_limits limits,
                            struct bytes in, struct secret_tree **ret_tree)
{
    struct secret_tree *tree;
    TRY(secret_tree_start(suite, limits, &tree));
    struct wire_reader reader = wire_reader_of(in);
    struct err err = tree_read(&reader, tree);
    if (err_is_ok(err))
        *ret_tree = tree;
    else
        secret_tree_free(tree);
    return err;
}

/* ---- in pieces */

size_t secret_tree_pieces(const struct secret_tree *tree)
{
    return tree->sender_count + 1;
}

bool secret_tree_piece_changed(const struct secret_tree *tree, size_t number)
{
    return number < tree->sender_count ? tree->senders[number]->changed : tree->nodes_changed;
}

void secret_tree_piece_write(struct buf *b, const struct secret_tree *tree, size_t number,
                             uint32_t *ret_place)
{
    if (number >= tree->sender_count) {
        nodes_write(b, tree);
        *ret_place = SECRET_TREE_PLACE_NODES;
        return;
    }
    wire_write_u8(b, FORMAT_VERSION);
    ratchets_write(b, tree, tree->senders[number]);
    *ret_place = tree->senders[number]->leaf;
}

void secret_tree_saved(struct secret_tree *tree)
{
    for (size_t i = 0; i < tree->sender_count; i++)
        tree->senders[i]->changed = false;
    tree->nodes_changed = false;
}

struct err secret_tree_take(struct secret_tree *tree, uint32_t place, struct bytes piece)
{
    struct wire_reader in = wire_reader_of(piece);
    struct sender *s;
    if (tree->width != 0) /* the nodes came: they are the last */
        return ERR(MLS_SECRET_TREE_BYTES);
    if (place == SECRET_TREE_PLACE_NODES) {
        TRY(top_read(&in, tree));
    } else {
        if (wire_read_u8(&in) != FORMAT_VERSION)
            return ERR(MLS_SECRET_TREE_BYTES);
        TRY(sender_append(tree, place, &s));
        TRY(ratchets_read(&in, tree, s));
    }
    return err_is_ok(wire_reader_end(&in)) ? ERR_OK : ERR(MLS_SECRET_TREE_BYTES);
}

struct err secret_tree_complete(struct secret_tree *tree)
{
    return tree->width != 0 && covers_each_leaf_once(tree) ? ERR_OK : ERR(MLS_SECRET_TREE_BYTES);
}
