/* What the operator may know of a user and do to it. */
#include "support/auth/person.h"

static struct auth_world w;
static struct person p, other;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "operator");
    auth_world_start(&w, false);
    person_init(&p, &w);
    person_init(&other, &w);
    assert_int_equal(person_register(&p), HEARTH_OK);
    assert_int_equal(person_register(&other), HEARTH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    person_clear(&other);
    auth_world_end(&w);
    return 0;
}

static enum hearth_code renew(struct device *d, uint8_t n)
{
    const uint8_t whole[16] = {n};
    struct buf request = BUF_INIT;
    Hearth__V1__RenewClientRequest in = HEARTH__V1__RENEW_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    device_request(d, &request);
    id.id = auth_data(bytes_of(whole, sizeof whole));
    in.idempotency = &id;
    in.credential_request = auth_data(buf_view(&request));
    enum hearth_code code = auth_world_call(&w, &d->caller, "RenewClient", &in.base, NULL);
    buf_clear(&request);
    return code;
}

static void shows_no_more_than_it_says(void **state)
{
    (void)state;
    struct auth_user_facts facts;
    assert_ok(auth_user_show(w.auth, p.uuid, &facts));
    assert_true(facts.clients == 1 && facts.seen_month == 0 && !facts.used && !facts.suspended);
    struct device *second = person_add_device(&p);
    assert_int_equal(person_add_client(&p, &p.devices[0], second, NULL), HEARTH_OK);
    assert_ok(auth_user_show(w.auth, p.uuid, &facts));
    assert_true(facts.clients == 2 && facts.used);
    assert_int_equal(facts.seen_month, (2027 - 1970) * 12);
    assert_ok(auth_user_show(w.auth, other.uuid, &facts));
    assert_true(facts.clients == 1 && !facts.used);
    const uint8_t nobody[16] = {0};
    assert_err(auth_user_show(w.auth, nobody, &facts), NOT_FOUND);
    assert_err(auth_user_suspend(w.auth, nobody, true), NOT_FOUND);
    assert_err(auth_user_remove(w.auth, nobody), NOT_FOUND);
}

static void a_suspended_user_is_unknown_and_may_go(void **state)
{
    (void)state;
    struct auth_user_facts facts;
    struct device *first = &p.devices[0], *second = person_add_device(&p);
    assert_ok(auth_user_suspend(w.auth, p.uuid, true));
    assert_ok(auth_user_suspend(w.auth, p.uuid, true)); /* twice is once */
    assert_int_equal(person_list(&p, first, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(person_add_client(&p, first, second, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(renew(first, 1), HEARTH_UNAUTHENTICATED);
    assert_int_equal(person_list(&other, &other.devices[0], NULL), HEARTH_OK);
    auth_world_restart(&w, true);
    assert_int_equal(person_list(&p, first, NULL), HEARTH_UNAUTHENTICATED);
    assert_ok(auth_user_show(w.auth, p.uuid, &facts));
    assert_true(facts.suspended);
    assert_ok(auth_user_suspend(w.auth, p.uuid, false));
    assert_int_equal(renew(first, 1), HEARTH_OK);
    assert_ok(auth_user_suspend(w.auth, p.uuid, true));
    const uint8_t id[16] = {9};
    assert_int_equal(person_delete(&p, first, id), HEARTH_OK);
    assert_err(auth_user_show(w.auth, p.uuid, &facts), NOT_FOUND);
}

static void a_removed_user_is_gone_and_revoked(void **state)
{
    (void)state;
    struct auth_counts counts;
    assert_ok(auth_user_suspend(w.auth, p.uuid, true));
    assert_ok(auth_user_remove(w.auth, p.uuid));
    assert_ok(auth_counts(w.auth, &counts));
    assert_true(counts.users == 1 && counts.clients == 1 && counts.revoked == 1);
    assert_int_equal(person_list(&p, &p.devices[0], NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(person_list(&other, &other.devices[0], NULL), HEARTH_OK);
    /* told to everybody at once */
    struct buf list = BUF_INIT, bytes = BUF_INIT;
    struct credential signing;
    struct revocations r;
    assert_ok(auth_revocations(w.auth, &list));
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &bytes));
    assert_ok(credential_parse(buf_view(&bytes), &signing));
    assert_ok(revocations_read(buf_view(&list), &signing, &r));
    assert_int_equal(r.list.len, CREDENTIAL_FINGERPRINT_BYTES);
    buf_clear(&list);
    buf_clear(&bytes);
    /* a label that ever was is never given again */
    assert_int_equal(person_register(&p), HEARTH_PERMISSION_DENIED);
}

static void count_report(void *arg, uint64_t number, uint64_t day, uint64_t bytes)
{
    uint64_t *seen = arg;
    assert_true(number > seen[0] && day > 0);
    seen[0] = number;
    seen[1] += bytes;
    seen[2]++;
}

static void reports_are_listed_in_pieces(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AUTH_REPORTS_LISTED + 3; i++) {
        const uint8_t whole[16] = {(uint8_t)i, (uint8_t)(i >> 8), 1};
        if (i % 8 == 7)
            auth_world_hours(&w, 1); /* limits of callers */
        Hearth__V1__ReportAbuseRequest in = HEARTH__V1__REPORT_ABUSE_REQUEST__INIT;
        Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
        id.id = auth_data(bytes_of(whole, sizeof whole));
        in.idempotency = &id;
        in.report = auth_data(bytes_str("report"));
        assert_int_equal(auth_world_call(&w, &p.devices[0].caller, "ReportAbuse", &in.base, NULL),
                         HEARTH_OK);
    }
    uint64_t seen[3] = {0, 0, 0};
    assert_ok(auth_report_list(w.auth, 0, count_report, seen));
    assert_int_equal(seen[2], AUTH_REPORTS_LISTED);
    assert_int_equal(seen[1], 6 * AUTH_REPORTS_LISTED);
    assert_ok(auth_report_list(w.auth, seen[0], count_report, seen));
    assert_int_equal(seen[2], AUTH_REPORTS_LISTED + 3);
    assert_ok(auth_report_drop(w.auth, seen[0]));
    assert_err(auth_report_drop(w.auth, seen[0]), NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(shows_no_more_than_it_says),
        TEST(a_suspended_user_is_unknown_and_may_go),
        TEST(a_removed_user_is_gone_and_revoked),
        TEST(reports_are_listed_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
