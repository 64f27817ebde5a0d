#include "client/core/safety.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/devices.h"
#include "client/core/log.h"
#include "crypto/hash.h"
#include "seal/key_set.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, ROUNDS = 5200, GROUPS = 6, GROUP_BYTES = 5, GROUP_DIGITS = 5 };
static const char label[] = "Hearth 1 SafetyNumber";

/* ---- one side */

static struct err side_write(struct buf *b, struct bytes user_id, const struct key_set *set)
{
    wire_write_u8(b, VERSION);
    wire_write_vector(b, user_id);
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < set->client_count; i++) {
        wire_write_vector(b, set->clients[i].client_id);
        wire_write_u16(b, set->clients[i].sig_scheme);
        wire_write_vector(b, set->clients[i].public_key);
    }
    wire_vector_end(b, mark);
    return buf_check(b);
}

static void iterate(struct bytes side, struct bytes user_id, struct digest *f)
{
    static const uint8_t first = 0, later = 1;
    hash_list(&hash_sha512, BYTES_LIST(bytes_str(label), bytes_of(&first, 1), side), f);
    for (int i = 0; i < ROUNDS; i++) {
        struct digest before = *f;
        hash_list(&hash_sha512,
                  BYTES_LIST(bytes_str(label), bytes_of(&later, 1), digest_view(&before), user_id),
                  f);
    }
}

struct err safety_fingerprint(struct bytes user_id, struct bytes key_set,
                              uint8_t ret_fingerprint[SAFETY_FINGERPRINT_BYTES])
{
    struct buf side = BUF_INIT;
    struct digest f;
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(key_set, set);
    bool is_his = err_is_ok(err) && set->label.len == 1 + user_id.len &&
                  set->label.data[0] == KEY_SET_LABEL_USER &&
                  bytes_equal(bytes_of(set->label.data + 1, user_id.len), user_id);
    if (err_is_ok(err))
        err = is_his ? side_write(&side, user_id, set) : ERR(KEY_SET);
    if (err_is_ok(err)) {
        iterate(buf_view(&side), user_id, &f);
        memcpy(ret_fingerprint, f.data, SAFETY_FINGERPRINT_BYTES);
    }
    free(set);
    buf_clear(&side);
    return err;
}

/* ---- both */

static char *half_digits(char *at, const uint8_t fingerprint[SAFETY_FINGERPRINT_BYTES])
{
    for (int g = 0; g < GROUPS; g++) {
        uint64_t number = 0;
        for (int i = 0; i < GROUP_BYTES; i++)
            number = number << 8 | fingerprint[g * GROUP_BYTES + i];
        number %= 100000;
        for (int i = GROUP_DIGITS - 1; i >= 0; i--, number /= 10)
            at[i] = (char)('0' + number % 10);
        at[GROUP_DIGITS] = ' ';
        at += GROUP_DIGITS + 1;
    }
    return at;
}

void safety_show(const struct safety_sides *sides, struct hearth_safety *ret_safety)
{
    struct hearth_safety *s = ret_safety;
    *s = (struct hearth_safety){.qr_bytes = SAFETY_QR_BYTES};
    char *at = half_digits(s->digits, sides->own_first ? sides->own : sides->other);
    at = half_digits(at, sides->own_first ? sides->other : sides->own);
    at[-1] = 0; /* the last space */
    s->qr[0] = VERSION;
    memcpy(s->qr + 1, sides->own, SAFETY_FINGERPRINT_BYTES);
    memcpy(s->qr + 1 + SAFETY_FINGERPRINT_BYTES, sides->other, SAFETY_FINGERPRINT_BYTES);
}

struct err safety_compare(const struct safety_sides *sides, struct bytes qr,
                          enum safety_says *ret_says)
{
    struct wire_reader r = wire_reader_of(qr);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes shower = wire_read_fixed(&r, SAFETY_FINGERPRINT_BYTES);
    struct bytes other = wire_read_fixed(&r, SAFETY_FINGERPRINT_BYTES);
    TRY(wire_reader_end(&r));
    int says = SAFETY_SAME;
    if (!bytes_equal(other, bytes_of(sides->own, sizeof sides->own)))
        says |= SAFETY_OWN_DIFFER;
    if (!bytes_equal(shower, bytes_of(sides->other, sizeof sides->other)))
        says |= SAFETY_OTHER_DIFFER;
    *ret_says = (enum safety_says)says;
    return ERR_OK;
}

/* ---- of a contact */

struct err safety_of(struct core *c, struct db_txn *t, const struct hearth_id *id,
                     struct safety_sides *ret_sides)
{
    struct contact contact = {0};
    struct safety_sides sides = {0};
    struct bytes us = buf_view(&c->account.user_id);
    TRY(contact_get(c, t, id, &contact));
    struct bytes him = buf_view(&contact.user_id);
    struct err err = him.len > 0 && contact.key_set.len > 0 ? ERR_OK : ERR(NOT_FOUND);
    if (err_is_ok(err))
        err = safety_fingerprint(us, buf_view(&c->account.key_set), sides.own);
    if (err_is_ok(err))
        err = safety_fingerprint(him, buf_view(&contact.key_set), sides.other);
    sides.own_first = bytes_compare(us, him) < 0;
    contact_clear(&contact);
    TRY(err);
    *ret_sides = sides;
    return ERR_OK;
}

struct err safety_set_compared(struct core *c, struct db_txn *t, const struct hearth_id *id,
                               bool compared)
{
    struct contact contact = {0};
    uint8_t news[sizeof id->bytes + 1];
    TRY(contact_get(c, t, id, &contact));
    contact.compared = compared;
    contact.changed = contact.changed && !compared; /* seen, and found good */
    struct err err = contact_put(c, t, &contact);
    if (err_is_ok(err) && compared)
        err = log_accept_user(c, t, buf_view(&contact.user_id));
    contact_clear(&contact);
    TRY(err);
    memcpy(news, id->bytes, sizeof id->bytes);
    news[sizeof id->bytes] = compared;
    return devices_tell(c, t, NEWS_COMPARED, bytes_of(news, sizeof news));
}
