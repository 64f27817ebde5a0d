#include "server/delivery/welcome_info.h"

#include "server/delivery/leaf_check.h"

/* A record's struct and a pointer to it. */
enum { RECORD_MEMORY_BYTES = 256 };

struct err leaf_records(const struct group_state *state, struct arena *arena,
                        Hearth__V1__PublicLeafRecord ***ret_records)
{
    Hearth__V1__PublicLeafRecord **records =
        arena_alloc(arena, (state->leaf_count + (size_t)1) * sizeof *records);
    if (records == NULL)
        return ERR(NO_MEMORY);
    for (uint32_t i = 0; i < state->leaf_count; i++)
        TRY(leaf_record_of(&state->leaves[i], arena, &records[i]));
    *ret_records = records;
    return ERR_OK;
}

static struct err pack(const Hearth__V1__GetWelcomeInfoResponse *out, struct buf *b)
{
    uint8_t *room = buf_extend(b, protobuf_c_message_get_packed_size(&out->base));
    if (room != NULL)
        (void)protobuf_c_message_pack(&out->base, room);
    return buf_check(b);
}

struct err welcome_info_write(const struct public_group *group, const struct group_state *state,
                              struct buf *b)
{
    struct arena arena;
    struct buf tree = BUF_INIT;
    Hearth__V1__GetWelcomeInfoResponse out;
    hearth__v1__get_welcome_info_response__init(&out);
    arena_init(&arena, (state->leaf_count + (size_t)16) * RECORD_MEMORY_BYTES);
    tree_write(&tree, &group->tree);
    struct err err = buf_check(&tree);
    if (err_is_ok(err))
        err = leaf_records(state, &arena, &out.leaves);
    if (err_is_ok(err)) {
        out.ratchet_tree = (ProtobufCBinaryData){tree.len, tree.data};
        out.n_leaves = state->leaf_count;
        err = pack(&out, b);
    }
    buf_clear(&tree);
    arena_clear(&arena);
    return err;
}
