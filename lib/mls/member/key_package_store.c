/* The private side of a KeyPackage as bytes and back. */
#include "mls/codec/key_package.h"
#include "mls/member/group_save.h"
#include "mls/public/validate_leaf.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { FORMAT = 1 };

struct err key_package_bundle_write(struct buf *b, const struct key_package_bundle *bundle)
{
    wire_write_u16(b, FORMAT);
    wire_write_vector(b, buf_view(&bundle->key_package));
    wire_write_vector(b, secret_view(&bundle->init_key));
    wire_write_vector(b, secret_view(&bundle->leaf_key));
    return buf_check(b);
}

static struct err read(struct wire_reader *r, struct key_package_bundle *bundle)
{
    struct key_package checked;
    if (wire_read_u16(r) != FORMAT)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    struct bytes key_package = wire_read_vector(r);
    struct bytes init_key = wire_read_vector(r);
    struct bytes leaf_key = wire_read_vector(r);
    TRY(wire_reader_end(r));
    TRY(key_package_parse(key_package, &checked));
    TRY(secret_set(init_key, &bundle->init_key));
    TRY(secret_set(leaf_key, &bundle->leaf_key));
    buf_append_bytes(&bundle->key_package, key_package);
    return buf_check(&bundle->key_package);
}

struct err key_package_bundle_read(struct bytes in, struct key_package_bundle *ret_bundle)
{
    struct key_package_bundle bundle = {0};
    struct wire_reader r = wire_reader_of(in);
    struct err err = read(&r, &bundle);
    if (err_is_ok(err))
        *ret_bundle = bundle;
    else
        key_package_bundle_clear(&bundle);
    return validate_blame(err, ERR_MLS_GROUP_STATE);
}
