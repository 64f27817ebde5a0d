/* Vouchers (tokens.md 5): given to our users by allowance, blind; taken from other homeservers'
 * users once each, for a batch of tokens, as many a day as a homeserver may give away here. */
#include "pass/redeem.h"
#include "pass/request.h"
#include "server/auth/inside.h"
#include "support/auth/person.h"

#define ISSUER "c.test"
#define OTHER  "d.test" /* has the same key, which helps nobody */
enum { BATCH = 10 };

static struct auth_world w;
static struct person p;
static struct blind_rsa_key issuer; /* of the other homeserver, for queues and the week it began */
static uint32_t issuer_week;
static bool issuer_unknown;

static uint32_t week(void)
{
    return (uint32_t)(clock_unix_ms(&w.clock) / 1000 / PASS_WEEK_S);
}

static uint32_t today(void)
{
    return pass_period_at(clock_unix_ms(&w.clock) / 1000);
}

static struct err voucher_key(void *self, struct bytes domain, uint8_t class, uint32_t of_week,
                              uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES])
{
    (void)self;
    if (issuer_unknown ||
        (!bytes_equal(domain, bytes_str(ISSUER)) && !bytes_equal(domain, bytes_str(OTHER))))
        return ERR(FEDERATION_KEYS);
    if (class != PASS_QUEUE || of_week != issuer_week)
        return ERR(PASS_KEY);
    memcpy(ret_spki, issuer.public.spki, BLIND_RSA_PUBLIC_BYTES);
    return ERR_OK;
}

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    w.options.voucher_key = voucher_key;
    auth_world_use_vfs(&w, "vouchers");
    auth_world_start(&w, false);
    assert_ok(limits_set(front_limits(w.front), "TOKEN_BATCHES", 1000));
    person_init(&p, &w);
    assert_int_equal(person_register(&p), HEARTH_OK);
    issuer_week = week();
    issuer_unknown = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    auth_world_end(&w);
    return 0;
}

/* ---- giving them */

static enum hearth_code ask(uint8_t class, const struct pass_voucher_order *orders, size_t count,
                            uint8_t (*answers)[PASS_VOUCHER_RESPONSE_BYTES])
{
    struct buf requests[8] = {{0}};
    ProtobufCBinaryData list[8];
    ProtobufCMessage *out = NULL;
    Hearth__V1__IssueVouchersRequest in = HEARTH__V1__ISSUE_VOUCHERS_REQUEST__INIT;
    for (size_t i = 0; i < count; i++) {
        pass_voucher_order_write(&orders[i], &requests[i]);
        list[i] = auth_data(buf_view(&requests[i]));
    }
    in.token_class = class;
    in.n_requests = count;
    in.requests = list;
    enum hearth_code code =
        auth_world_call(&w, &p.devices[0].caller, "IssueVouchers", &in.base, &out);
    const Hearth__V1__IssueVouchersResponse *got = (const void *)out;
    if (code == HEARTH_OK)
        assert_int_equal(got->n_signatures, count);
    for (size_t i = 0; code == HEARTH_OK && i < count; i++)
        memcpy(answers[i], got->signatures[i].data, PASS_VOUCHER_RESPONSE_BYTES);
    if (out != NULL)
        protobuf_c_message_free_unpacked(out, NULL);
    for (size_t i = 0; i < count; i++)
        buf_clear(&requests[i]);
    return code;
}

static void key_of(uint8_t class, uint32_t of_week, struct blind_rsa_public *ret_key)
{
    struct auth_voucher_key keys[AUTH_VOUCHER_KEYS_MOST];
    size_t count = auth_voucher_keys(w.auth, keys);
    for (size_t i = 0; i < count; i++) {
        if (keys[i].class == class && keys[i].week == of_week) {
            assert_ok(blind_rsa_public_init(bytes_of(keys[i].spki, sizeof keys[i].spki), ret_key));
            return;
        }
    }
    fail_msg("no key of class %u and week %u among %zu", class, of_week, count);
}

static uint8_t tag_of(const uint8_t spki[BLIND_RSA_PUBLIC_BYTES])
{
    struct digest id;
    hash_once(&hash_sha256, bytes_of(spki, BLIND_RSA_PUBLIC_BYTES), &id);
    return id.data[PASS_KEY_ID_BYTES - 1];
}

/* Requests name their key by one byte (RFC 9578 6.1): every 256th other key has the same, and then
 * the homeserver signs with that, for nothing. */
static void assert_no_key_for(uint8_t class, const struct blind_rsa_public *key,
                              const struct pass_voucher_order *order)
{
    struct auth_voucher_key keys[AUTH_VOUCHER_KEYS_MOST];
    uint8_t answers[1][PASS_VOUCHER_RESPONSE_BYTES];
    size_t count = auth_voucher_keys(w.auth, keys);
    bool alike = false;
    for (size_t i = 0; i < count; i++)
        alike = alike || (keys[i].class == class && keys[i].week >= week() &&
                          tag_of(keys[i].spki) == tag_of(key->spki));
    enum hearth_code code = ask(class, order, 1, answers);
    assert_int_equal(code, alike ? HEARTH_OK : HEARTH_INVALID_ARGUMENT);
}

static void given_by_allowance(void **state)
{
    (void)state;
    struct blind_rsa_public key;
    struct pass_voucher_order orders[6];
    uint8_t digest[PASS_DIGEST_BYTES], voucher[PASS_VOUCHER_BYTES];
    uint8_t answers[6][PASS_VOUCHER_RESPONSE_BYTES], again[6][PASS_VOUCHER_RESPONSE_BYTES];
    auth_world_expire(&w); /* the job makes keys, a week ahead */
    assert_true(auth_vouchers_changed(w.auth));
    assert_false(auth_vouchers_changed(w.auth));
    key_of(PASS_DELIVERY, week() + 1, &key);
    blind_rsa_public_clear(&key);
    key_of(PASS_DELIVERY, week(), &key);
    assert_ok(pass_voucher_digest(bytes_str(AUTH_WORLD_DOMAIN), bytes_str("b.test"), PASS_DELIVERY,
                                  week(), digest));
    for (int i = 0; i < 6; i++)
        assert_ok(pass_voucher_order_init(&key, digest, &w.rng, &orders[i]));
    assert_int_equal(ask(PASS_DELIVERY, orders, 6, answers), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(ask(PASS_DELIVERY, orders, 3, answers), HEARTH_OK);
    auth_world_restart(&w, true); /* the keys outlive it, the repeat is answered and not charged */
    assert_ok(limits_set(front_limits(w.front), "TOKEN_BATCHES", 1000));
    assert_int_equal(ask(PASS_DELIVERY, orders, 3, again), HEARTH_OK);
    assert_memory_equal(answers, again, 3 * sizeof answers[0]);
    assert_int_equal(ask(PASS_DELIVERY, orders + 3, 3, answers), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(ask(PASS_DELIVERY, orders + 3, 2, answers), HEARTH_OK);
    assert_ok(
        pass_voucher_order_finish(&orders[0], &key, bytes_of(again[0], sizeof again[0]), voucher));
    assert_no_key_for(PASS_QUEUE, &key, &orders[5]);
    auth_world_days(&w, 1);
    assert_int_equal(ask(PASS_DELIVERY, orders + 5, 1, answers), HEARTH_OK); /* another day's */
    auth_world_days(&w, 7);
    assert_no_key_for(PASS_DELIVERY, &key, &orders[5]);
    auth_world_expire(&w);
    auth_world_days(&w, 28);
    auth_world_expire(&w);
    struct auth_voucher_key keys[AUTH_VOUCHER_KEYS_MOST];
    assert_int_equal(auth_voucher_keys(w.auth, keys), 10); /* this week's and the next's */
    for (int i = 0; i < 10; i += 2)
        assert_int_not_equal(tag_of(keys[i].spki), tag_of(keys[i + 1].spki));
    blind_rsa_public_clear(&key);
}

/* What our homeserver draws as its next key; empty: whatever comes. */
static struct buf next_key, last_key;

struct err __real_blind_rsa_key_generate(struct blind_rsa_key *ret_key);
struct err __wrap_blind_rsa_key_generate(struct blind_rsa_key *ret_key);
struct err __wrap_blind_rsa_key_generate(struct blind_rsa_key *ret_key)
{
    if (next_key.len > 0) {
        struct err err = blind_rsa_key_init(buf_view(&next_key), ret_key);
        buf_clear(&next_key);
        return err;
    }
    TRY(__real_blind_rsa_key_generate(ret_key));
    buf_clear(&last_key);
    return blind_rsa_key_write(ret_key, &last_key);
}

/* Keys of weeks that follow each other never go by the same byte: requests for one would be signed
 * with the other. Here the next week's is drawn as the very key of the week before. */
static void neighbours_are_told_apart(void **state)
{
    (void)state;
    enum { LAST = PASS_CLASS_END - 1 };
    struct blind_rsa_public now, next;
    auth_world_expire(&w);
    struct buf before = last_key; /* of the last class, next week's */
    last_key = BUF_INIT;
    auth_world_days(&w, 7);
    for (unsigned class = 1; class < LAST; class ++)
        assert_true(voucher_keys_make(w.auth));
    next_key = before;
    assert_true(voucher_keys_make(w.auth));
    assert_int_equal(next_key.len, 0); /* it was drawn */
    key_of(LAST, week(), &now);
    key_of(LAST, week() + 1, &next);
    assert_int_not_equal(tag_of(now.spki), tag_of(next.spki));
    blind_rsa_public_clear(&now);
    blind_rsa_public_clear(&next);
}

/* ---- taking them */

static void make_by(const char *from, const struct rng *rng, uint8_t class,
                    uint8_t ret_voucher[PASS_VOUCHER_BYTES])
{
    struct pass_voucher_order order;
    struct buf request = BUF_INIT;
    uint8_t digest[PASS_DIGEST_BYTES], answer[PASS_VOUCHER_RESPONSE_BYTES];
    assert_ok(pass_voucher_digest(bytes_str(from), bytes_str(AUTH_WORLD_DOMAIN), class, issuer_week,
                                  digest));
    assert_ok(pass_voucher_order_init(&issuer.public, digest, rng, &order));
    pass_voucher_order_write(&order, &request);
    assert_ok(pass_voucher_issue(&issuer, buf_view(&request), answer));
    assert_ok(pass_voucher_order_finish(&order, &issuer.public, bytes_of(answer, sizeof answer),
                                        ret_voucher));
    buf_clear(&request);
}

static void make(uint8_t class, uint8_t ret_voucher[PASS_VOUCHER_BYTES])
{
    make_by(ISSUER, &w.rng, class, ret_voucher);
}

static struct pass_order order;
static struct buf order_bytes;

static void order_batch(uint8_t class)
{
    struct pass_public_key key;
    uint8_t element[32];
    assert_ok(keeper_token_public(w.keeper, class, today(), element));
    assert_ok(pass_public_key_init(bytes_str(AUTH_WORLD_DOMAIN), class, today(), element, &key));
    assert_ok(pass_order_init(&key, BATCH, &w.rng, &order));
    buf_clear(&order_bytes);
    pass_order_write(&order, &order_bytes);
}

static void exchange_request(const char *from, uint8_t class,
                             const uint8_t voucher[PASS_VOUCHER_BYTES],
                             Hearth__V1__ExchangeVoucherRequest *in)
{
    hearth__v1__exchange_voucher_request__init(in);
    in->voucher = auth_data(bytes_of(voucher, PASS_VOUCHER_BYTES));
    in->issuer = (char *)(uintptr_t)from;
    in->token_class = class;
    in->period = today();
    in->request = auth_data(buf_view(&order_bytes));
}

/* With good tokens, where it is OK. */
static enum hearth_code exchange(const char *from, uint8_t class,
                                 const uint8_t voucher[PASS_VOUCHER_BYTES])
{
    static struct pass_coin coins[BATCH];
    ProtobufCMessage *out = NULL;
    Hearth__V1__ExchangeVoucherRequest in;
    exchange_request(from, class, voucher, &in);
    enum hearth_code code = auth_world_call(&w, NULL, "ExchangeVoucher", &in.base, &out);
    if (code == HEARTH_OK) {
        const Hearth__V1__ExchangeVoucherResponse *got = (const void *)out;
        struct pass_issuer_key key;
        assert_ok(pass_order_finish(&order, auth_view(got->response), coins));
        assert_ok(front_token_key(w.front, class, today(), &key));
        const struct pass_short token = {class, today(), coins[0].nonce, coins[0].authenticator};
        assert_ok(pass_redeem_short(&key, &token));
    }
    if (out != NULL)
        protobuf_c_message_free_unpacked(out, NULL);
    return code;
}

static void a_voucher_buys_one_batch(void **state)
{
    (void)state;
    uint8_t voucher[PASS_VOUCHER_BYTES];
    make(PASS_QUEUE, voucher);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_OK);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_OK); /* the same request */
    struct buf before = order_bytes;
    order_bytes = BUF_INIT;
    struct pass_order old = order;
    order_batch(PASS_QUEUE); /* other tokens for it */
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_UNAUTHENTICATED);
    auth_world_restart(&w, true);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_UNAUTHENTICATED);
    buf_clear(&order_bytes);
    order_bytes = before;
    order = old;
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_OK); /* answered anew */
    buf_clear(&order_bytes);
}

/* Whose user draws the nonce that another homeserver's has drawn spends nothing of his. */
static void issuers_are_apart(void **state)
{
    (void)state;
    uint8_t vouchers[2][PASS_VOUCHER_BYTES];
    static const char *const from[] = {ISSUER, OTHER};
    for (int i = 0; i < 2; i++) {
        struct rng_seeded seeded;
        rng_seeded_init(&seeded, 8);
        struct rng rng = rng_of_seeded(&seeded);
        make_by(from[i], &rng, PASS_QUEUE, vouchers[i]);
    }
    assert_memory_equal(vouchers[0] + 2, vouchers[1] + 2, PASS_NONCE_BYTES);
    order_batch(PASS_QUEUE);
    assert_int_not_equal(exchange(OTHER, PASS_QUEUE, vouchers[0]), HEARTH_OK);
    assert_int_equal(exchange(OTHER, PASS_QUEUE, vouchers[1]), HEARTH_OK);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, vouchers[0]), HEARTH_OK);
    buf_clear(&order_bytes);
}

struct look {
    uint8_t voucher[PASS_VOUCHER_BYTES];
    size_t count;
    uint8_t request[8];
};

static struct err map_found(struct stmt *row, void *arg)
{
    struct look *look = arg;
    look->count++;
    stmt_fixed(row, 0, look->request, sizeof look->request);
    return stmt_row_check(row);
}

static struct err find_voucher(struct store_txn *txn, void *arg)
{
    struct look *look = arg;
    uint8_t name[PASS_NONCE_BYTES + sizeof ISSUER - 1], id[AUTH_ID_BYTES];
    memcpy(name, look->voucher + 2, PASS_NONCE_BYTES);
    memcpy(name + PASS_NONCE_BYTES, ISSUER, sizeof ISSUER - 1);
    auth_id(w.auth, "voucher", bytes_of(name, sizeof name), id);
    struct stmt *s = stmt_use(txn, VOUCHER_SPENT_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    return stmt_each(s, map_found, look);
}

/* What a row keeps of the request is keyed: or whoever finds two requests with the same first bytes
 * of their hashes, which takes minutes, has two batches for a voucher. */
static void nobody_can_work_out_the_mark(void **state)
{
    (void)state;
    struct look look = {.count = 0};
    Hearth__V1__ExchangeVoucherRequest in;
    uint8_t packed[8192];
    struct digest digest;
    make(PASS_QUEUE, look.voucher);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, look.voucher), HEARTH_OK);
    exchange_request(ISSUER, PASS_QUEUE, look.voucher, &in);
    assert_in_range(hearth__v1__exchange_voucher_request__get_packed_size(&in), 1, sizeof packed);
    size_t len = hearth__v1__exchange_voucher_request__pack(&in, packed);
    hash_once(&hash_sha256, bytes_of(packed, len), &digest);
    assert_ok(store_call_read(w.auth->store, find_voucher, &look));
    assert_int_equal(look.count, 1);
    assert_memory_not_equal(look.request, digest.data, sizeof look.request);
    buf_clear(&order_bytes);
}

/* A repeat is answered anew, which takes as long as a batch does, and nobody is named: one voucher
 * must not be a way to have the server work without end. */
static void a_repeat_is_not_for_ever(void **state)
{
    (void)state;
    uint8_t voucher[PASS_VOUCHER_BYTES];
    unsigned answered = 0;
    make(PASS_QUEUE, voucher);
    order_batch(PASS_QUEUE);
    enum hearth_code code = HEARTH_OK;
    for (int i = 0; i < 20 && code == HEARTH_OK; i++) {
        code = exchange(ISSUER, PASS_QUEUE, voucher);
        answered += code == HEARTH_OK;
    }
    assert_int_equal(code, HEARTH_RESOURCE_EXHAUSTED);
    assert_in_range(answered, 4, 10);
    buf_clear(&order_bytes);
}

static void other_vouchers_are_none(void **state)
{
    (void)state;
    uint8_t voucher[PASS_VOUCHER_BYTES];
    static const size_t places[] = {1,  2,  34,
                                    66, 98, 353}; /* type, nonce, challenge, key, signature */
    make(PASS_QUEUE, voucher);
    order_batch(PASS_QUEUE);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        voucher[places[i]] ^= 1;
        assert_int_not_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_OK);
        voucher[places[i]] ^= 1;
    }
    assert_int_equal(exchange(AUTH_WORLD_DOMAIN, PASS_QUEUE, voucher), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(exchange("no name", PASS_QUEUE, voucher), HEARTH_INVALID_ARGUMENT);
    issuer_unknown = true; /* its keys are being fetched: later */
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_ABORTED);
    issuer_unknown = false;
    order_batch(PASS_DELIVERY); /* of another class than the voucher */
    assert_int_equal(exchange(ISSUER, PASS_DELIVERY, voucher), HEARTH_INVALID_ARGUMENT);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_OK); /* none of that spent it */
    buf_clear(&order_bytes);
}

/* A week and a day. */
static void good_for_its_week_and_a_day(void **state)
{
    (void)state;
    uint8_t first[PASS_VOUCHER_BYTES], second[PASS_VOUCHER_BYTES];
    make(PASS_QUEUE, first);
    make(PASS_QUEUE, second);
    while (week() == issuer_week)
        auth_world_hours(&w, 1);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, first), HEARTH_OK);
    auth_world_days(&w, 1);
    auth_world_expire(&w);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, second), HEARTH_INVALID_ARGUMENT);
    buf_clear(&order_bytes);
}

/* DoS17: what one homeserver gives away here in a day. */
static void a_homeserver_has_a_quota(void **state)
{
    (void)state;
    uint8_t vouchers[3][PASS_VOUCHER_BYTES];
    assert_ok(limits_set(front_limits(w.front), "EXCHANGE_PEER", 2));
    order_batch(PASS_QUEUE);
    for (int i = 0; i < 3; i++) {
        make(PASS_QUEUE, vouchers[i]);
        assert_int_equal(exchange(ISSUER, PASS_QUEUE, vouchers[i]),
                         i < 2 ? HEARTH_OK : HEARTH_RESOURCE_EXHAUSTED);
    }
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, vouchers[0]), HEARTH_OK); /* a repeat is none */
    auth_world_hours(&w, 24);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, vouchers[2]), HEARTH_OK); /* it was not spent */
    buf_clear(&order_bytes);
}

static void off_without_federation(void **state)
{
    (void)state;
    uint8_t voucher[PASS_VOUCHER_BYTES];
    w.options.voucher_key = NULL;
    auth_world_restart(&w, false);
    make(PASS_QUEUE, voucher);
    order_batch(PASS_QUEUE);
    assert_int_equal(exchange(ISSUER, PASS_QUEUE, voucher), HEARTH_PERMISSION_DENIED);
    auth_world_expire(&w);
    struct auth_voucher_key keys[AUTH_VOUCHER_KEYS_MOST];
    assert_int_equal(auth_voucher_keys(w.auth, keys), 0);
    buf_clear(&order_bytes);
}

static int setup_group(void **state)
{
    (void)state;
    return err_is_ok(blind_rsa_key_generate(&issuer)) ? 0 : -1;
}

static int teardown_group(void **state)
{
    (void)state;
    blind_rsa_key_clear(&issuer);
    buf_clear(&last_key);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(given_by_allowance),          TEST(a_voucher_buys_one_batch),
        TEST(a_repeat_is_not_for_ever),    TEST(other_vouchers_are_none),
        TEST(good_for_its_week_and_a_day), TEST(a_homeserver_has_a_quota),
        TEST(issuers_are_apart),           TEST(nobody_can_work_out_the_mark),
        TEST(off_without_federation),      TEST(neighbours_are_told_apart),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
