/* F19 through the whole server: what a member chose for one group decides whether the queue service
 * wakes its device, though the device's own policy says "everything". */
#include "support/house/resident.h"

static struct house house;
static struct resident alice, bob, carol;

enum {
    POLICY_NONE = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_NONE,
    POLICY_MARKED = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_MARKED,
    POLICY_ALL = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_ALL,
};

/* How often bob (2) is woken by what happens now; carol (3) always is. */
static unsigned bob_wakes(enum hearth_code code)
{
    unsigned bobs = house.pushed[2], carols = house.pushed[3];
    assert_int_equal(code, HEARTH_OK);
    house_run_ms(&house, 1000);
    assert_int_equal(house.pushed[3], carols + 1);
    return house.pushed[2] - bobs;
}

static void set(struct membership *m, int policy)
{
    assert_int_equal(membership_policy(m, (Hearth__V1__NotificationPolicy)policy), HEARTH_OK);
}

static void begin(void)
{
    house_init(&house, 19);
    house.push = true;
    house_open(&house);
    resident_init(&alice, &house, 1);
    resident_init(&bob, &house, 2);
    resident_init(&carol, &house, 3);
    assert_int_equal(resident_publish(&bob, 5), HEARTH_OK);
    assert_int_equal(resident_publish(&carol, 5), HEARTH_OK);
}

static struct membership *together(void)
{
    struct resident *list[] = {&bob, &carol};
    struct membership *m = resident_found(&alice);
    assert_non_null(m);
    assert_int_equal(membership_commit(m, &(struct commit_wish){.add = list, .add_count = 2}),
                     HEARTH_OK);
    house_run_ms(&house, 1000);
    resident_sync(&bob, 0);
    resident_sync(&carol, 0);
    return m;
}

static void a_group_may_be_quiet(void **state)
{
    (void)state;
    begin();
    struct membership *m = together(), *other = together();
    struct membership *b = resident_in(&bob, m);
    uint32_t leaf = group_own_leaf(b->group);
    /* woken by both Welcomes, and by what comes as long as nothing was chosen */
    assert_int_equal(house.pushed[2], 2);
    assert_int_equal(bob_wakes(membership_send(m, 1)), 1);
    set(b, POLICY_NONE);
    assert_int_equal(bob_wakes(membership_send(m, 2)), 0);
    m->mentioned[0] = leaf;
    m->mentioned_count = 1;
    assert_int_equal(bob_wakes(membership_send(m, 3)), 0);
    assert_int_equal(bob_wakes(membership_commit(m, &(struct commit_wish){0})), 0);
    /* the other group goes on as before */
    assert_int_equal(bob_wakes(membership_send(other, 4)), 1);
    /* mentions and what is for bob alone */
    resident_sync(&bob, 0);
    set(b, POLICY_MARKED);
    m->unmarked = true;
    assert_int_equal(bob_wakes(membership_send(m, 5)), 1);
    m->mentioned_count = 0;
    m->unmarked = false;
    assert_int_equal(bob_wakes(membership_send(m, 6)), 0);
    unsigned carols = house.pushed[3];
    assert_int_equal(membership_send_targeted(m, leaf), HEARTH_OK);
    house_run_ms(&house, 1000);
    assert_int_equal(house.pushed[2], 6); /* two Welcomes, 1, 4, 5, and this */
    assert_int_equal(house.pushed[3], carols);
    /* it is in the state, which outlives the process */
    house_kill(&house);
    house_open(&house);
    assert_int_equal(bob_wakes(membership_send(m, 7)), 0);
    set(b, POLICY_ALL);
    assert_int_equal(bob_wakes(membership_send(m, 8)), 1);
    /* nothing was kept from bob: seven messages of m, one of the other group */
    resident_sync(&bob, 0);
    assert_int_equal(bob.got_count, 8);
    resident_clear(&alice);
    resident_clear(&bob);
    resident_clear(&carol);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_may_be_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
