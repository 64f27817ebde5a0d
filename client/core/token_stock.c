/* Piles of tokens, first in, first out.
 *
 *     DB_TOKEN_PILE: struct { uint8 version = 1; uint32 period; opaque public_key[32]; uint64 next;
 *                             uint64 end; uint64 ready_ms; uint32 left; }
 *     DB_TOKEN:      struct { opaque nonce[32]; opaque authenticator[64]; }
 *
 * Today's go first, though yesterday's would expire sooner: what a day is left with depends on who
 * it is, and a token tells its day.
 */
#include "client/core/token.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, PILES = 4, ID_MAX_BYTES = DOMAIN_MAX_BYTES + 3 };

struct pile_id {
    uint8_t bytes[ID_MAX_BYTES];
    size_t len;
};

static struct bytes id_of(const char *domain, uint8_t class, uint32_t period, struct pile_id *id)
{
    size_t len = strnlen(domain, DOMAIN_MAX_BYTES);
    memcpy(id->bytes, domain, len);
    id->bytes[len] = 0;
    id->bytes[len + 1] = class;
    id->bytes[len + 2] = (uint8_t)(period % PILES);
    id->len = len + 3;
    return bytes_of(id->bytes, id->len);
}

/* ---- rows */

static struct err pile_read(struct bytes in, struct token_pile *ret_pile)
{
    struct wire_reader r = wire_reader_of(in);
    struct token_pile p;
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    p.period = wire_read_u32(&r);
    struct bytes key = wire_read_fixed(&r, sizeof p.public_key);
    p.next = wire_read_u64(&r);
    p.end = wire_read_u64(&r);
    p.ready_ms = wire_read_u64(&r);
    p.left = wire_read_u32(&r);
    if (!err_is_ok(wire_reader_end(&r)) || p.end < p.next)
        return ERR(STORE_CORRUPT);
    memcpy(p.public_key, key.data, sizeof p.public_key);
    *ret_pile = p;
    return ERR_OK;
}

static struct err pile_put(struct db_txn *t, struct bytes id, const struct token_pile *p)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_u32(&b, p->period);
    wire_write_fixed(&b, bytes_of(p->public_key, sizeof p->public_key));
    wire_write_u64(&b, p->next);
    wire_write_u64(&b, p->end);
    wire_write_u64(&b, p->ready_ms);
    wire_write_u32(&b, p->left);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_TOKEN_PILE, id, buf_view(&b));
    buf_clear(&b);
    return err;
}

/* Of whichever period lies there. */
static struct err pile_any(struct db_txn *t, struct bytes id, struct token_pile *ret_pile)
{
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_TOKEN_PILE, id, &value);
    if (err_is_ok(err))
        err = pile_read(buf_view(&value), ret_pile);
    buf_clear(&value);
    return err;
}

struct err token_pile_get(struct db_txn *t, const char *domain, uint8_t class, uint32_t period,
                          struct token_pile *ret_pile)
{
    struct pile_id id;
    struct token_pile p;
    TRY(pile_any(t, id_of(domain, class, period, &id), &p));
    if (p.period != period)
        return ERR(NOT_FOUND);
    *ret_pile = p;
    return ERR_OK;
}

struct abroad {
    const struct core *core;
    struct err (*fn)(void *arg, const char *domain, uint8_t class, const struct token_pile *pile);
    void *arg;
};

static struct err pile_abroad(void *arg, struct bytes id, struct bytes value)
{
    const struct abroad *a = arg;
    struct token_pile pile;
    char domain[DOMAIN_MAX_BYTES + 1] = "";
    if (id.len <= 3 || id.len > ID_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    memcpy(domain, id.data, id.len - 3);
    if (strcmp(domain, a->core->account.domain) == 0)
        return ERR_OK;
    TRY(pile_read(value, &pile));
    return a->fn(a->arg, domain, id.data[id.len - 2], &pile);
}

struct err token_pile_each_abroad(struct core *c, struct db_txn *t,
                                  struct err (*fn)(void *arg, const char *domain, uint8_t class,
                                                   const struct token_pile *pile),
                                  void *arg)
{
    struct abroad a = {c, fn, arg};
    return db_each(t, DB_TOKEN_PILE, pile_abroad, &a);
}

/* ---- in */

/* The pile of this key: as it is, or a new one in the place of an old one. */
static struct err pile_for(struct db_txn *t, struct bytes id, const struct pass_public_key *key,
                           struct token_pile *ret_pile)
{
    struct token_pile p = {0};
    struct err err = pile_any(t, id, &p);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    if (err_is_ok(err) && p.period == key->period) {
        if (memcmp(p.public_key, key->public_key, sizeof p.public_key) != 0)
            return ERR(PASS_KEY_UNKNOWN);
        *ret_pile = p;
        return ERR_OK;
    }
    if (err_is_ok(err) && p.end > p.next)
        TRY(db_list_drop(t, DB_TOKEN, id, p.next, p.end - 1));
    p = (struct token_pile){.period = key->period, .left = UINT32_MAX};
    memcpy(p.public_key, key->public_key, sizeof p.public_key);
    *ret_pile = p;
    return ERR_OK;
}

static struct err coin_append(struct db_txn *t, struct bytes id, const struct pass_coin *coin,
                              uint64_t *ret_number)
{
    uint8_t row[PASS_NONCE_BYTES + PASS_AUTHENTICATOR_BYTES];
    memcpy(row, coin->nonce, PASS_NONCE_BYTES);
    memcpy(row + PASS_NONCE_BYTES, coin->authenticator, PASS_AUTHENTICATOR_BYTES);
    struct err err = db_append(t, DB_TOKEN, id, bytes_of(row, sizeof row), ret_number);
    bytes_wipe(row, sizeof row);
    return err;
}

struct err token_pile_add(struct db_txn *t, const char *domain, const struct pass_public_key *key,
                          const struct pass_coin *coins, size_t count, uint64_t ready_ms,
                          uint32_t left)
{
    struct pile_id id_bytes;
    struct bytes id = id_of(domain, key->class, key->period, &id_bytes);
    struct token_pile p;
    TRY(pile_for(t, id, key, &p));
    if (p.next == p.end)
        p.ready_ms = ready_ms; /* else these come after others that have rested */
    p.left = left;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        TRY(coin_append(t, id, &coins[i], &number));
        if (p.next == p.end)
            p.next = number;
        p.end = number + 1;
    }
    return pile_put(t, id, &p);
}

/* ---- out */

/* Those of today, then those of yesterday: which is not one that has no pile. */
static struct err spendable(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                            struct token_pile ret_piles[2])
{
    const uint32_t day = token_day(c);
    for (uint32_t i = 0; i < 2; i++) {
        ret_piles[i] = (struct token_pile){0};
        if (day < i)
            continue;
        struct err err = token_pile_get(t, domain, class, day - i, &ret_piles[i]);
        if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
            return err;
    }
    return ERR_OK;
}

struct err token_count(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                       uint32_t *ret_count)
{
    struct token_pile piles[2];
    TRY(spendable(c, t, domain, class, piles));
    *ret_count = (uint32_t)(piles[0].end - piles[0].next + piles[1].end - piles[1].next);
    return ERR_OK;
}

static struct err take_one(struct db_txn *t, struct bytes id, uint8_t class, struct token_pile *p,
                           struct buf *tokens)
{
    struct buf value = BUF_INIT;
    struct err err = db_list_get(t, DB_TOKEN, id, p->next, &value);
    if (err_is_ok(err) && value.len != PASS_NONCE_BYTES + PASS_AUTHENTICATOR_BYTES)
        err = ERR(STORE_CORRUPT);
    if (err_is_ok(err)) {
        const struct pass_short token = {class, p->period, value.data,
                                         value.data + PASS_NONCE_BYTES};
        pass_short_write(tokens, &token);
        err = db_list_drop(t, DB_TOKEN, id, p->next, p->next);
        p->next++;
    }
    buf_clear(&value);
    TRY(err);
    return buf_check(tokens);
}

struct err token_take(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                      size_t count, struct buf *tokens, uint64_t *ret_wait_ms)
{
    const uint64_t now = core_now_ms(c);
    struct token_pile piles[2];
    uint64_t there = 0, ready_ms = 0;
    TRY(spendable(c, t, domain, class, piles));
    for (size_t i = 0; i < 2 && there < count; i++) {
        there += piles[i].end - piles[i].next;
        if (piles[i].end > piles[i].next && piles[i].ready_ms > ready_ms)
            ready_ms = piles[i].ready_ms;
    }
    if (there < count)
        return ERR(NOT_FOUND);
    *ret_wait_ms = ready_ms > now ? ready_ms - now : 0;
    if (ready_ms > now)
        return ERR_OK;
    for (size_t i = 0; i < 2 && count > 0; i++) {
        struct pile_id id_bytes;
        struct bytes id = id_of(domain, class, piles[i].period, &id_bytes);
        if (piles[i].next == piles[i].end)
            continue;
        for (; count > 0 && piles[i].next < piles[i].end; count--)
            TRY(take_one(t, id, class, &piles[i], tokens));
        TRY(pile_put(t, id, &piles[i]));
    }
    return ERR_OK;
}
