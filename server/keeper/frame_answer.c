/* The child's side of each verb: reads the request, calls the in-process keeper, writes the reply.
 */
#include "server/keeper/frame.h"
#include "wire/writer.h"

/* The code, then what body holds if it is 0. */
static void write_reply(struct buf *reply, struct err err)
{
    wire_write_u16(reply, (uint16_t)err.code);
}

static struct err answer_sign(struct keeper *keeper, struct wire_reader *r, struct buf *reply)
{
    struct signature signature;
    uint8_t signer = wire_read_u8(r);
    bool mls = wire_read_present(r);
    struct bytes label = wire_read_vector(r);
    struct bytes content = wire_read_vector(r);
    TRY(wire_reader_end(r));
    struct err err =
        keeper_sign(keeper, (enum keeper_signer)signer, mls, label, content, &signature);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_vector(reply, signature_view(&signature));
    return ERR_OK;
}

static struct err answer_key(struct keeper *keeper, struct wire_reader *r, bool of_queue,
                             struct buf *reply)
{
    struct public_key key;
    uint8_t signer = of_queue ? 0 : wire_read_u8(r);
    TRY(wire_reader_end(r));
    struct err err = of_queue ? keeper_queue_key(keeper, &key)
                              : keeper_public(keeper, (enum keeper_signer)signer, &key);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_vector(reply, public_key_view(&key));
    return ERR_OK;
}

static struct err answer_credential(struct keeper *keeper, struct wire_reader *r, struct buf *reply)
{
    struct buf credential = BUF_INIT;
    uint8_t signer = wire_read_u8(r);
    TRY(wire_reader_end(r));
    struct err err = keeper_credential(keeper, (enum keeper_signer)signer, &credential);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_vector(reply, buf_view(&credential));
    buf_clear(&credential);
    return ERR_OK;
}

static struct err answer_rotate(struct keeper *keeper, struct wire_reader *r, struct buf *reply)
{
    uint8_t what = wire_read_u8(r);
    bool anyway = wire_read_present(r);
    TRY(wire_reader_end(r));
    if (what == KEEPER_ROTATE_QUEUE)
        write_reply(reply, anyway ? keeper_rotate_queue_key_anyway(keeper)
                                  : keeper_rotate_queue_key(keeper));
    else
        write_reply(reply, anyway ? keeper_rotate_anyway(keeper, (enum keeper_signer)what)
                                  : keeper_rotate(keeper, (enum keeper_signer)what));
    return ERR_OK;
}

static struct err answer_external_keys(struct keeper *keeper, struct wire_reader *r,
                                       struct buf *reply)
{
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    TRY(wire_reader_end(r));
    struct err err = keeper_external_keys(keeper, keys, &count);
    write_reply(reply, err);
    for (size_t i = 0; i < count && err_is_ok(err); i++) {
        wire_write_u16(reply, keys[i].scheme);
        wire_write_present(reply, keys[i].present);
        wire_write_vector(reply, public_key_view(&keys[i].key));
    }
    return ERR_OK;
}

static struct err answer_sign_external(struct keeper *keeper, struct wire_reader *r,
                                       struct buf *reply)
{
    struct signature signature;
    struct bytes key = wire_read_vector(r);
    struct bytes label = wire_read_vector(r);
    struct bytes content = wire_read_vector(r);
    TRY(wire_reader_end(r));
    struct err err = keeper_sign_external(keeper, key, label, content, &signature);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_vector(reply, signature_view(&signature));
    return ERR_OK;
}

static struct err answer_open_refs(struct keeper *keeper, struct wire_reader *r, struct buf *reply)
{
    write_reply(reply, ERR_OK);
    for (size_t count = 0; wire_reader_more(r); count++) {
        struct queue_ref ref;
        struct err result;
        struct bytes sealed = wire_read_vector(r);
        if (count == FRAME_REFS_MAX)
            return ERR(WIRE_LIMIT);
        TRY(wire_reader_check(r));
        TRY(keeper_open_refs(keeper, &sealed, 1, &ref, &result));
        write_reply(reply, result);
        if (err_is_ok(result))
            frame_write_ref(reply, &ref);
        bytes_wipe(&ref, sizeof ref);
    }
    return wire_reader_end(r);
}

static struct err answer_storage_key(struct keeper *keeper, struct wire_reader *r,
                                     struct buf *reply)
{
    uint8_t key[KEEPER_KEY_BYTES];
    uint8_t purpose = wire_read_u8(r);
    TRY(wire_reader_end(r));
    struct err err = keeper_storage_key(keeper, (enum keeper_purpose)purpose, key);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_fixed(reply, bytes_of(key, sizeof key));
    bytes_wipe(key, sizeof key);
    return ERR_OK;
}

static struct err answer_token_key(struct keeper *keeper, struct wire_reader *r, struct buf *reply)
{
    uint8_t key[KEEPER_KEY_BYTES];
    uint8_t class = wire_read_u8(r);
    uint32_t period = wire_read_u32(r);
    bool private_half = wire_read_present(r);
    TRY(wire_reader_end(r));
    struct err err = private_half ? keeper_token_key(keeper, class, period, key)
                                  : keeper_token_public(keeper, class, period, key);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_fixed(reply, bytes_of(key, sizeof key));
    bytes_wipe(key, sizeof key);
    return ERR_OK;
}

static struct err answer_voucher_wrap(struct keeper *keeper, struct wire_reader *r,
                                      struct buf *reply)
{
    struct buf wrapped = BUF_INIT;
    uint8_t class = wire_read_u8(r);
    uint32_t week = wire_read_u32(r);
    struct bytes pkcs8 = wire_read_vector(r);
    TRY(wire_reader_end(r));
    struct err err = keeper_voucher_wrap(keeper, class, week, pkcs8, &wrapped);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_vector(reply, buf_view(&wrapped));
    buf_clear(&wrapped);
    return ERR_OK;
}

static struct err answer_voucher_sign(struct keeper *keeper, struct wire_reader *r,
                                      struct buf *reply)
{
    uint8_t signature[BLIND_RSA_BYTES];
    uint8_t class = wire_read_u8(r);
    uint32_t week = wire_read_u32(r);
    struct bytes blinded = wire_read_fixed(r, BLIND_RSA_BYTES);
    struct bytes wrapped = wire_read_vector(r);
    TRY(wire_reader_end(r));
    struct err err = keeper_voucher_sign(keeper, class, week, wrapped, blinded.data, signature);
    write_reply(reply, err);
    if (err_is_ok(err))
        wire_write_fixed(reply, bytes_of(signature, sizeof signature));
    return ERR_OK;
}

struct err frame_answer(struct keeper *keeper, struct bytes request, struct buf *reply)
{
    struct wire_reader r = wire_reader_of(request);
    uint8_t verb = wire_read_u8(&r);
    TRY(wire_reader_check(&r));
    switch ((enum frame_verb)verb) {
    case FRAME_SIGN:
        return answer_sign(keeper, &r, reply);
    case FRAME_PUBLIC:
        return answer_key(keeper, &r, false, reply);
    case FRAME_CREDENTIAL:
        return answer_credential(keeper, &r, reply);
    case FRAME_ROTATE:
        return answer_rotate(keeper, &r, reply);
    case FRAME_QUEUE_KEY:
        return answer_key(keeper, &r, true, reply);
    case FRAME_OPEN_REFS:
        return answer_open_refs(keeper, &r, reply);
    case FRAME_STORAGE_KEY:
        return answer_storage_key(keeper, &r, reply);
    case FRAME_EXTERNAL_KEYS:
        return answer_external_keys(keeper, &r, reply);
    case FRAME_SIGN_EXTERNAL:
        return answer_sign_external(keeper, &r, reply);
    case FRAME_TOKEN_KEY:
        return answer_token_key(keeper, &r, reply);
    case FRAME_VOUCHER_WRAP:
        return answer_voucher_wrap(keeper, &r, reply);
    case FRAME_VOUCHER_SIGN:
        return answer_voucher_sign(keeper, &r, reply);
    }
    return ERR(WIRE_VALUE);
}
