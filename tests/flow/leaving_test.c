/* Ways out of a group that cross all layers: a queue that is gone, a member that is silent, a group
 * that is deleted; and small talk under the limits as they are shipped. */
#include "mls/codec/message.h"
#include "support/house/oracle.h"
#include "support/house/resident_inside.h"

static struct house house;
static struct resident alice, bob, carol;
static struct resident *const all[] = {&alice, &bob, &carol};
enum { ALL = 3 };

static struct membership *begin(bool limits)
{
    house_init(&house, 11);
    house.limits = limits;
    house_open(&house);
    for (uint32_t i = 0; i < ALL; i++) {
        resident_init(all[i], &house, i + 1);
        assert_int_equal(resident_publish(all[i], 5), HEARTH_OK);
    }
    struct membership *m = resident_found(&alice);
    assert_non_null(m);
    struct resident *add[] = {&bob, &carol};
    assert_int_equal(membership_commit(m, &(struct commit_wish){.add = add, .add_count = 2}),
                     HEARTH_OK);
    return m;
}

static void sync(struct resident *r)
{
    house_run_ms(&house, 3000);
    resident_sync(r, 0);
}

static void end(void)
{
    for (size_t i = 0; i < ALL; i++)
        resident_clear(all[i]);
    house_close(&house);
}

static void days(uint64_t count)
{
    house_settle(&house);
    house.fake.now_us += count * UINT64_C(86400000000);
    house_run_ms(&house, 30000);
    house_expire(&house);
}

static void small_talk_fits_the_limits(void **state)
{
    (void)state;
    struct membership *m = begin(true);
    sync(&bob);
    sync(&carol);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(membership_send(m, 100 + i), HEARTH_OK);
        assert_int_equal(membership_send(resident_in(&bob, m), 200 + i), HEARTH_OK);
        sync(&carol);
    }
    assert_int_equal(carol.got_count, 100);
    sync(&bob);
    assert_int_equal(bob.got_count, 50);
    /* and the limit is there */
    enum hearth_code code = HEARTH_OK;
    for (uint32_t i = 0; i < 100 && code == HEARTH_OK; i++)
        code = membership_send(m, 300 + i);
    assert_int_equal(code, HEARTH_RESOURCE_EXHAUSTED);
    end();
}

/* The courier hears "gone", the delivery service notes it, the next to open the group learns of it
 * as a proposal by the server, and the next commit removes the leaf. */
static void a_queue_that_is_gone_ends_its_membership(void **state)
{
    (void)state;
    struct membership *m = begin(false);
    sync(&bob);
    sync(&carol);
    resident_give_up(&bob);
    assert_int_equal(membership_send(m, 1), HEARTH_OK);
    sync(&carol);
    assert_int_equal(courier_stats(house.courier).gone, 1);
    assert_int_equal(alice.proposals, 0);
    assert_int_equal(membership_send(m, 2), HEARTH_OK); /* opens the group: the notice is read */
    sync(&alice);
    sync(&carol);
    assert_int_equal(alice.proposals, 1);
    assert_int_equal(carol.proposals, 1);
    assert_int_equal(group_public(m->group)->tree.member_count, 3);
    assert_int_equal(membership_commit(m, &(struct commit_wish){0}), HEARTH_OK);
    assert_int_equal(group_public(m->group)->tree.member_count, 2);
    uint64_t gone = courier_stats(house.courier).gone;
    assert_int_equal(membership_send(m, 3), HEARTH_OK);
    sync(&carol);
    assert_int_equal(carol.got_count, 3);
    assert_true(bytes_equal(group_epoch_authenticator(resident_in(&carol, m)->group),
                            group_epoch_authenticator(m->group)));
    /* the commit that removed it was the last that went to the queue */
    assert_true(courier_stats(house.courier).gone <= gone + 1);
    sync(&alice);
    gone = courier_stats(house.courier).gone;
    assert_int_equal(membership_send(m, 4), HEARTH_OK);
    sync(&carol);
    assert_int_equal(courier_stats(house.courier).gone, gone);
    end();
}

/* F4: who says nothing for 90 days, counted in whole months, is proposed to be removed; who speaks
 * is not. */
static void a_silent_member_is_proposed_to_be_removed(void **state)
{
    (void)state;
    struct membership *m = begin(false);
    sync(&bob);
    sync(&carol);
    int month = 0;
    for (; alice.proposals == 0 && month < 10; month++) {
        days(25);
        assert_int_equal(membership_commit(m, &(struct commit_wish){0}), HEARTH_OK);
        sync(&bob);
        sync(&carol);
        assert_int_equal(membership_send(resident_in(&bob, m), (uint32_t)month), HEARTH_OK);
        sync(&alice);
    }
    assert_in_range(month * 25, 90, 160);
    assert_int_equal(alice.proposals, 1);
    assert_int_equal(membership_commit(m, &(struct commit_wish){0}), HEARTH_OK);
    sync(&carol);
    sync(&bob);
    assert_non_null(resident_in(&bob, m));
    assert_null(resident_in(&carol, m));
    end();
}

/* A commit that removes all others. */
static void a_deleted_group_is_gone_for_all(void **state)
{
    (void)state;
    struct membership *m = begin(false);
    sync(&bob);
    sync(&carol);
    assert_int_equal(membership_delete(m), HEARTH_OK);
    sync(&bob);
    sync(&carol);
    assert_null(resident_in(&bob, m));
    assert_null(resident_in(&carol, m));
    assert_int_not_equal(membership_send(m, 1), HEARTH_OK);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_talk_fits_the_limits),
        cmocka_unit_test(a_queue_that_is_gone_ends_its_membership),
        cmocka_unit_test(a_silent_member_is_proposed_to_be_removed),
        cmocka_unit_test(a_deleted_group_is_gone_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
