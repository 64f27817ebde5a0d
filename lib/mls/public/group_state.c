/* A public group as bytes and back, for storage. */
#include "mls/public/public_group.h"

/*     struct {
 *         uint16 format = 1;
 *         opaque group_context<V>;
 *         opaque ratchet_tree<V>;            the ratchet_tree extension's data
 *         opaque confirmation_tag<V>;
 *         opaque interim_transcript_hash<V>;
 *         opaque reinit<V>;                  empty, or the ReInit that closed the group
 *         opaque proposals<V>;               AuthenticatedContent<V> each, in order of receipt
 *     } PublicGroupState; */
enum { STATE_FORMAT = 1 };

void public_group_save(struct buf *b, const struct public_group *g)
{
    wire_write_u16(b, STATE_FORMAT);
    wire_write_vector(b, public_group_context(g));
    size_t mark = wire_vector_begin(b);
    tree_write(b, &g->tree);
    wire_vector_end(b, mark);
    wire_write_vector(b, digest_view(&g->confirmation_tag));
    wire_write_vector(b, digest_view(&g->interim_transcript_hash));
    wire_write_vector(b, buf_view(&g->reinit));
    mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < g->proposals.count; i++)
        wire_write_vector(b, g->proposals.entries[i]->bytes);
    wire_vector_end(b, mark);
}

static struct err take_digest(struct bytes in, const struct hash_alg *hash,
                              struct digest *ret_digest)
{
    if (in.len != hash->bytes)
        return ERR(WIRE_VALUE);
    memcpy(ret_digest->data, in.data, in.len);
    ret_digest->len = in.len;
    return ERR_OK;
}

static struct err load_proposal(struct public_group *g, struct bytes in)
{
    struct arena a;
    arena_init(&a, in.len + (size_t)64 * 1024);
    struct authenticated_content content;
    struct err err = authenticated_content_parse(in, &a, &content);
    if (err_is_ok(err) && content.content.type != CONTENT_PROPOSAL)
        err = ERR(WIRE_VALUE);
    if (err_is_ok(err))
        err = proposal_store_add(&g->proposals, g->suite->hash, &content);
    arena_clear(&a);
    return err;
}

static struct err load(struct public_group *g, struct bytes in)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u16(&r) != STATE_FORMAT)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes context = wire_read_vector(&r);
    struct bytes tree = wire_read_vector(&r);
    struct bytes tag = wire_read_vector(&r);
    struct bytes interim = wire_read_vector(&r);
    struct bytes reinit = wire_read_vector(&r);
    struct wire_reader proposals = wire_read_nested(&r);
    TRY(wire_reader_end(&r));
    TRY(public_group_adopt_context(g, context));
    TRY(tree_load(g->suite->hash, tree, &g->tree));
    if (!bytes_equal(tree_root_hash(&g->tree), g->context.tree_hash))
        return ERR(MLS_TREE_HASH);
    TRY(take_digest(tag, g->suite->hash, &g->confirmation_tag));
    TRY(take_digest(interim, g->suite->hash, &g->interim_transcript_hash));
    buf_append_bytes(&g->reinit, reinit);
    TRY(buf_check(&g->reinit));
    while (wire_reader_more(&proposals)) {
        struct bytes content = wire_read_vector(&proposals);
        TRY(wire_reader_check(&proposals));
        TRY(load_proposal(g, content));
    }
    return wire_reader_end(&proposals);
}

struct err public_group_load(struct bytes in, struct public_group *ret_group)
{
    struct public_group g = {0};
    struct err err = load(&g, in);
    if (!err_is_ok(err)) {
        public_group_clear(&g);
        return err;
    }
    *ret_group = g;
    return ERR_OK;
}
