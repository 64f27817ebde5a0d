/* Clients on a homeserver where calls cost tokens: everything that people do works, from what the
 * stock has, across kills; what a message costs; and what is seen on the connections. */
#include "client/core/log.h"
#include "client/core/task.h"
#include "client/core/token.h"
#include "crypto/count.h"
#include "hearth/v1/info.pb-c.h"
#include "unit/client/core/friends.h"

enum { CONNECTIONS_MOST = 512, TOKENS_MOST = 4096, TALKS = 40 };

/* ---- what the homeserver sees */

static struct {
    struct {
        uint64_t connection;
        bool named, anonymous;
    } all[CONNECTIONS_MOST];
    size_t count;
    struct {
        uint8_t nonce[PASS_NONCE_BYTES];
        char path[64];
    } tokens[TOKENS_MOST];
    size_t token_count;
    unsigned twice; /* a token, for two different calls */
    unsigned paid_named, paid_anonymous, paid_connects;
} seen;

static void saw_token(const uint8_t *value, const char *path)
{
    const uint8_t *nonce = value + 5; /* class, period */
    for (size_t i = 0; i < seen.token_count; i++)
        if (memcmp(seen.tokens[i].nonce, nonce, PASS_NONCE_BYTES) == 0) {
            seen.twice += strcmp(seen.tokens[i].path, path) != 0;
            return;
        }
    assert_true(seen.token_count < TOKENS_MOST);
    memcpy(seen.tokens[seen.token_count].nonce, nonce, PASS_NONCE_BYTES);
    (void)snprintf(seen.tokens[seen.token_count++].path, 64, "%s", path);
}

/* Whoever registers or joins has no name yet, and does it where he will have one. */
static bool is_first(const char *path)
{
    static const char *const firsts[] = {"/GetRegistrationChallenge", "/RegisterUser",
                                         "/CreateQueueUser",          "/GetExternalCommitInfo",
                                         "/JoinConnection",           "/GetWelcomeInfo"};
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
        if (strstr(path, firsts[i]) != NULL)
            return true;
    return false;
}

static void saw(void *self, const struct town_call *call)
{
    size_t i = 0;
    (void)self;
    while (i < seen.count && seen.all[i].connection != call->connection)
        i++;
    if (i == seen.count) {
        assert_true(seen.count < CONNECTIONS_MOST);
        seen.all[seen.count++].connection = call->connection;
    }
    seen.all[i].named |= call->named;
    seen.all[i].anonymous |= !call->named && !is_first(call->path);
    for (size_t k = 0; k < call->tokens; k++)
        saw_token(call->values[k], call->path);
    seen.paid_named += call->named && call->tokens > 0;
    seen.paid_anonymous += !call->named && call->tokens > 0;
    seen.paid_connects += strstr(call->path, "/Connect") != NULL && call->tokens > 0;
}

/* Connections on which both kinds came. */
static unsigned mixed(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < seen.count; i++)
        n += seen.all[i].named && seen.all[i].anonymous;
    return n;
}

static void begin(struct pair *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    memset(&seen, 0, sizeof seen);
    people_init(&p->all, seed);
    town_tokens(p->all.town);
    town_watch(p->all.town, saw, NULL);
    p->alice = person_new(&p->all, "alice");
    p->bob = person_new(&p->all, "bob");
    person_register(p->alice, "alice");
    person_register(p->bob, "bob");
    person_settle(p->alice);
    person_settle(p->bob);
}

/* ---- */

static void ignored(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    (void)status;
    (void)out;
    (void)arg;
}

/* Registering, a handle, asking, accepting, messages: all is paid, nothing fails; and nobody's
 * connection carries anonymous calls. The control makes one such call. */
static void test_all_is_paid(void **state)
{
    static struct pair p;
    struct hearth_tokens stock;
    (void)state;
    begin(&p, 1);
    befriend(&p);
    talk(&p, "hello");
    assert_true(seen.paid_named > 0 && seen.paid_anonymous > 0);
    assert_int_equal(seen.twice, 0);
    assert_int_equal(seen.paid_connects, 1); /* it waits for the log with what it was given */
    hearth_account_tokens(&p.alice->account, &stock);
    assert_true(stock.required);
    assert_true(stock.now[PASS_AUTH - 1] < TOKEN_GRANT);
    print_message("%zu connections, %zu tokens, paid: %u signed calls, %u anonymous ones\n",
                  seen.count, seen.token_count, seen.paid_named, seen.paid_anonymous);
    assert_int_equal(mixed(), 0);
    /* the control */
    Hearth__V1__GetServerInfoRequest in = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
    struct api_call *call;
    uint8_t purpose[16];
    core_purpose("queue", bytes_of(NULL, 0), purpose);
    const struct api_to to = {.domain = TOWN_DOMAIN, .purpose = purpose};
    assert_ok(api_start(p.alice->core->api, &to, api_endpoint("Info", "GetServerInfo"), &in.base,
                        ignored, NULL, &call));
    person_sync(p.alice);
    people_run_ms(&p.all, 1000);
    assert_int_equal(mixed(), 1);
    people_close(&p.all);
}

/* A message that credits pay costs no operation in the tokens' group, on neither side. */
static void test_credits(void **state)
{
    static struct pair p;
    (void)state;
    begin(&p, 2);
    befriend(&p);
    unsigned free = 0;
    const size_t before = seen.token_count;
    for (unsigned i = 0; i < TALKS; i++) {
        const struct crypto_count then = crypto_count;
        const size_t tokens = seen.token_count;
        done(p.alice, hearth_send(&p.alice->account, &p.alice_chat, "again"));
        people_run_ms(&p.all, 1000);
        if (seen.token_count != tokens)
            continue; /* one was turned into credits */
        free++;
        assert_int_equal(crypto_count.group, then.group);
        assert_int_equal(crypto_count.signatures - then.signatures, 2); /* MLS, the request */
        assert_int_equal(crypto_count.exchanges, then.exchanges);
    }
    assert_true(seen.token_count > before); /* the allowance did not last */
    assert_true(seen.token_count - before <= 2);
    assert_true(free >= TALKS - 2);
    people_close(&p.all);
}

/* A log that takes its time: nothing is said of any handle until it does. */
static bool slow_log;

struct err __real_log_says_of(struct core *c, struct db_txn *t, const char *domain,
                              struct bytes key_set, unsigned roles, uint64_t max_age_ms,
                              enum log_says *ret_says);
struct err __wrap_log_says_of(struct core *c, struct db_txn *t, const char *domain,
                              struct bytes key_set, unsigned roles, uint64_t max_age_ms,
                              enum log_says *ret_says);
struct err __wrap_log_says_of(struct core *c, struct db_txn *t, const char *domain,
                              struct bytes key_set, unsigned roles, uint64_t max_age_ms,
                              enum log_says *ret_says)
{
    if (!slow_log)
        return __real_log_says_of(c, t, domain, key_set, roles, max_age_ms, ret_says);
    *ret_says = LOG_SAYS_LATER;
    return ERR_OK;
}

/* As all that is told does. */
static struct err wake(struct core *c, struct db_txn *t, void *arg)
{
    (void)t;
    (void)arg;
    task_wake(c, NULL);
    return ERR_OK;
}

/* Who is asked while the log does not answer is not paid for again and again. */
static void test_slow_log(void **state)
{
    static struct pair p;
    (void)state;
    begin(&p, 7);
    slow_log = true;
    struct hearth_op *op = hearth_contact_add(&p.alice->account, "bob@a.test");
    assert_non_null(op);
    people_run_ms(&p.all, 15 * 1000);
    assert_int_equal(seen.paid_connects, 1);
    for (int i = 0; i < 10; i++) {
        people_run_ms(&p.all, 5 * 1000);
        person_step(p.alice, wake, NULL);
    }
    assert_int_equal(seen.paid_connects, 2); /* the tokens of a new user are three */
    slow_log = false;
    done(p.alice, op);
    assert_in_range(seen.paid_connects, 2, 3);
    people_close(&p.all);
}

/* Killed in the middle of paying: it goes on, and no token is shown in two places. */
static void test_kills(void **state)
{
    static struct pair p;
    unsigned lives = 0;
    (void)state;
    for (unsigned at = 1; at <= 40; at += 8) {
        begin(&p, 100 + at);
        person_kill_at(p.alice, at);
        befriend(&p);
        person_kill_at(p.alice, 1 + at % 4);
        for (int i = 0; i < 6; i++) {
            char text[16];
            (void)snprintf(text, sizeof text, "m%d", i);
            talk(&p, text);
            person_kill_at(p.alice, 1 + at % 5);
        }
        person_alive(p.alice);
        assert_int_equal(seen.twice, 0);
        assert_int_equal(mixed(), 0);
        lives += p.alice->lives;
        people_close(&p.all);
    }
    assert_true(lives > 15);
}

static struct err drain(struct core *c, struct db_txn *t, void *arg)
{
    uint32_t count;
    uint64_t wait_ms;
    struct buf tokens = BUF_INIT;
    uint8_t class = *(const uint8_t *)arg;
    TRY(token_count(c, t, TOWN_DOMAIN, class, &count));
    struct err err = token_take(c, t, TOWN_DOMAIN, class, count, &tokens, &wait_ms);
    buf_clear(&tokens);
    return err;
}

/* Today's are used up: it says so, and the next day it goes. */
static void test_none_left(void **state)
{
    static struct pair p;
    uint8_t class = PASS_AUTH;
    struct hearth_op *op;
    (void)state;
    begin(&p, 3);
    people_run_ms(&p.all, 60 * 1000);
    person_step(p.alice, drain, &class);
    op = hearth_contact_add(&p.alice->account, "bob@a.test");
    assert_non_null(op);
    assert_int_equal(person_op(p.alice, op), HEARTH_FAILED);
    assert_string_equal(p.alice->error.name, "TOKENS");
    for (int hour = 0; hour < 25; hour++)
        people_run_ms(&p.all, 3600 * 1000);
    person_settle(p.alice);
    struct hearth_tokens stock;
    hearth_account_tokens(&p.alice->account, &stock);
    assert_int_equal(stock.now[PASS_AUTH - 1], TOKEN_GRANT);
    people_close(&p.all);
}

/* A message that nothing pays waits for what its pseudonym gets for nothing, or for tomorrow's
 * tokens. */
static void test_waits(void **state)
{
    static struct pair p;
    uint8_t class = PASS_DELIVERY;
    (void)state;
    begin(&p, 4);
    befriend(&p);
    people_run_ms(&p.all, 60 * 1000);
    person_step(p.alice, drain, &class);
    unsigned sent = 0;
    char text[16];
    struct hearth_op *op;
    for (;; sent++) { /* the credits that are left */
        assert_true(sent < 80);
        (void)snprintf(text, sizeof text, "m%u", sent);
        op = hearth_send(&p.alice->account, &p.alice_chat, text);
        assert_non_null(op);
        people_run_ms(&p.all, 5000);
        if (tasks_of_kind(p.alice->core, TASK_SEND) != 0)
            break;
        hearth_op_detach(op);
    }
    assert_string_equal(p.alice->core->trouble.name, "TOKENS");
    for (int hour = 0; hour < 24 && tasks_of_kind(p.alice->core, TASK_SEND) != 0; hour++)
        people_run_ms(&p.all, 3600 * 1000);
    assert_int_equal(tasks_of_kind(p.alice->core, TASK_SEND), 0);
    hearth_op_detach(op);
    (void)hears(p.bob, &p.bob_chat, text);
    people_close(&p.all);
}

/* bob's homeserver is another one: alice's wants tokens of him, which vouchers of his buy. */
static void begin_two(struct pair *p, uint64_t seed, bool vouchers)
{
    memset(p, 0, sizeof *p);
    memset(&seen, 0, sizeof seen);
    people_init_two(&p->all, seed);
    town_tokens(p->all.town);
    town_watch(p->all.town, saw, NULL);
    if (vouchers)
        assert_true(town_vouchers(p->all.town, TOWN_OTHER));
    pair_register(p, TOWN_OTHER);
}

static void test_vouchers(void **state)
{
    static struct pair p;
    (void)state;
    begin_two(&p, 5, true);
    befriend(&p);
    for (int i = 0; i < 12; i++) {
        struct hearth_op *op = hearth_send(&p.bob->account, &p.bob_chat, "from abroad");
        assert_non_null(op);
        done(p.bob, op);
    }
    assert_int_equal(seen.twice, 0);
    assert_int_equal(mixed(), 0);
    people_close(&p.all);
}

/* The control: without vouchers he does not even learn who asks him. */
static void test_no_vouchers(void **state)
{
    static struct pair p;
    (void)state;
    begin_two(&p, 6, false);
    struct hearth_op *op = hearth_contact_add(&p.alice->account, "bob@b.test");
    assert_non_null(op);
    done(p.alice, op);
    person_sync(p.bob);
    person_settle(p.bob);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_CONTACT_ASKS), 0);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_paid), cmocka_unit_test(test_credits),
        cmocka_unit_test(test_kills),       cmocka_unit_test(test_none_left),
        cmocka_unit_test(test_waits),       cmocka_unit_test(test_vouchers),
        cmocka_unit_test(test_no_vouchers), cmocka_unit_test(test_slow_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
