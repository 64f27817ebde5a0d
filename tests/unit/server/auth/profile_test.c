/* Profiles in two steps, invitations of users, reports. */
#include "support/auth/person.h"

static struct auth_world w;
static struct person p;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    w.options.user_invitations = true;
    auth_world_start(&w, false);
    person_init(&p, &w);
    assert_int_equal(person_register(&p), HEARTH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    auth_world_end(&w);
    return 0;
}

static struct auth_counts counts(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c;
}

static void assert_profile(uint8_t index, const char *want)
{
    struct buf b = BUF_INIT;
    enum hearth_code code = world_get_profile(&w, index, &b);
    assert_int_equal(code, want != NULL ? HEARTH_OK : HEARTH_NOT_FOUND);
    if (want != NULL)
        test_assert_bytes(buf_view(&b), bytes_str(want));
    buf_clear(&b);
}

static void staged_is_not_shown(void **state)
{
    (void)state;
    struct device *d = &p.devices[0];
    assert_int_equal(person_commit_profile(&p, d), HEARTH_FAILED_PRECONDITION);
    assert_int_equal(person_stage_profile(&p, d, 1, bytes_str("first")), HEARTH_OK);
    assert_profile(1, NULL);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    assert_profile(1, "first");
    assert_int_equal(person_stage_profile(&p, d, 2, bytes_str("second")), HEARTH_OK);
    assert_profile(1, "first");
    assert_profile(2, NULL);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    assert_profile(1, NULL); /* the old one is gone */
    assert_profile(2, "second");
}

static void staging_again_replaces(void **state)
{
    (void)state;
    struct device *d = &p.devices[0];
    assert_int_equal(person_stage_profile(&p, d, 1, bytes_str("first")), HEARTH_OK);
    assert_int_equal(person_stage_profile(&p, d, 1, bytes_str("again")), HEARTH_OK);
    assert_int_equal(person_stage_profile(&p, d, 2, bytes_str("other")), HEARTH_OK);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    assert_profile(1, NULL);
    assert_profile(2, "other");
}

/* Nobody replaces another's profile by knowing its index. */
static void an_index_in_use_is_refused(void **state)
{
    (void)state;
    struct person other;
    person_init(&other, &w);
    assert_int_equal(person_register(&other), HEARTH_OK);
    assert_int_equal(person_stage_profile(&p, &p.devices[0], 1, bytes_str("mine")), HEARTH_OK);
    assert_int_equal(person_commit_profile(&p, &p.devices[0]), HEARTH_OK);
    assert_int_equal(person_stage_profile(&other, &other.devices[0], 1, bytes_str("yours")),
                     HEARTH_INVALID_ARGUMENT);
    assert_profile(1, "mine");
    person_clear(&other);
}

static void the_largest_profile(void **state)
{
    (void)state;
    struct buf large = BUF_INIT, got = BUF_INIT;
    memset(buf_extend(&large, 98304), 0x5a, 98304);
    struct device *d = &p.devices[0];
    assert_int_equal(person_stage_profile(&p, d, 1, buf_view(&large)), HEARTH_OK);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    assert_int_equal(world_get_profile(&w, 1, &got), HEARTH_OK);
    test_assert_bytes(buf_view(&got), buf_view(&large));
    buf_append_byte(&large, 1);
    assert_int_equal(person_stage_profile(&p, d, 2, buf_view(&large)), HEARTH_INVALID_ARGUMENT);
    buf_clear(&large);
    buf_clear(&got);
}

/* ---- invitations */

static enum hearth_code create(const uint8_t id[16], uint32_t count,
                               Hearth__V1__CreateInvitationsResponse **out)
{
    Hearth__V1__CreateInvitationsRequest in = HEARTH__V1__CREATE_INVITATIONS_REQUEST__INIT;
    Hearth__V1__Idempotency iid = HEARTH__V1__IDEMPOTENCY__INIT;
    iid.id = auth_data(bytes_of(id, 16));
    in.idempotency = &iid;
    in.count = count;
    return auth_world_call(&w, NULL, "CreateInvitations", &in.base, (ProtobufCMessage **)out);
}

static bool valid(struct bytes code)
{
    Hearth__V1__CheckInvitationRequest in = HEARTH__V1__CHECK_INVITATION_REQUEST__INIT;
    Hearth__V1__CheckInvitationResponse *out = NULL;
    in.code = auth_data(code);
    assert_int_equal(
        auth_world_call(&w, NULL, "CheckInvitation", &in.base, (ProtobufCMessage **)&out),
        HEARTH_OK);
    bool answer = out->valid;
    hearth__v1__check_invitation_response__free_unpacked(out, NULL);
    return answer;
}

/* G4: the codes are made once. */
static void G4_invitations_are_made_once(void **state)
{
    (void)state;
    const uint8_t id[16] = {1};
    Hearth__V1__CreateInvitationsResponse *first = NULL, *again = NULL;
    struct person guest;
    uint8_t iid[16] = {9};
    assert_int_equal(create(id, 16, &first), HEARTH_OK);
    assert_int_equal(create(id, 16, &again), HEARTH_OK);
    assert_int_equal(first->n_codes, 16);
    assert_int_equal(again->n_codes, 16);
    for (size_t i = 0; i < 16; i++) {
        test_assert_bytes(auth_view(again->codes[i]), auth_view(first->codes[i]));
        assert_true(valid(auth_view(first->codes[i])));
    }
    assert_int_equal(counts().invitations, 16);
    person_init(&guest, &w);
    assert_int_equal(person_register_with(&guest, first->codes[3].data, iid, NULL, NULL),
                     HEARTH_OK);
    assert_false(valid(auth_view(first->codes[3])));
    w.fake.now_us += 8ULL * 86400 * 1000000;
    assert_false(valid(auth_view(first->codes[4])));
    person_clear(&guest);
    hearth__v1__create_invitations_response__free_unpacked(first, NULL);
    hearth__v1__create_invitations_response__free_unpacked(again, NULL);
}

static int setup_invited(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_start(&w, false);
    person_init(&p, &w);
    return 0;
}

/* While tokens are not charged, strangers make no invitations. */
static void users_do_not_invite_unless_told_so(void **state)
{
    (void)state;
    const uint8_t id[16] = {1};
    assert_int_equal(create(id, 1, NULL), HEARTH_PERMISSION_DENIED);
    assert_int_equal(counts().invitations, 0);
}

/* ---- reports */

static enum hearth_code report(uint8_t id, struct bytes text)
{
    Hearth__V1__ReportAbuseRequest in = HEARTH__V1__REPORT_ABUSE_REQUEST__INIT;
    Hearth__V1__Idempotency iid = HEARTH__V1__IDEMPOTENCY__INIT;
    const uint8_t whole[16] = {id};
    iid.id = auth_data(bytes_of(whole, 16));
    in.idempotency = &iid;
    in.report = auth_data(text);
    return auth_world_call(&w, &p.devices[0].caller, "ReportAbuse", &in.base, NULL);
}

static void the_operator_reads_reports(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    uint64_t number = 0, day = 0;
    assert_ok(limits_set(front_limits(w.front), "REPORTS_KEPT", 2));
    assert_int_equal(report(1, bytes_str("one")), HEARTH_OK);
    assert_int_equal(report(1, bytes_str("one")), HEARTH_OK); /* repeated: still one */
    assert_int_equal(report(2, bytes_str("two")), HEARTH_OK);
    assert_int_equal(counts().reports, 2);
    assert_int_equal(report(3, bytes_str("three")), HEARTH_RESOURCE_EXHAUSTED);
    assert_ok(auth_report_read(w.auth, 0, &b, &number, &day));
    test_assert_bytes(buf_view(&b), bytes_str("one"));
    assert_int_equal(day, clock_unix_ms(&w.clock) / 86400000);
    assert_ok(auth_report_drop(w.auth, number));
    buf_clear(&b);
    assert_ok(auth_report_read(w.auth, number, &b, &number, &day));
    test_assert_bytes(buf_view(&b), bytes_str("two"));
    uint64_t last = number;
    assert_ok(auth_report_read(w.auth, last, &b, &number, &day));
    assert_int_equal(number, 0);
    w.fake.now_us += 91ULL * 86400 * 1000000;
    auth_world_expire(&w);
    assert_int_equal(counts().reports, 0);
    buf_clear(&b);
}

/* ---- accounts that nobody uses */

static void unused_accounts_go(void **state)
{
    (void)state;
    struct person idle;
    Hearth__V1__ListClientsResponse *out = NULL;
    person_init(&idle, &w);
    assert_int_equal(person_register(&idle), HEARTH_OK);
    assert_int_equal(person_list(&p, &p.devices[0], &out), HEARTH_OK); /* p is in use */
    hearth__v1__list_clients_response__free_unpacked(out, NULL);
    w.fake.now_us += 23ULL * 3600 * 1000000;
    auth_world_expire(&w);
    assert_int_equal(counts().users, 2);
    w.fake.now_us += 3ULL * 3600 * 1000000;
    auth_world_expire(&w);
    assert_int_equal(counts().users, 1);
    assert_int_equal(counts().clients, 1);
    assert_int_equal(person_list(&idle, &idle.devices[0], NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(person_list(&p, &p.devices[0], NULL), HEARTH_OK);
    person_clear(&idle);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(staged_is_not_shown),
        TEST(staging_again_replaces),
        TEST(an_index_in_use_is_refused),
        TEST(the_largest_profile),
        TEST(G4_invitations_are_made_once),
        cmocka_unit_test_setup_teardown(users_do_not_invite_unless_told_so, setup_invited,
                                        teardown),
        TEST(the_operator_reads_reports),
        TEST(unused_accounts_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
