#include "mls/codec/key_package.h"

void key_package_read(struct wire_reader *r, struct key_package *kp)
{
    const uint8_t *from = r->at;
    kp->version = wire_read_u16(r);
    kp->cipher_suite = wire_read_u16(r);
    kp->init_key = wire_read_vector(r);
    leaf_node_read(r, &kp->leaf_node);
    extensions_read(r, &kp->extensions);
    kp->raw_tbs = wire_reader_since(r, from);
    kp->signature = wire_read_vector(r);
    kp->raw = wire_reader_since(r, from);
}

struct err key_package_parse(struct bytes in, struct key_package *ret_kp)
{
    struct wire_reader r = wire_reader_of(in);
    struct key_package kp;
    key_package_read(&r, &kp);
    TRY(wire_reader_end(&r));
    *ret_kp = kp;
    return ERR_OK;
}

static void write_unsigned(struct buf *b, const struct key_package *kp)
{
    wire_write_u16(b, kp->version);
    wire_write_u16(b, kp->cipher_suite);
    wire_write_vector(b, kp->init_key);
    leaf_node_write(b, &kp->leaf_node);
    extensions_write(b, &kp->extensions);
}

void key_package_write(struct buf *b, const struct key_package *kp)
{
    write_unsigned(b, kp);
    wire_write_vector(b, kp->signature);
}

void key_package_write_tbs(struct buf *b, const struct key_package *kp)
{
    if (kp->raw_tbs.len > 0)
        wire_write_fixed(b, kp->raw_tbs);
    else
        write_unsigned(b, kp);
}

bool key_package_is_last_resort(const struct key_package *kp)
{
    struct bytes data;
    return extensions_find(&kp->extensions, EXTENSION_LAST_RESORT, &data);
}
