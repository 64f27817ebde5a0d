/* One stored value: struct { opaque id<V>; opaque value<V>; }, padded by Padmé, sealed. */
#include "client/db/inside.h"
#include "seal/pad.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VALUE_LEAST_BYTES = 64, PLACE_BYTES = 4 + DB_PRF_BYTES + 8 };

void value_prf(const struct db *db, enum db_kind kind, struct bytes id,
               uint8_t ret_prf[DB_PRF_BYTES])
{
    const uint8_t number[2] = {(uint8_t)((unsigned)kind >> 8), (uint8_t)kind};
    at_rest_prf(db->id_key, BYTES_LIST(bytes_of(number, sizeof number), id), ret_prf);
}

/* A value moved to another row, kind or number does not open. */
static void write_place(uint8_t out[PLACE_BYTES], const struct db_place *place)
{
    for (size_t i = 0; i < 4; i++)
        out[i] = (uint8_t)(place->kind >> (24 - 8 * i));
    memcpy(out + 4, place->prf, DB_PRF_BYTES);
    for (size_t i = 0; i < 8; i++)
        out[4 + DB_PRF_BYTES + i] = (uint8_t)(place->number >> (56 - 8 * i));
}

struct err value_seal(struct db *db, const struct db_place *place, struct bytes id,
                      struct bytes value, struct buf *sealed)
{
    if (value.len > WIRE_VECTOR_MAX / 2)
        return ERR(TOO_LARGE);
    uint8_t aad[PLACE_BYTES];
    write_place(aad, place);
    struct buf plain = BUF_INIT;
    size_t mark = pad_begin(&plain);
    wire_write_vector(&plain, id);
    wire_write_vector(&plain, value);
    pad_end(&plain, mark, pad_padme_bytes(pad_content_bytes(&plain, mark), VALUE_LEAST_BYTES));
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = at_rest_seal(sealed, db->seal_key, db->rng, bytes_of(aad, sizeof aad),
                           buf_view(&plain));
    buf_clear(&plain);
    return err;
}

struct err value_open(struct db *db, const struct db_place *place, struct bytes sealed,
                      struct buf *plain, struct bytes *ret_id, struct bytes *ret_value)
{
    uint8_t aad[PLACE_BYTES];
    write_place(aad, place);
    struct err err = at_rest_open(plain, db->seal_key, bytes_of(aad, sizeof aad), sealed);
    if (err.code == ERR_CRYPTO_TAG)
        return ERR(STORE_CORRUPT);
    TRY(err);
    struct bytes content;
    if (!err_is_ok(pad_read(buf_view(plain), &content)))
        return ERR(STORE_CORRUPT);
    struct wire_reader r = wire_reader_of(content);
    struct bytes id = wire_read_vector(&r);
    struct bytes value = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    *ret_id = id;
    *ret_value = value;
    return ERR_OK;
}
