#include "tlog/prefix_proof.h"

const struct hash_value prefix_missing;

void prefix_leaf_hash(const struct prefix_leaf *leaf, struct hash_value *ret_hash)
{
    hash_value_pair(2, leaf->index, leaf->commitment, ret_hash);
}

void prefix_parent_hash(const struct hash_value *left, const struct hash_value *right,
                        struct hash_value *ret_hash)
{
    hash_value_pair(3, left->data, right->data, ret_hash);
}

static void read_result(struct wire_reader *r, struct prefix_result *result)
{
    uint8_t type = wire_read_u8(r);
    if (type < PREFIX_INCLUSION || type > PREFIX_NOTHING)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    result->type = (enum prefix_result_type)type;
    result->leaf = type == PREFIX_OTHER_LEAF ? wire_read_fixed(r, PREFIX_LEAF_BYTES).data : NULL;
    result->depth = wire_read_u8(r);
}

void prefix_proof_read(struct wire_reader *r, struct prefix_proof *ret_proof)
{
    size_t count = wire_read_u8(r);
    for (size_t i = 0; i < count && r->failure == ERR_NONE; i++)
        read_result(r, &ret_proof->results[i]);
    ret_proof->count = r->failure == ERR_NONE ? count : 0;
    ret_proof->elements = hash_run_read16(r);
    if (ret_proof->elements.count > PREFIX_ELEMENTS_MAX)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
}

void prefix_proof_write(struct buf *b, const struct prefix_proof *proof)
{
    wire_write_u8(b, (uint8_t)proof->count);
    for (size_t i = 0; i < proof->count; i++) {
        const struct prefix_result *result = &proof->results[i];
        wire_write_u8(b, (uint8_t)result->type);
        if (result->type == PREFIX_OTHER_LEAF)
            wire_write_fixed(b, bytes_of(result->leaf, PREFIX_LEAF_BYTES));
        wire_write_u8(b, result->depth);
    }
    hash_run_write16(b, &proof->elements);
}

void prefix_leaf_write(struct buf *b, const struct prefix_leaf *leaf)
{
    wire_write_fixed(b, bytes_of(leaf->index, INDEX_BYTES));
    wire_write_fixed(b, bytes_of(leaf->commitment, HASH_VALUE_BYTES));
}
