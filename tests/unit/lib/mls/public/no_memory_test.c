/* Every allocation failed once in turn: the error is NO_MEMORY, nothing leaks (the sanitizer builds
 * see to that in the other tests), and the group is byte for byte as before. */
#include "kit/mls_kit.h"
#include "support/failing.h"
#include "support/test.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k, suite_find(1), 50);
    kit_group(&k, 7, true, &(struct extensions){0});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_clear(&k);
    return 0;
}

static struct bytes saved(void)
{
    struct buf b = BUF_INIT;
    public_group_save(&b, &k.group);
    return kit_take(&k, &b);
}

/* Processes with the n-th allocation failing, for each n; the last time succeeds. */
static long exhaust(struct bytes message, struct staged_commit **ret_staged)
{
    struct bytes before = saved();
    for (long n = 0;; n++) {
        struct staged_commit *staged = NULL;
        test_fail_allocation(n);
        struct err err = public_group_process(&k.group, message, &k.policy, &staged);
        if (!test_allocation_failed()) {
            assert_ok(err);
            *ret_staged = staged;
            return n;
        }
        assert_err(err, NO_MEMORY);
        assert_null(staged);
        assert_true(bytes_equal(before, saved()));
    }
}

static void processing(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct staged_commit *staged = NULL;
    struct bytes update = kit_member_proposal(&k, 3, kit_update(&k, 3));
    assert_true(exhaust(update, &staged) > 3);
    assert_null(staged);
    uint32_t client[2] = {kit_client_new(&k), kit_client_new(&k)};
    struct proposal_or_ref list[] = {
        kit_by_ref(&k, update),
        kit_by_value(&k, kit_add(&k, client[0])),
        kit_by_value(&k, kit_add(&k, client[1])),
        kit_by_value(&k, kit_remove(&k, 5)),
    };
    assert_true(exhaust(kit_commit(&k, 0, list, 4, true), &staged) > 30);
    public_group_merge(&k.group, &staged);
    assert_int_equal(public_group_member_count(&k.group), 8);
}

static void joining(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct mls_message m;
    struct public_group g;
    struct bytes state_bytes = saved();
    assert_ok(mls_message_parse(kit_group_info(&k, 0, bytes_of(NULL, 0)), &k.arena, &m));
    for (int which = 0; which < 2; which++) {
        for (long n = 0;; n++) {
            test_fail_allocation(n);
            struct err err =
                which == 0
                    ? public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &k.policy, &g)
                    : public_group_load(state_bytes, &g);
            if (!test_allocation_failed()) {
                assert_ok(err);
                assert_true(n > 10);
                public_group_clear(&g);
                break;
            }
            assert_err(err, NO_MEMORY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(processing, setup, teardown),
        cmocka_unit_test_setup_teardown(joining, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
