/* The first real path: alice and bob, through every layer there is. */
#include "support/house/resident.h"

static struct house house;
static struct resident alice, bob;

static void alice_adds_bob_and_they_talk(void **state)
{
    (void)state;
    house_init(&house, 1);
    house_open(&house);
    resident_init(&alice, &house, 1);
    resident_init(&bob, &house, 2);
    assert_int_equal(resident_publish(&bob, 5), HEARTH_OK);
    struct membership *m = resident_found(&alice);
    if (m == NULL)
        fail_msg("CreateGroup: %s", alice.last.message);
    struct resident *list[] = {&bob};
    enum hearth_code code =
        membership_commit(m, &(struct commit_wish){.add = list, .add_count = 1});
    if (code != HEARTH_OK)
        fail_msg("Commit: %s: %s", hearth_code_name(code), alice.last.message);
    house_run_ms(&house, 1000);
    resident_sync(&bob, 0);
    assert_int_equal(bob.welcomes, 1);
    struct membership *b = resident_in(&bob, m);
    assert_non_null(b);
    assert_int_equal(group_epoch(b->group), group_epoch(m->group));
    assert_true(
        bytes_equal(group_epoch_authenticator(b->group), group_epoch_authenticator(m->group)));
    assert_int_equal(membership_send(m, 7), HEARTH_OK);
    house_run_ms(&house, 1000);
    resident_sync(&bob, 0);
    assert_int_equal(bob.got_count, 1);
    assert_int_equal(bob.got[0].message, 7);
    assert_int_equal(bob.got[0].sender, 1);
    assert_int_equal(membership_send(b, 8), HEARTH_OK);
    house_run_ms(&house, 1000);
    resident_sync(&alice, 0);
    assert_int_equal(alice.got_count, 1);
    assert_int_equal(alice.got[0].message, 8);
    /* all of it was taken away behind them */
    struct courier_stats stats = courier_stats(house.courier);
    assert_int_equal(stats.delivered, 3);
    assert_int_equal(stats.gone + stats.refused + stats.later + stats.lost, 0);
    resident_clear(&alice);
    resident_clear(&bob);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alice_adds_bob_and_they_talk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
