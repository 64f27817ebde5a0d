#include "mls/codec/group_info.h"

void group_info_read(struct wire_reader *r, struct group_info *info)
{
    const uint8_t *from = r->at;
    group_context_read(r, &info->group_context);
    extensions_read(r, &info->extensions);
    info->confirmation_tag = wire_read_vector(r);
    info->signer = wire_read_u32(r);
    info->raw_tbs = wire_reader_since(r, from);
    info->signature = wire_read_vector(r);
}

struct err group_info_parse(struct bytes in, struct group_info *ret_info)
{
    struct wire_reader r = wire_reader_of(in);
    struct group_info info;
    group_info_read(&r, &info);
    TRY(wire_reader_end(&r));
    *ret_info = info;
    return ERR_OK;
}

static void write_unsigned(struct buf *b, const struct group_info *info)
{
    group_context_write(b, &info->group_context);
    extensions_write(b, &info->extensions);
    wire_write_vector(b, info->confirmation_tag);
    wire_write_u32(b, info->signer);
}

void group_info_write(struct buf *b, const struct group_info *info)
{
    write_unsigned(b, info);
    wire_write_vector(b, info->signature);
}

void group_info_write_tbs(struct buf *b, const struct group_info *info)
{
    if (info->raw_tbs.len > 0)
        wire_write_fixed(b, info->raw_tbs);
    else
        write_unsigned(b, info);
}
