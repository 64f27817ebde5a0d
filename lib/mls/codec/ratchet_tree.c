#include "mls/codec/ratchet_tree.h"

void parent_node_read(struct wire_reader *r, struct parent_node *parent)
{
    const uint8_t *from = r->at;
    parent->encryption_key = wire_read_vector(r);
    parent->parent_hash = wire_read_vector(r);
    u32_list_read(r, MLS_MAX_LEAVES, &parent->unmerged_leaves);
    parent->raw = wire_reader_since(r, from);
}

struct err parent_node_parse(struct bytes in, struct parent_node *ret_parent)
{
    struct wire_reader r = wire_reader_of(in);
    struct parent_node parent;
    parent_node_read(&r, &parent);
    TRY(wire_reader_end(&r));
    *ret_parent = parent;
    return ERR_OK;
}

void parent_node_write(struct buf *b, const struct parent_node *parent)
{
    wire_write_vector(b, parent->encryption_key);
    wire_write_vector(b, parent->parent_hash);
    u32_list_write(b, &parent->unmerged_leaves);
}

struct ratchet_tree_walk ratchet_tree_walk_of(struct bytes data)
{
    struct ratchet_tree_walk w = {.outer = wire_reader_of(data)};
    w.nodes = wire_read_nested(&w.outer);
    return w;
}

static bool fail(struct ratchet_tree_walk *w, enum err_code code)
{
    w->failure = code;
    return false;
}

bool ratchet_tree_next(struct ratchet_tree_walk *w, struct tree_entry *ret_entry)
{
    if (w->failure != ERR_NONE || !wire_reader_more(&w->nodes))
        return false;
    if (w->index > 2 * (MLS_MAX_LEAVES - 1))
        return fail(w, ERR_MLS_TREE_TOO_LARGE);
    ret_entry->type = NODE_BLANK;
    bool is_leaf_place = w->index % 2 == 0;
    if (wire_read_present(&w->nodes)) {
        uint8_t type = wire_read_u8(&w->nodes);
        /* RFC 9420 12.4.3.3: leaves are stored in even-numbered entries, so the type follows from
         * the place */
        if (w->nodes.failure == ERR_NONE && type != (is_leaf_place ? NODE_LEAF : NODE_PARENT))
            return fail(w, ERR_MLS_TREE_NODE_TYPE);
        ret_entry->type = (enum node_type)type;
        if (is_leaf_place)
            leaf_node_read(&w->nodes, &ret_entry->leaf);
        else
            parent_node_read(&w->nodes, &ret_entry->parent);
    }
    if (w->nodes.failure != ERR_NONE)
        return false;
    w->last_was_blank = ret_entry->type == NODE_BLANK;
    w->index++;
    return true;
}

struct err ratchet_tree_walk_end(const struct ratchet_tree_walk *w)
{
    TRY(((struct err){w->failure}));
    TRY(wire_reader_end(&w->outer));
    TRY(wire_reader_end(&w->nodes));
    if (w->index == 0)
        return ERR(MLS_TREE_EMPTY);
    /* RFC 9420 12.4.3.3: the receiver MUST check that the last node is non-blank */
    if (w->last_was_blank)
        return ERR(MLS_TREE_TRAILING_BLANK);
    /* RFC 9420 12.4.3.3: the length of the array MUST be odd: a tree ends in a leaf */
    if (w->index % 2 == 0)
        return ERR(MLS_TREE_EVEN);
    return ERR_OK;
}

void tree_entry_write(struct buf *b, const struct tree_entry *entry)
{
    wire_write_present(b, entry->type != NODE_BLANK);
    if (entry->type == NODE_BLANK)
        return;
    wire_write_u8(b, (uint8_t)entry->type);
    if (entry->type == NODE_LEAF)
        leaf_node_write(b, &entry->leaf);
    else
        parent_node_write(b, &entry->parent);
}
