#include "seal/queue_ratchet.h"

#include "crypto/hash.h"
#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "seal/sealed_ref.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    FORM_ITEM = 0,
    FORM_REFRESH = 1,
    FRESH_BYTES = 32,
    KEM_OUTPUT_BYTES = 32, /* of seal_hpke */
    /* what makes a refresh as long as the shortest item */
    FRESH_PADDED_BYTES = 256 + QUEUE_ITEM_OVERHEAD_BYTES - 1 - KEM_OUTPUT_BYTES - AEAD_TAG_BYTES,
};
#define INFO bytes_str("Hearth 1 QueueRefresh")

/* What one number of the chain gives. */
struct link {
    struct secret message, next;
    uint8_t number[8]; /* the sequence, big-endian */
};

static void link_clear(struct link *l)
{
    bytes_wipe(l, sizeof *l);
}

static void number_of(uint64_t sequence, uint8_t ret_number[8])
{
    for (size_t i = 0; i < 8; i++)
        ret_number[i] = (uint8_t)(sequence >> (56 - 8 * i));
}

static struct err link_of(const struct queue_ratchet *r, struct link *ret_link)
{
    struct bytes chain = bytes_of(r->chain, sizeof r->chain);
    if (r->sequence == UINT64_MAX)
        return ERR(CRYPTO_EXHAUSTED);
    number_of(r->sequence, ret_link->number);
    TRY(labelled_expand(&kdf_hkdf_sha256, chain, LABEL_HEARTH, bytes_str("queue message"),
                        bytes_of(NULL, 0), 32, &ret_link->message));
    return labelled_expand(&kdf_hkdf_sha256, chain, LABEL_HEARTH, bytes_str("queue chain"),
                           bytes_of(NULL, 0), QUEUE_CHAIN_BYTES, &ret_link->next);
}

static void move_on(struct queue_ratchet *r, const struct secret *next)
{
    memcpy(r->chain, next->data, QUEUE_CHAIN_BYTES);
    r->sequence++;
}

/* Over what was sealed last. */
static void head_on(struct queue_ratchet *r, struct bytes sealed)
{
    struct digest next;
    hash_list(&hash_sha256, BYTES_LIST(bytes_of(r->head, sizeof r->head), sealed), &next);
    memcpy(r->head, next.data, sizeof r->head);
}

static void mix_in(struct queue_ratchet *r, struct bytes fresh)
{
    struct secret next;
    kdf_extract(&kdf_hkdf_sha256, bytes_of(r->chain, sizeof r->chain), BYTES_LIST(fresh), &next);
    move_on(r, &next);
    secret_clear(&next);
}

void queue_ratchet_clear(struct queue_ratchet *r)
{
    bytes_wipe(r, sizeof *r);
}

static const uint8_t nonce_zero[AEAD_NONCE_BYTES]; /* each key seals one item */

struct err queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item, struct buf *b)
{
    if (item->kind == QUEUE_ITEM_REFRESH || (unsigned)item->kind > UINT8_MAX)
        return ERR(ARGUMENT);
    if (item->body.len > QUEUE_BODY_MAX_BYTES)
        return ERR(TOO_LARGE);
    struct link link = {0};
    struct err err;
    size_t mark = b->len;
    TRY_OR(link_of(r, &link), err, out);
    wire_write_u8(b, FORM_ITEM);
    size_t from = pad_begin(b);
    wire_write_u8(b, (uint8_t)item->kind);
    wire_write_fixed(b, bytes_of(item->tag, sizeof item->tag));
    wire_write_u32(b, item->hour);
    wire_write_fixed(b, bytes_of(r->head, sizeof r->head));
    wire_write_fixed(b, item->body);
    pad_end(b, from, pad_bucket_bytes(pad_content_bytes(b, from)));
    err = buf_check(b);
    if (err_is_ok(err))
        err = envelope_aead(b, mark, from, &aead_aes256_gcm, &link.message, nonce_zero,
                            bytes_of(link.number, sizeof link.number));
    if (err_is_ok(err)) {
        move_on(r, &link.next);
        head_on(r, bytes_of(b->data + mark, b->len - mark));
    } else {
        envelope_undo(b, mark);
    }
out:
    link_clear(&link);
    return err;
}

struct err queue_ratchet_refresh(struct queue_ratchet *r, const struct rng *rng,
                                 struct bytes queue_key, struct buf *b)
{
    uint8_t fresh[FRESH_PADDED_BYTES] = {0};
    uint8_t ciphertext[FRESH_PADDED_BYTES + AEAD_TAG_BYTES];
    uint8_t number[8];
    struct public_key enc;
    struct err err;
    size_t mark = b->len;
    if (r->sequence == UINT64_MAX)
        return ERR(CRYPTO_EXHAUSTED);
    number_of(r->sequence, number);
    TRY(rng_fill(rng, fresh, FRESH_BYTES));
    TRY_OR(hpke_seal(seal_hpke, rng, queue_key, BYTES_LIST(INFO), bytes_of(number, sizeof number),
                     bytes_of(fresh, sizeof fresh), &enc, ciphertext),
           err, out);
    wire_write_u8(b, FORM_REFRESH);
    wire_write_fixed(b, public_key_view(&enc));
    wire_write_fixed(b, bytes_of(ciphertext, sizeof ciphertext));
    err = buf_check(b);
    if (err_is_ok(err)) {
        mix_in(r, bytes_of(fresh, FRESH_BYTES));
        head_on(r, bytes_of(b->data + mark, b->len - mark));
    } else {
        envelope_undo(b, mark);
    }
out:
    bytes_wipe(fresh, sizeof fresh);
    return err;
}

static struct err open_refresh(struct queue_ratchet *r, struct bytes private_key,
                               struct bytes public_key, struct bytes in)
{
    static const uint8_t zeros[FRESH_PADDED_BYTES - FRESH_BYTES];
    uint8_t fresh[FRESH_PADDED_BYTES];
    uint8_t number[8];
    struct wire_reader reader = wire_reader_of(in);
    struct bytes enc = wire_read_fixed(&reader, KEM_OUTPUT_BYTES);
    struct bytes ciphertext = wire_read_fixed(&reader, sizeof fresh + AEAD_TAG_BYTES);
    TRY(wire_reader_end(&reader));
    number_of(r->sequence, number);
    struct err err = hpke_open(seal_hpke, private_key, public_key, enc, BYTES_LIST(INFO),
                               bytes_of(number, sizeof number), ciphertext, fresh);
    if (err_is_ok(err) &&
        !bytes_equal_ct(bytes_of(fresh + FRESH_BYTES, sizeof zeros), bytes_of(zeros, sizeof zeros)))
        err = ERR(WIRE_VALUE);
    if (err_is_ok(err))
        mix_in(r, bytes_of(fresh, FRESH_BYTES));
    bytes_wipe(fresh, sizeof fresh);
    return err;
}

/* The kinds that an item can be: all but the refresh, and those of newer servers. */
static struct err item_parse(const struct queue_ratchet *ratchet, struct bytes padded,
                             struct queue_item *ret_item, uint8_t ret_head[QUEUE_HASH_BYTES])
{
    struct bytes content;
    if (pad_bucket_bytes(padded.len < PAD_HEAD_BYTES ? 0 : padded.len - PAD_HEAD_BYTES) !=
        padded.len)
        return ERR(WIRE_VALUE);
    TRY(pad_read(padded, &content));
    struct wire_reader r = wire_reader_of(content);
    struct queue_item item = {.kind = (enum queue_item_kind)wire_read_u8(&r)};
    struct bytes tag = wire_read_fixed(&r, sizeof item.tag);
    item.hour = wire_read_u32(&r);
    struct bytes head = wire_read_fixed(&r, sizeof ratchet->head);
    item.body = wire_read_fixed(&r, wire_reader_left(&r));
    TRY(wire_reader_end(&r));
    if (item.kind == QUEUE_ITEM_REFRESH)
        return ERR(WIRE_VALUE);
    memcpy(item.tag, tag.data, tag.len);
    item.astray = !ratchet->head_lost && memcmp(head.data, ratchet->head, head.len) != 0;
    memcpy(ret_head, head.data, head.len);
    *ret_item = item;
    return ERR_OK;
}

static struct err open_item(struct queue_ratchet *r, struct bytes in, struct buf *scratch,
                            struct queue_item *ret_item)
{
    struct link link = {0};
    size_t mark = scratch->len;
    struct err err;
    uint8_t head[QUEUE_HASH_BYTES] = {0};
    TRY_OR(link_of(r, &link), err, out);
    TRY_OR(envelope_aead_open(scratch, &aead_aes256_gcm, &link.message, nonce_zero,
                              bytes_of(link.number, sizeof link.number), in),
           err, out);
    err = item_parse(r, bytes_of(scratch->data + mark, scratch->len - mark), ret_item, head);
    if (err_is_ok(err)) {
        move_on(r, &link.next);
        memcpy(r->head, head, sizeof r->head); /* as it says: told once, not with each after it */
        r->head_lost = false;
    } else {
        envelope_undo(scratch, mark);
    }
out:
    link_clear(&link);
    return err;
}

struct err queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                              struct bytes queue_public_key, struct bytes sealed,
                              struct buf *scratch, struct queue_item *ret_item)
{
    if (sealed.len > QUEUE_ITEM_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    if (sealed.len == 0)
        return ERR(WIRE_SHORT);
    if (r->sequence == UINT64_MAX)
        return ERR(CRYPTO_EXHAUSTED);
    struct bytes rest = bytes_of(sealed.data + 1, sealed.len - 1);
    switch (sealed.data[0]) {
    case FORM_ITEM:
        TRY(open_item(r, rest, scratch, ret_item));
        break;
    case FORM_REFRESH:
        TRY(open_refresh(r, queue_private_key, queue_public_key, rest));
        *ret_item = (struct queue_item){.kind = QUEUE_ITEM_REFRESH};
        break;
    default:
        return ERR(WIRE_VALUE);
    }
    head_on(r, sealed);
    return ERR_OK;
}

struct err queue_ratchet_skip(struct queue_ratchet *r)
{
    struct link link = {0};
    struct err err = link_of(r, &link);
    if (err_is_ok(err)) {
        move_on(r, &link.next);
        r->head_lost = true;
    }
    link_clear(&link);
    return err;
}
