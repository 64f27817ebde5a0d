/* Memory that ends in the middle of a request: the caller hears of it, the group is as it was or as
 * it should be, and the same request repeated succeeds with one effect. */
#include "support/delivery/delivery_world.h"
#include "support/failing.h"

static struct dworld w;
static struct member *a, *b, *c, *d;

static void begin(void)
{
    memset(&w, 0, sizeof w);
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    d = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
}

/* Calls with the n-th allocation failing, then again until it succeeds. False: it made fewer. */
static bool call_failing(const char *name, const struct dsigner *signer, const ProtobufCMessage *in,
                         long n)
{
    dw_begin(&w, name, signer, in);
    test_fail_own_allocation(n);
    dw_settle(&w);
    bool failed = test_allocation_failed();
    enum hearth_code code = dw_wait(&w);
    if (!failed)
        assert_int_equal(code, HEARTH_OK);
    for (int tries = 0; code != HEARTH_OK && tries < 5; tries++) {
        dw_pass_s(&w, 2);
        code = dw_call(&w, name, signer, in);
    }
    if (code != HEARTH_OK)
        fail_msg("allocation %ld: %s: %s", n, hearth_code_name(code), w.message);
    dw_pass_s(&w, 70); /* the courier looks again, should it have been its memory */
    return failed;
}

/* Every one of the first, then further and further apart. */
static long next(long n)
{
    return n + 1 + n / 24;
}

static void a_message(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    bool failed = true;
    for (long n = 0; failed; n = next(n)) {
        begin();
        Hearth__V1__SendMessageRequest *in = dw_say_request(a, "once");
        struct dsigner signer = dw_signer(a);
        failed = call_failing("SendMessage", &signer, &in->base, n);
        dw_receive_all(&w);
        assert_int_equal(b->seen[DELIVERY_MESSAGE], 1);
        assert_int_equal(c->seen[DELIVERY_MESSAGE], 1);
        dw_end(&w);
    }
}

static void a_commit(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    bool failed = true;
    for (long n = 0; failed; n = next(n)) {
        begin();
        uint32_t gone = dw_leaf(c);
        uint8_t key[STATE_KEY_BYTES];
        memcpy(key, a->state_key, sizeof key);
        Hearth__V1__CommitRequest *in = dw_commit_request(
            a, &(struct dcommit){.adds = &d, .add_count = 1, .removes = &gone, .remove_count = 1});
        struct dsigner signer = dw_signer(a);
        failed = call_failing("Commit", &signer, &in->base, n);
        const Hearth__V1__CommitResponse *out = (void *)w.out;
        memcpy(a->old_state_key, key, sizeof key);
        memcpy(a->state_key, out->state_key.data, STATE_KEY_BYTES);
        assert_ok(group_merge_pending(a->group));
        dw_join(d, key, group_epoch(a->group));
        dw_receive_all(&w);
        dw_agree(&w);
        assert_int_equal(b->seen[DELIVERY_COMMIT], 1);
        assert_memory_equal(b->state_key, a->state_key, STATE_KEY_BYTES);
        assert_memory_equal(d->state_key, a->state_key, STATE_KEY_BYTES);
        dw_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message),
        cmocka_unit_test(a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
