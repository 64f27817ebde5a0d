/* What contact.pending holds, and the PSKs of offers: DB_SETTING "offer-psk" 0 id -> psk. */
#include "client/core/offer.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1 };

void asked_clear(struct asked *asked)
{
    bytes_wipe(asked, sizeof *asked);
}

void asked_write(struct buf *b, const struct asked *asked)
{
    wire_write_u8(b, VERSION);
    wire_write_vector(b, bytes_of(asked->handle_hash, asked->has_hash ? HANDLE_HASH_BYTES : 0));
    wire_write_vector(b, secret_view(&asked->answer_private));
    wire_write_vector(b, public_key_view(&asked->answer_public));
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < asked->count; i++) {
        const struct offer_hashes *h = &asked->offers[i];
        wire_write_fixed(b, bytes_of(h->psk_id, sizeof h->psk_id));
        wire_write_fixed(b, bytes_of(h->psk, sizeof h->psk));
        wire_write_fixed(b, bytes_of(h->hash, sizeof h->hash));
    }
    wire_vector_end(b, mark);
}

static void read_offers(struct wire_reader *r, struct asked *asked)
{
    struct wire_reader in = wire_read_nested(r);
    while (wire_reader_more(&in)) {
        struct bytes all = wire_read_fixed(&in, sizeof *asked->offers);
        struct offer_hashes *h = &asked->offers[asked->count];
        if (asked->count == ASKED_OFFERS_MAX || all.len != sizeof *h) {
            wire_reader_fail(&in, ERR_WIRE_LIMIT);
            break;
        }
        memcpy(h->psk_id, all.data, sizeof h->psk_id);
        memcpy(h->psk, all.data + sizeof h->psk_id, sizeof h->psk);
        memcpy(h->hash, all.data + sizeof h->psk_id + sizeof h->psk, sizeof h->hash);
        asked->count++;
    }
    wire_reader_join(r, &in);
}

struct err asked_read(struct bytes in, struct asked *ret_asked)
{
    struct asked asked = {0};
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes hash = wire_read_vector(&r);
    struct bytes private_key = wire_read_vector(&r), public_key = wire_read_vector(&r);
    if ((hash.len != 0 && hash.len != HANDLE_HASH_BYTES) || private_key.len > SECRET_MAX_BYTES ||
        public_key.len > PUBLIC_KEY_MAX_BYTES)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    read_offers(&r, &asked);
    struct err err = wire_reader_end(&r);
    if (err_is_ok(err))
        err = secret_set(private_key, &asked.answer_private);
    if (!err_is_ok(err)) {
        asked_clear(&asked);
        return err;
    }
    asked.has_hash = hash.len > 0;
    if (asked.has_hash)
        memcpy(asked.handle_hash, hash.data, hash.len);
    memcpy(asked.answer_public.data, public_key.data, public_key.len);
    asked.answer_public.len = public_key.len;
    *ret_asked = asked;
    return ERR_OK;
}

void asks_write(struct buf *b, const struct asks *asks)
{
    wire_write_u8(b, VERSION);
    wire_write_vector(b, asks->handle);
    wire_write_fixed(b, bytes_of(asks->package_hash, 32));
    wire_write_vector(b, asks->offer);
}

struct err asks_read(struct bytes in, struct asks *ret_asks)
{
    struct wire_reader r = wire_reader_of(in);
    struct asks asks;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    asks.handle = wire_read_vector(&r);
    asks.package_hash = wire_read_fixed(&r, 32).data;
    asks.offer = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_asks = asks;
    return ERR_OK;
}

/* ---- PSKs */

static struct err psk_name(struct bytes psk_id, struct buf *ret_name)
{
    buf_append(ret_name, "offer-psk", sizeof "offer-psk");
    buf_append_bytes(ret_name, psk_id);
    return buf_check(ret_name);
}

struct err offer_psk_put(struct db_txn *t, const struct offer_hashes *hashes)
{
    struct buf name = BUF_INIT;
    struct err err = psk_name(bytes_of(hashes->psk_id, sizeof hashes->psk_id), &name);
    if (err_is_ok(err))
        err = db_put(t, DB_SETTING, buf_view(&name), bytes_of(hashes->psk, sizeof hashes->psk));
    buf_clear(&name);
    return err;
}

struct err offer_psk_drop(struct db_txn *t, const struct offer_hashes *hashes)
{
    struct buf name = BUF_INIT;
    struct err err = psk_name(bytes_of(hashes->psk_id, sizeof hashes->psk_id), &name);
    if (err_is_ok(err))
        err = db_drop(t, DB_SETTING, buf_view(&name));
    buf_clear(&name);
    return err;
}

struct err contact_psk(struct core *c, struct db_txn *t, struct bytes psk_id, struct buf *psk)
{
    struct buf name = BUF_INIT;
    (void)c;
    if (psk_id.len != OFFER_HASH_BYTES)
        return ERR(MLS_PSK_UNKNOWN);
    struct err err = psk_name(psk_id, &name);
    if (err_is_ok(err))
        err = db_get(t, DB_SETTING, buf_view(&name), psk);
    buf_clear(&name);
    return err.code == ERR_NOT_FOUND ? ERR(MLS_PSK_UNKNOWN) : err;
}
