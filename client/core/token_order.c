/* Orders between their request and its answer, and what else the two tasks have in common. */
#include "client/core/event.h"
#include "client/core/token_inside.h"
#include "client/core/token_seen.h"
#include "wire/writer.h"

enum { ELEMENT = VOPRF_ELEMENT_BYTES };

/* ---- the tasks */

void token_lane(const char *label, struct bytes which, const char *domain, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str(label), which, bytes_str(domain)), &d);
    memcpy(ret_lane, d.data, 16);
}

struct err token_task_add(struct core *c, struct db_txn *t, enum task_kind kind,
                          const uint8_t lane[16], struct buf *body)
{
    struct err err = buf_check(body);
    if (err_is_ok(err))
        err = task_add(c, t, kind, lane, NULL, buf_view(body), NULL);
    buf_clear(body);
    return err;
}

struct err token_task_failed(struct core *c, struct db_txn *t, struct task *task,
                             const struct hearth_error *error)
{
    (void)task;
    task_wake(c, NULL);
    if (error->result != HEARTH_UNVERIFIED)
        return ERR_OK;
    struct hearth_event event = {
        .kind = HEARTH_EVENT_UNVERIFIED, .result = HEARTH_UNVERIFIED, .text = error->text};
    return event_tell(c, t, &event);
}

/* ---- orders */

struct err token_gate(struct core *c, struct db_txn *t, const char *domain, uint16_t token_type,
                      uint8_t class, uint32_t period)
{
    enum token_verdict verdict;
    struct pass_sighting sighting;
    uint64_t ask_s;
    if (class == PASS_TRANSPARENCY)
        return ERR_OK;
    TRY(log_keys_gate(t, domain));
    struct err err = token_seen_judge(t, domain, token_type, class, period, core_now_ms(c) / 1000,
                                      &verdict, &sighting, &ask_s);
    if (err.code == ERR_PASS_KEY || err.code == ERR_WIRE_SHORT)
        return ERR_OK; /* whoever makes the order finds no key */
    TRY(err);
    if (verdict == TOKEN_KEY_ASK)
        TRY(token_sight(c, t, domain, ask_s));
    return verdict == TOKEN_KEY_GOOD  ? ERR_OK
           : verdict == TOKEN_KEY_ASK ? ERR(CLIENT_LOG_LATER)
                                      : ERR(PASS_KEY_UNKNOWN);
}

struct err token_order_make(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                            uint32_t period, size_t count, struct buf *b)
{
    struct pass_public_key key;
    struct pass_order order;
    TRY(token_key(c, t, domain, class, period, &key));
    TRY(pass_order_init(&key, count, c->rng, &order));
    wire_write_fixed(b, bytes_of(order.key.public_key, ELEMENT));
    wire_write_fixed(b, bytes_of(order.nonces, order.count * ELEMENT));
    wire_write_fixed(b, bytes_of(order.blinds, order.count * ELEMENT));
    wire_write_fixed(b, bytes_of(order.blinded, order.count * ELEMENT));
    pass_order_clear(&order);
    return buf_check(b);
}

struct err token_order_read(const char *domain, uint8_t class, uint32_t period, size_t count,
                            struct bytes rest, struct pass_order *ret_order)
{
    const size_t part = ELEMENT * count;
    if (count == 0 || count > PASS_BATCH_MAX || rest.len != token_order_bytes(count))
        return ERR(STORE_CORRUPT);
    const uint8_t *at = rest.data + ELEMENT;
    TRY(pass_public_key_init(bytes_str(domain), class, period, rest.data, &ret_order->key));
    ret_order->count = count;
    memcpy(ret_order->nonces, at, part);
    memcpy(ret_order->blinds, at + part, part);
    memcpy(ret_order->blinded, at + 2 * part, part);
    return ERR_OK;
}

struct err token_order_request(const char *domain, uint8_t class, uint32_t period, size_t count,
                               struct bytes rest, struct buf *request)
{
    struct pass_order order;
    TRY(token_order_read(domain, class, period, count, rest, &order));
    pass_order_write(&order, request);
    pass_order_clear(&order);
    return buf_check(request);
}

/* Today's have to rest. */
static struct err ready_at(struct core *c, uint32_t period, uint64_t *ret_ready_ms)
{
    uint64_t rest_ms;
    *ret_ready_ms = 0;
    if (period > token_day(c))
        return ERR_OK;
    TRY(token_rest_ms(c->rng, &rest_ms));
    *ret_ready_ms = core_now_ms(c) + rest_ms;
    return ERR_OK;
}

struct err token_order_finish(struct core *c, struct db_txn *t, const char *domain, uint8_t class,
                              uint32_t period, size_t count, struct bytes rest,
                              struct bytes response, uint32_t left)
{
    struct pass_order order;
    struct pass_coin coins[PASS_BATCH_MAX];
    uint64_t ready_ms;
    TRY(ready_at(c, period, &ready_ms));
    TRY(token_order_read(domain, class, period, count, rest, &order));
    struct err err = pass_order_finish(&order, response, coins);
    if (err_is_ok(err))
        err = token_pile_add(t, domain, &order.key, coins, count, ready_ms, left);
    pass_order_clear(&order);
    bytes_wipe(coins, sizeof coins);
    return err;
}
