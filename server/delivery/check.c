#include "server/delivery/check.h"

#include "mls/codec/message.h"

enum { DECODE_BYTES = 4096 };

struct err send_check(const struct request *r, const struct send_in *in, struct send_ok *ret_ok)
{
    struct arena arena;
    struct mls_message m;
    if (in->message.len > delivery_limit(r->d, LIMIT_MESSAGE_BYTES))
        return ERR(TOO_LARGE);
    for (size_t i = 0; i < in->mentioned_count; i++) {
        if (group_state_leaf(&r->state, in->mentioned[i]) == NULL)
            return ERR(NOT_FOUND); /* a member may know who is there */
    }
    const struct send_ok ok = {.message = in->message,
                               .how = {.notify = in->notify,
                                       .mentioned = in->mentioned,
                                       .mentioned_count = in->mentioned_count}};
    if (delivery_off(r->d, DELIVERY_NO_CONTENT)) {
        *ret_ok = ok;
        return ERR_OK;
    }
    /* a PrivateMessage is views alone, so nothing is allocated for one */
    arena_init(&arena, DECODE_BYTES);
    uint16_t wire_format;
    struct err err = mls_message_peek(in->message, &wire_format);
    if (err_is_ok(err) && wire_format != WIRE_FORMAT_PRIVATE_MESSAGE)
        err = ERR(DELIVERY_CONTENT);
    if (err_is_ok(err))
        err = mls_message_parse(in->message, &arena, &m);
    arena_clear(&arena);
    TRY(err);
    if (m.private_message.content_type != CONTENT_APPLICATION ||
        !bytes_equal(m.private_message.group_id, r->group_id))
        return ERR(DELIVERY_CONTENT);
    if (m.private_message.epoch != r->state.epoch)
        return ERR(DELIVERY_EPOCH);
    *ret_ok = ok;
    return ERR_OK;
}

/* Attempts that others made vain before a mark of no hurry is left to another message. */
enum { TOUCH_TRIES = 2 };

struct err request_touch(struct request *r)
{
    uint64_t shift_s = (uint64_t)r->leaf->pseudonym.data[0] * MONTH_DAYS * DAY_S / 256;
    uint32_t month = month_of(r->now_s - shift_s);
    if (r->leaf->month >= month || r->tries >= TOUCH_TRIES)
        return ERR_OK;
    r->leaf->month = month;
    TRY(request_seal_state(r));
    r->effect = REQUEST_REPLACES;
    return ERR_OK;
}
