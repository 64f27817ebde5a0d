#include "mls/codec/group_context.h"

void group_context_read(struct wire_reader *r, struct group_context *gc)
{
    const uint8_t *from = r->at;
    uint16_t version = wire_read_u16(r);
    if (version != MLS_VERSION_MLS10)
        wire_reader_fail(r, ERR_MLS_VERSION);
    gc->cipher_suite = wire_read_u16(r);
    gc->group_id = wire_read_vector(r);
    gc->epoch = wire_read_u64(r);
    gc->tree_hash = wire_read_vector(r);
    gc->confirmed_transcript_hash = wire_read_vector(r);
    extensions_read(r, &gc->extensions);
    gc->raw = wire_reader_since(r, from);
}

struct err group_context_parse(struct bytes in, struct group_context *ret_gc)
{
    struct wire_reader r = wire_reader_of(in);
    struct group_context gc;
    group_context_read(&r, &gc);
    TRY(wire_reader_end(&r));
    *ret_gc = gc;
    return ERR_OK;
}

void group_context_write(struct buf *b, const struct group_context *gc)
{
    wire_write_u16(b, MLS_VERSION_MLS10);
    wire_write_u16(b, gc->cipher_suite);
    wire_write_vector(b, gc->group_id);
    wire_write_u64(b, gc->epoch);
    wire_write_vector(b, gc->tree_hash);
    wire_write_vector(b, gc->confirmed_transcript_hash);
    extensions_write(b, &gc->extensions);
}
