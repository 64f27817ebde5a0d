#include "server/front/charge.h"

#include "hearth/v1/common.pb-c.h"
#include "server/front/inside.h"

enum { BLOCK_BYTES = 65536 };

static uint32_t value(const struct charge *charge, enum limit limit)
{
    return (uint32_t)limit_value(charge->front->limits, limit);
}

uint32_t front_price(struct front *front, uint8_t cost)
{
    static const enum limit rows[] = {
        [HEARTH__COST__COST_LOW] = LIMIT_PRICE_LOW,
        [HEARTH__COST__COST_MID] = LIMIT_PRICE_MID,
        [HEARTH__COST__COST_HIGH] = LIMIT_PRICE_HIGH,
        [HEARTH__COST__COST_BY_SIZE] = LIMIT_PRICE_BLOCK,
    };
    if (cost == HEARTH__COST__COST_UNSPECIFIED || cost >= sizeof rows / sizeof *rows)
        return 0;
    return (uint32_t)limit_value(front->limits, rows[cost]) * front_price_factor(front);
}

void purse_key(const uint8_t ids_key[KEEPER_KEY_BYTES], uint8_t ret_key[PASS_SPENT_KEY_BYTES])
{
    struct digest key;
    hmac_once(&hash_sha256, bytes_of(ids_key, KEEPER_KEY_BYTES),
              BYTES_LIST(bytes_str("spent tokens")), &key);
    memcpy(ret_key, key.data, PASS_SPENT_KEY_BYTES);
    bytes_wipe(&key, sizeof key);
}

/* ---- before the database */

static void begin(struct front *front, struct hearth_call *call, uint8_t class,
                  struct charge *charge)
{
    const struct hearth_endpoint *endpoint = hearth_call_endpoint(call);
    charge->front = front;
    charge->class = class;
    charge->whole = true;
    charge->repeats = endpoint->idempotent;
    charge->price = front_price(front, endpoint->cost);
    charge->most = PAY_TOKENS_MOST;
    charge->now_s = clock_unix_ms(front->env->clock) / 1000;
    charge->wrong = payment_read(call, class, charge->now_s, &charge->payment);
}

void charge_begin_always(struct front *front, struct hearth_call *call, uint8_t class,
                         struct charge *ret_charge)
{
    *ret_charge = (struct charge){0};
    begin(front, call, class, ret_charge);
}

void charge_begin(struct front *front, struct hearth_call *call, uint8_t class,
                  struct charge *ret_charge)
{
    *ret_charge = (struct charge){0};
    if (front_tokens(front) && hearth_call_endpoint(call)->cost != 0)
        begin(front, call, class, ret_charge);
}

void charge_by_size(struct charge *charge, struct hearth_call *call, uint64_t bytes,
                    struct bytes tokens)
{
    if (charge->front == NULL)
        return;
    uint64_t price = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * charge->price;
    charge->most = PAY_LIST_MOST;
    charge->price = price < PAY_LIST_MOST ? (uint32_t)price : PAY_LIST_MOST;
    payment_clear(&charge->payment);
    charge->wrong = payment_read_list(call, tokens, charge->class, charge->now_s, &charge->payment);
}

void charge_add(struct charge *charge, uint32_t credits)
{
    if (charge->front == NULL)
        return;
    uint64_t price = charge->price + (uint64_t)credits * front_price_factor(charge->front);
    uint64_t most = (uint64_t)charge->most * value(charge, LIMIT_CREDITS_PER_TOKEN);
    charge->price = (uint32_t)(price < most ? price : most);
}

static bool brings_nothing(const struct charge *charge)
{
    return charge->payment.count == 0 && err_is_ok(charge->wrong);
}

static void take_allowance(struct charge *charge, enum limit limit, struct bytes who)
{
    if (brings_nothing(charge))
        charge->paid =
            err_is_ok(limit_take(charge->front->limits, limit, who, charge->price, NULL));
    charge->asked = true;
}

void charge_account(struct charge *charge, const uint8_t id[CREDITS_ID_BYTES], bool whole)
{
    memcpy(charge->account, id, sizeof charge->account);
    charge->has_account = true;
    charge->whole = whole;
}

void charge_allowance(struct charge *charge)
{
    if (charge->front != NULL && charge->has_account && !charge->asked)
        take_allowance(charge, LIMIT_CREDITS_FREE,
                       bytes_of(charge->account, sizeof charge->account));
}

void charge_source(struct charge *charge, struct bytes source)
{
    if (charge->front != NULL)
        take_allowance(charge, LIMIT_FREE_PREFIX, source);
}

bool charge_brings(const struct charge *charge)
{
    return charge->front != NULL && !brings_nothing(charge);
}

/* ---- in the database */

static struct payee payee_of(const struct charge *charge)
{
    struct front *front = charge->front;
    return (struct payee){&front->token_keys, front->env->keeper, bytes_str(front->env->domain)};
}

/* In tokens no more than can be brought. */
static struct err expect_whole(struct charge *charge)
{
    charge->wanted = charge->price < charge->most ? charge->price : charge->most;
    return charge->payment.count == charge->wanted ? ERR_OK : ERR(PASS_PAY);
}

/* What is left when this has been paid. */
static struct err balance(struct charge *charge, uint64_t had, size_t fresh, uint64_t *ret_left)
{
    uint64_t each = value(charge, LIMIT_CREDITS_PER_TOKEN), have = had + fresh * each;
    if (have < charge->price) {
        uint64_t lacks = charge->price - had;
        charge->wanted = (uint32_t)((lacks + each - 1) / each);
        return ERR(PASS_PAY);
    }
    if (fresh > 0 && have - charge->price > value(charge, LIMIT_CREDITS_MOST))
        return ERR(QUOTA);
    *ret_left = have - charge->price;
    return ERR_OK;
}

/* Good tokens beside one that is not stay unspent: they could be shown like that without end, by
 * everybody who knows them, and each is work. So each may be only a few times. */
static struct err check_tokens(struct store_txn *txn, const struct purse *purse,
                               struct charge *charge)
{
    struct limits *limits = charge->front->limits;
    struct payment *payment = &charge->payment;
    const struct payee payee = payee_of(charge);
    struct err err = ERR_OK;
    for (size_t i = 0; i < payment->count && err.code != ERR_LIMIT; i++)
        err = limit_take(limits, LIMIT_TOKEN_REPEATS, payment_token_name(payment, i), 0, NULL);
    if (err.code == ERR_LIMIT)
        return ERR(PASS_SPENT);
    err = payment_check(txn, &purse->spent, payment, &payee);
    for (size_t i = 0; i < payment->good && err.code == ERR_PASS_TOKEN; i++) {
        struct err taken =
            limit_take(limits, LIMIT_TOKEN_REPEATS, payment_token_name(payment, i), 1, NULL);
        (void)taken; /* it is refused anyway */
    }
    return err;
}

struct err charge_check(struct store_txn *txn, const struct purse *purse, struct charge *charge)
{
    uint64_t had = 0, left;
    if (!charge_owes(charge))
        return ERR_OK;
    TRY(charge->wrong);
    if (charge->whole) {
        TRY(expect_whole(charge));
    } else {
        TRY(credits_find(txn, purse->credits, charge->account, &had));
        TRY(balance(charge, had, charge->payment.count, &left));
    }
    return check_tokens(txn, purse, charge);
}

static struct err take_whole(struct charge *charge, size_t fresh)
{
    const struct payment *payment = &charge->payment;
    if (fresh == payment->count)
        return ERR_OK;
    if (fresh > 0) /* no call was paid by these together: spent ones would help fresh ones out */
        return ERR(PASS_SPENT);
    /* each counts for itself, in whatever company it comes */
    for (size_t i = 0; i < payment->count; i++) {
        struct bytes name = payment_token_name(payment, i);
        if (!err_is_ok(limit_take(charge->front->limits, LIMIT_TOKEN_REPEATS, name, 1, NULL)))
            return ERR(PASS_SPENT);
    }
    return ERR_OK;
}

struct err charge_take(struct store_txn *txn, const struct purse *purse, struct charge *charge)
{
    size_t fresh = 0;
    uint64_t had = 0, left = 0;
    charge_allowance(charge);
    if (!charge_owes(charge))
        return ERR_OK;
    TRY(charge->wrong);
    if (charge->whole)
        TRY(expect_whole(charge));
    TRY(payment_mark(txn, &purse->spent, &charge->payment, charge->repeats, &fresh));
    if (charge->whole)
        return take_whole(charge, fresh);
    TRY(credits_find(txn, purse->credits, charge->account, &had));
    TRY(balance(charge, had, fresh, &left));
    return left != had ? credits_put(txn, purse->credits, charge->account, left, charge->now_s)
                       : ERR_OK;
}

/* ---- after it */

enum hearth_code charge_fail(struct hearth_call *call, const struct charge *charge, struct err err)
{
    /* a token of a key that is gone is one that does not verify: whoever has others brings them */
    if (err.code == ERR_PASS_KEY && charge_brings(charge))
        err = ERR(PASS_TOKEN);
    if (err.code != ERR_PASS_PAY || charge->front == NULL)
        return front_fail(call, err);
    Hearth__V1__TokensRequired detail;
    hearth__v1__tokens_required__init(&detail);
    detail.token_class = charge->class;
    detail.tokens = charge->wanted;
    detail.factor = front_price_factor(charge->front);
    return front_fail_detail(call, err, &detail.base);
}

void charge_clear(struct charge *charge)
{
    payment_clear(&charge->payment);
    charge->front = NULL;
}

struct err purse_expire(struct store_txn *txn, const struct purse *purse,
                        const struct limits *limits, uint64_t now_s, uint32_t most, bool *ret_more)
{
    uint64_t tokens = 0, credits = 0;
    TRY(spent_expire(txn, &purse->spent, now_s, most, &tokens));
    TRY(credits_expire(txn, purse->credits, now_s, limit_value(limits, LIMIT_CREDIT_DAYS), most,
                       &credits));
    *ret_more = tokens == most || credits == most;
    return ERR_OK;
}
