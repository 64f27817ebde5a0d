#include "seal/connection_answer.h"

#include "seal/envelope.h"
#include "seal/pad.h"
#include "seal/text.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define INFO bytes_str("Hearth 1 ConnectionAnswer")

enum {
    VERSION = 1,
    CIPHERTEXT_BYTES = CONNECTION_ANSWER_BYTES - 1 - CONNECTION_KEY_BYTES - 2,
    PADDED_BYTES = CIPHERTEXT_BYTES - AEAD_TAG_BYTES,
};
_Static_assert((int)PADDED_BYTES >=
                   (int)PAD_HEAD_BYTES + 3 + 2 + (int)CONNECTION_ANSWER_TEXT_MAX_BYTES,
               "the longest text fits");

static struct err check(const struct connection_answer *answer)
{
    if (answer->text.len > CONNECTION_ANSWER_TEXT_MAX_BYTES)
        return ERR(TOO_LARGE);
    bool known = answer->kind == CONNECTION_REFUSED || answer->kind == CONNECTION_ACCEPTED;
    if (!known || (unsigned)answer->reason > UINT8_MAX ||
        !err_is_ok(text_check(answer->text, true)))
        return ERR(ARGUMENT);
    return ERR_OK;
}

struct err connection_answer_seal(struct buf *b, const struct rng *rng, struct bytes answer_key,
                                  const uint8_t offer_hash[CONNECTION_OFFER_HASH_BYTES],
                                  const struct connection_answer *answer)
{
    uint8_t memory[PADDED_BYTES];
    uint8_t ciphertext[CIPHERTEXT_BYTES];
    struct buf padded = {.data = memory, .cap = sizeof memory, .limit = sizeof memory};
    struct public_key enc;
    size_t mark = b->len;
    TRY(check(answer));
    size_t content = pad_begin(&padded);
    wire_write_u8(&padded, VERSION);
    wire_write_u8(&padded, (uint8_t)answer->kind);
    wire_write_u8(&padded, (uint8_t)answer->reason);
    wire_write_vector(&padded, answer->text);
    pad_end(&padded, content, PADDED_BYTES);
    struct err err = hpke_seal(seal_hpke, rng, answer_key,
                               BYTES_LIST(INFO, bytes_of(offer_hash, CONNECTION_OFFER_HASH_BYTES)),
                               bytes_of(NULL, 0), buf_view(&padded), &enc, ciphertext);
    bytes_wipe(memory, sizeof memory);
    TRY(err);
    wire_write_vector(b, public_key_view(&enc));
    wire_write_vector(b, bytes_of(ciphertext, sizeof ciphertext));
    err = buf_check(b);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
    return err;
}

static struct err read_answer(struct bytes padded, struct connection_answer *ret_answer)
{
    struct bytes content;
    struct connection_answer answer;
    TRY(pad_read(padded, &content));
    struct wire_reader r = wire_reader_of(content);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    answer.kind = wire_read_u8(&r);
    answer.reason = wire_read_u8(&r);
    answer.text = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (!err_is_ok(check(&answer)))
        return ERR(WIRE_VALUE);
    *ret_answer = answer;
    return ERR_OK;
}

struct err connection_answer_open(struct bytes private_key, struct bytes public_key,
                                  const uint8_t offer_hash[CONNECTION_OFFER_HASH_BYTES],
                                  struct bytes sealed, struct buf *scratch,
                                  struct connection_answer *ret_answer)
{
    size_t mark = scratch->len;
    struct wire_reader r = wire_reader_of(sealed);
    struct bytes enc = wire_read_vector(&r);
    struct bytes ciphertext = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (ciphertext.len != CIPHERTEXT_BYTES)
        return ERR(WIRE_VALUE);
    uint8_t *padded = buf_extend(scratch, PADDED_BYTES);
    TRY(buf_check(scratch));
    struct err err = hpke_open(seal_hpke, private_key, public_key, enc,
                               BYTES_LIST(INFO, bytes_of(offer_hash, CONNECTION_OFFER_HASH_BYTES)),
                               bytes_of(NULL, 0), ciphertext, padded);
    if (err_is_ok(err))
        err = read_answer(bytes_of(padded, PADDED_BYTES), ret_answer);
    if (!err_is_ok(err))
        envelope_undo(scratch, mark);
    return err;
}
