/* Paying for a call whose effect is no transaction of its own (charge_call()), at a till that keeps
 * what it is to do until the test lets it. */
#include "bed.h"
#include "server/front/charge.h"

static struct {
    struct store_work work; /* that waits */
    bool waits, write, full;
    unsigned submits, refs, thens, went_on; /* thens: of a call that is gone, too */
} till;

static void ref(void *service)
{
    (void)service;
    till.refs++;
}

static void unref(void *service)
{
    (void)service;
    till.refs--;
}

static struct err submit(void *service, bool write, struct inbox *inbox,
                         const struct store_work *work)
{
    (void)service;
    (void)inbox;
    till.submits++;
    if (till.full)
        return ERR(STORE_FULL);
    assert_false(till.waits);
    till.work = *work;
    till.waits = true;
    till.write = write;
    return ERR_OK;
}

static void then(struct hearth_call *call, void *arg)
{
    assert_ptr_equal(arg, &till);
    till.thens++;
    if (call == NULL)
        return;
    till.went_on++;
    Bench__EchoReply out = BENCH__ECHO_REPLY__INIT;
    hearth_call_reply(call, &out.base);
}

static enum hearth_code pays(struct world *w, struct hearth_call *call,
                             const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    struct charge charge;
    const struct charge_till t = {.ref = ref, .unref = unref, .submit = submit};
    (void)w;
    (void)in;
    (void)out;
    charge_begin_always(bed.front, call, 1, &charge);
    return charge_call(call, &t, &charge, then, &till);
}

static int setup(void **state)
{
    memset(&till, 0, sizeof till);
    (void)bed_setup(state);
    bed.w.handler = pays;
    return 0;
}

/* The step that waits is over; nothing of it was done. */
static void done(struct err result)
{
    assert_true(till.waits);
    till.waits = false;
    till.work.done(till.work.arg, result);
}

static struct outcome o;

static void call(void)
{
    struct hearth_call_options options = {.signer = caller_signer(&bed.callers[0])};
    o = (struct outcome){0};
    world_open(&bed.w, WORLD_UNARY, &options, &o);
    (void)outcome_write(&o, 10);
    hearth_client_call_half_close(o.call);
    world_settle(&bed.w);
}

/* Looked at, then taken, then it goes on. */
static void read_before_it_is_written(void **state)
{
    (void)state;
    call();
    assert_true(till.waits);
    assert_false(till.write);
    done(ERR_OK);
    assert_true(till.write);
    assert_int_equal(till.thens, 0);
    done(ERR_OK);
    assert_int_equal(till.went_on, 1);
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    assert_int_equal(till.refs, 0);
}

/* Nobody waits any more: what was only looked at is not taken. */
static void who_left_has_spent_nothing(void **state)
{
    (void)state;
    call();
    hearth_client_call_cancel(o.call);
    world_settle(&bed.w);
    done(ERR_OK);
    assert_false(till.waits);
    assert_int_equal(till.submits, 1);
    assert_int_equal(till.thens, 1);
    assert_int_equal(till.went_on, 0);
    assert_int_equal(till.refs, 0);
}

/* It was taken by then; there is nobody to go on for. */
static void who_leaves_later_is_let_go(void **state)
{
    (void)state;
    call();
    done(ERR_OK);
    hearth_client_call_cancel(o.call);
    world_settle(&bed.w);
    done(ERR_OK);
    assert_int_equal(till.thens, 1);
    assert_int_equal(till.went_on, 0);
    assert_int_equal(till.refs, 0);
}

/* At either step: the call ends, once, and what it brought along goes. */
static void not_paid(void **state)
{
    (void)state;
    for (int step = 0; step < 2; step++) {
        memset(&till, 0, sizeof till);
        call();
        if (step == 1)
            done(ERR_OK);
        done(ERR(PASS_SPENT));
        assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_UNAUTHENTICATED);
        assert_int_equal(till.thens, 1);
        assert_int_equal(till.went_on, 0);
        assert_int_equal(till.refs, 0);
    }
    memset(&till, 0, sizeof till);
    till.full = true;
    call();
    assert_int_not_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    assert_int_equal(till.thens, 1);
    assert_int_equal(till.went_on, 0);
    assert_int_equal(till.refs, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(read_before_it_is_written),
        TEST(who_left_has_spent_nothing),
        TEST(who_leaves_later_is_let_go),
        TEST(not_paid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
