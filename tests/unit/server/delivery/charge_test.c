/* What calls to the delivery service cost (tokens.md): credits of a leaf, whole tokens where nobody
 * is known, each spent once and with its effect (T1), repeats for nothing, and nothing where the
 * operator has tokens off. */
#include "crypto/hash.h"
#include "server/delivery/delivery_inside.h"
#include "support/delivery/delivery_world.h"
#include "support/vfs_fault.h"

static struct dworld w;
static struct member *a, *b;
static struct tokens purse;
static struct vfs_fault *vfs;

/* Allowances of two calls, so that a test need not make sixty. */
static void scarce(void)
{
    dw_limit(&w, "CREDITS_FREE", 2);
    dw_limit(&w, "CREDITS_PER_TOKEN", 3);
    front_set_tokens(w.front, true);
}

static void draw(uint8_t class)
{
    tokens_draw(&purse, w.keeper, DW_DOMAIN, class, clock_unix_ms(&w.clock) / 1000, 40, &w.rng);
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    vfs = vfs_fault_new("charge");
    w.options.store = (struct store_options){.path = "delivery.db", .files = "charge"};
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, &b, 1);
    dw_pass_s(&w, 3600);
    draw(PASS_DELIVERY);
    scarce();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    vfs_fault_free(vfs);
    return 0;
}

/* `count` tokens from the from-th on go with the next calls. */
static void bring(size_t from, size_t count)
{
    w.metadata = purse.metadata + from;
    w.metadata_count = count;
}

static enum hearth_code say(struct member *m)
{
    return dw_say(m, "hello");
}

static void a_leaf_pays_with_credits(void **state)
{
    (void)state;
    assert_int_equal(say(a), HEARTH_OK); /* the allowance */
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 1);
    assert_int_equal(say(b), HEARTH_OK); /* everybody has one */
    bring(0, 1);
    assert_int_equal(say(a), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(say(a), HEARTH_OK); /* a token is three */
    dw_restart(&w);                      /* and the rest is not lost */
    scarce();
    /* what was in memory began anew; what was bought did not */
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
}

/* T1: in another request it is worth nothing, also after a crash. */
static void T1_a_token_is_spent_once(void **state)
{
    (void)state;
    bring(0, 1);
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
    assert_int_equal(say(b), HEARTH_UNAUTHENTICATED); /* by anybody */
    dw_restart(&w);
    scarce();
    assert_int_equal(say(b), HEARTH_UNAUTHENTICATED);
    bring(1, 1);
    assert_int_equal(say(b), HEARTH_OK);
}

/* T1: nor by a clock that leapt ahead, so that what was spent was swept up, and is set right. */
static void T1_whatever_the_clock_does(void **state)
{
    (void)state;
    bring(0, 1);
    assert_int_equal(say(a), HEARTH_OK);
    w.fake.unix_base_ms += 4 * PASS_DAY_S * 1000ULL;
    for (int i = 0; delivery_expire(w.delivery); i++)
        assert_true(i < 100);
    w.fake.unix_base_ms -= 4 * PASS_DAY_S * 1000ULL;
    assert_int_equal(say(b), HEARTH_UNAUTHENTICATED); /* no key of that day is in use */
}

/* G4: a request that comes again is answered and not charged, whatever it brings. */
static void a_repeat_costs_nothing(void **state)
{
    (void)state;
    Hearth__V1__SendMessageRequest *in = dw_say_request(a, "once");
    struct dsigner signer = dw_signer(a);
    bring(0, 1);
    assert_int_equal(dw_call(&w, "SendMessage", &signer, &in->base), HEARTH_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(dw_call(&w, "SendMessage", &signer, &in->base), HEARTH_OK);
    bring(5, 1); /* stays unspent */
    assert_int_equal(dw_call(&w, "SendMessage", &signer, &in->base), HEARTH_OK);
    bring(5, 1);
    assert_int_equal(say(b), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(say(a), HEARTH_OK); /* two credits of three, and two free ones */
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_OK);
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
}

/* What fails has spent nothing. */
static void a_refused_call_keeps_its_tokens(void **state)
{
    (void)state;
    struct dsigner signer = dw_signer(a);
    Hearth__V1__SendMessageRequest *in = dw_say_request(a, "broken");
    in->message.len--;
    bring(0, 1);
    assert_int_not_equal(dw_call(&w, "SendMessage", &signer, &in->base), HEARTH_OK);
    assert_int_equal(say(b), HEARTH_OK); /* the same token */
}

static void other_tokens_are_none(void **state)
{
    (void)state;
    static const size_t places[] = {0, 4, 5, 36, 37, 100}; /* class, day, nonce, authenticator */
    bring(0, 1);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        purse.bytes[0][places[i]] ^= 1;
        assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
        purse.bytes[0][places[i]] ^= 1;
    }
    bring(0, 33); /* more than one may bring */
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
    bring(0, 2);
    purse.metadata[1].value = purse.bytes[0]; /* one twice */
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
    bring(0, 1);
    assert_int_equal(say(a), HEARTH_OK); /* none of that spent it */
    draw(PASS_QUEUE);
    bring(0, 1);
    assert_int_equal(say(a), HEARTH_UNAUTHENTICATED);
}

/* Unsigned: as many as it costs, no more, no fewer; and no repeat, since it has no id. */
static void anonymous_calls_pay_whole_tokens(void **state)
{
    (void)state;
    Hearth__V1__ReserveGroupIdRequest in = HEARTH__V1__RESERVE_GROUP_ID_REQUEST__INIT;
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 4);
    bring(0, 3);
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_UNAUTHENTICATED);
    bring(0, 5);
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 4);
    bring(0, 4);
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_OK);
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_UNAUTHENTICATED);
    bring(3, 4); /* one of them spent */
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_UNAUTHENTICATED);
    bring(4, 4);
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_OK);
}

/* Prices: a commit is four messages. */
static void a_commit_costs_more(void **state)
{
    (void)state;
    assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 2); /* of three credits each: the allowance is two, all or nothing */
    group_drop_pending(a->group);
    bring(0, 1);
    assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 2);
    group_drop_pending(a->group);
    bring(0, 2);
    assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_OK);
}

/* DoS9: growth costs more: four, and one for each that is added. */
static void a_commit_that_adds_costs_more(void **state)
{
    (void)state;
    struct member *joiners[] = {dw_member(&w, NULL), dw_member(&w, NULL)};
    const struct dcommit commit = {.adds = joiners, .add_count = 2};
    dw_limit(&w, "CREDITS_FREE", 4);
    dw_limit(&w, "CREDITS_PER_TOKEN", 5);
    bring(0, 1);
    assert_int_equal(dw_commit(a, &commit), HEARTH_UNAUTHENTICATED); /* six */
    assert_int_equal(w.wanted, 2);
    group_drop_pending(a->group);
    bring(0, 2);
    assert_int_equal(dw_commit(a, &commit), HEARTH_OK);
}

/* But never more than one call can bring, or there would be groups that nobody can add to. */
static void a_commit_can_be_paid(void **state)
{
    (void)state;
    enum { PRICE = 16, MORE = PAY_TOKENS_MOST - PRICE + 1 };
    struct member *joiners[MORE];
    const struct dcommit commit = {.adds = joiners, .add_count = MORE};
    for (int i = 0; i < MORE; i++)
        joiners[i] = dw_member(&w, NULL);
    dw_limit(&w, "CREDITS_PER_TOKEN", 1);
    dw_limit(&w, "PRICE_MID", PRICE);
    assert_int_equal(dw_commit(a, &commit), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, PAY_TOKENS_MOST); /* not one more, as both would make it */
    group_drop_pending(a->group);
    bring(0, PAY_TOKENS_MOST);
    assert_int_equal(dw_commit(a, &commit), HEARTH_OK);
}

/* DoS8: what is invalid costs what it would have cost; what was not paid is not held against its
 * sender. */
static void an_invalid_commit_is_paid(void **state)
{
    (void)state;
    dw_limit(&w, "COMMITS_LEAF", 1000);
    dw_limit(&w, "INVALID_COMMITS", 3);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_UNAUTHENTICATED);
        group_drop_pending(a->group);
    }
    bring(0, 2);
    Hearth__V1__CommitRequest *in = dw_commit_request(a, &(struct dcommit){0});
    in->commit.data[in->commit.len / 2] ^= 1;
    assert_int_not_equal(dw_commit_send(a, in), HEARTH_OK);
    assert_int_not_equal(w.code, HEARTH_UNAUTHENTICATED);
    group_drop_pending(a->group);
    assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_UNAUTHENTICATED); /* spent */
    group_drop_pending(a->group);
    bring(2, 1);
    assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_OK); /* two were left over */
}

/* Another pseudonym has neither a new allowance nor lost what was bought. */
static void credits_go_with_the_leaf(void **state)
{
    (void)state;
    dw_limit(&w, "CREDITS_PER_TOKEN", 60);
    assert_int_equal(say(b), HEARTH_OK);
    assert_int_equal(say(b), HEARTH_OK);
    bring(0, 1);
    dw_renew(b);
    assert_int_equal(dw_commit(b, &(struct dcommit){.new_record = true}), HEARTH_OK);
    dw_receive_all(&w);
    bring(0, 0);
    for (int i = 0; i < 56; i++)
        assert_int_equal(say(b), HEARTH_OK);
    assert_int_equal(say(b), HEARTH_UNAUTHENTICATED);
}

/* A hoard has its bound. */
static void credits_have_a_bound(void **state)
{
    (void)state;
    dw_limit(&w, "CREDITS_PER_TOKEN", 40);
    dw_limit(&w, "CREDITS_MOST", 64);
    bring(0, 1);
    assert_int_equal(say(a), HEARTH_OK);
    bring(1, 1);
    assert_int_equal(say(a), HEARTH_RESOURCE_EXHAUSTED); /* 78 */
    assert_int_equal(say(b), HEARTH_OK);                 /* and it was not taken */
}

/* Off: nothing is charged, nothing is taken, and the limits hold as ever. */
static void off_means_off(void **state)
{
    (void)state;
    Hearth__V1__ReserveGroupIdRequest in = HEARTH__V1__RESERVE_GROUP_ID_REQUEST__INIT;
    front_set_tokens(w.front, false);
    assert_int_equal(dw_call(&w, "ReserveGroupId", NULL, &in.base), HEARTH_OK);
    bring(0, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(say(a), HEARTH_OK);
    dw_limit(&w, "SEND_LEAF", 3);
    enum hearth_code code = HEARTH_OK;
    for (int i = 0; i < 4 && code == HEARTH_OK; i++)
        code = say(a);
    assert_int_equal(code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(w.retry_s > 0);
    front_set_tokens(w.front, true);
    assert_int_equal(say(b), HEARTH_OK); /* that token is unspent */
}

/* Refused without tokens, with what it costs; paid with them; and not again. */
static void costs(struct member *m, const char *name, const ProtobufCMessage *in, size_t *from)
{
    struct dsigner signer = dw_signer(m);
    bring(0, 0);
    assert_int_equal(dw_call(&w, name, &signer, in), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 3);
    bring(*from, 3);
    assert_int_equal(dw_call(&w, name, &signer, in), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(dw_call(&w, name, &signer, in), HEARTH_OK);
    *from += 3;
}

/* Members' calls that people hardly ever make (client/core/prices_test.c has all others). */
static void rare_calls_are_paid(void **state)
{
    (void)state;
    Hearth__V1__UpdateProfileKeyRequest profile;
    Hearth__V1__ReplaceGroupInfoRequest replace;
    Hearth__V1__ReportFaultRequest report;
    struct buf info = BUF_INIT;
    struct digest hash;
    size_t from = 0;
    Hearth__V1__CommitRequest *commit = dw_commit_request(b, &(struct dcommit){0});
    front_set_tokens(w.front, false);
    assert_int_equal(dw_commit_send(b, commit), HEARTH_OK);
    dw_receive_all(&w);
    hash_once(&hash_sha256, bytes_of(commit->commit.data, commit->commit.len), &hash);
    front_set_tokens(w.front, true);
    dw_limit(&w, "CREDITS_FREE", 1);
    dw_limit(&w, "PRICE_LOW", 3);
    dw_limit(&w, "CREDITS_PER_TOKEN", 1);
    hearth__v1__update_profile_key_request__init(&profile);
    profile.idempotency = dw_once(&w);
    profile.group = dw_access(&w, b->state_key);
    profile.wrapped_profile_key = dw_bytes(&w, bytes_str("wrapped"));
    costs(b, "UpdateProfileKey", &profile.base, &from);
    assert_ok(group_make_info(b->group, &b->client,
                              (struct group_info_options){.external_pub = true}, &info));
    hearth__v1__replace_group_info_request__init(&replace);
    replace.idempotency = dw_once(&w);
    replace.group = dw_access(&w, b->state_key);
    replace.epoch = group_epoch(b->group);
    replace.group_info = dw_parts(&w, buf_view(&info));
    costs(b, "ReplaceGroupInfo", &replace.base, &from);
    hearth__v1__report_fault_request__init(&report);
    report.idempotency = dw_once(&w);
    report.group = dw_access(&w, a->state_key);
    report.epoch = group_epoch(a->group);
    report.commit_hash = dw_bytes(&w, digest_view(&hash));
    costs(a, "ReportFault", &report.base, &from);
    buf_clear(&info);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_leaf_pays_with_credits),   TEST(T1_a_token_is_spent_once),
        TEST(a_repeat_costs_nothing),     TEST(a_refused_call_keeps_its_tokens),
        TEST(other_tokens_are_none),      TEST(anonymous_calls_pay_whole_tokens),
        TEST(a_commit_costs_more),        TEST(a_commit_that_adds_costs_more),
        TEST(an_invalid_commit_is_paid),  TEST(credits_go_with_the_leaf),
        TEST(credits_have_a_bound),       TEST(off_means_off),
        TEST(rare_calls_are_paid),        TEST(a_commit_can_be_paid),
        TEST(T1_whatever_the_clock_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
