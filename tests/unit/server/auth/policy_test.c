/* What holds for every row: repeats get the first answer (G4), limits are limits and say when to
 * come back, what is not served says so. */
#include "support/auth/person.h"

static struct auth_world w;
static struct person p;
static struct owner o;

static int begin(bool control)
{
    auth_world_init(&w);
    w.front_options.control = control;
    auth_world_start(&w, true);
    person_init(&p, &w);
    owner_init(&o, &w, 0x31);
    assert_int_equal(person_register(&p), HEARTH_OK);
    const uint8_t id[16] = {1};
    assert_int_equal(owner_create(&o, id, false), HEARTH_OK);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return begin(false);
}

static int setup_control(void **state)
{
    (void)state;
    return begin(true);
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    owner_clear(&o);
    auth_world_end(&w);
    return 0;
}

static struct auth_counts counts(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c;
}

/* G4: without the stored answer each of these would be refused the second time. */
static void G4_repeats_get_the_first_answer(void **state)
{
    (void)state;
    struct device *d = &p.devices[0], *second = person_add_device(&p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(person_add_client(&p, d, second, NULL), HEARTH_OK);
        assert_int_equal(counts().clients, 2);
        p.version--;
        p.next_id--;
        second->in_set = false;
    }
    p.version++;
    p.next_id++;
    second->in_set = true;
    assert_int_equal(person_stage_profile(&p, d, 1, bytes_str("profile")), HEARTH_OK);
    const uint8_t before = p.next_id; /* the id that follows it commits */
    for (int i = 0; i < 3; i++) {
        p.next_id = before;
        assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    }
    assert_int_equal(person_commit_profile(&p, d), HEARTH_FAILED_PRECONDITION);
    /* for seven days */
    p.next_id = before;
    w.fake.now_us += 6ULL * 86400 * 1000000;
    auth_world_expire(&w);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    p.next_id = before;
    w.fake.now_us += 3ULL * 86400 * 1000000;
    auth_world_expire(&w);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_FAILED_PRECONDITION);
}

/* An id is its caller's: another's request under it is its own. */
static void G4_ids_of_others_are_theirs(void **state)
{
    (void)state;
    struct person other;
    struct buf b = BUF_INIT;
    person_init(&other, &w);
    assert_int_equal(person_register(&other), HEARTH_OK);
    memcpy(other.uuid, p.uuid, 16); /* from here on: the same idempotency ids */
    other.next_id = p.next_id;
    assert_int_equal(person_stage_profile(&p, &p.devices[0], 1, bytes_str("one")), HEARTH_OK);
    assert_int_equal(person_stage_profile(&other, &other.devices[0], 2, bytes_str("two")),
                     HEARTH_OK);
    assert_int_equal(person_commit_profile(&p, &p.devices[0]), HEARTH_OK);
    assert_int_equal(person_commit_profile(&other, &other.devices[0]), HEARTH_OK);
    assert_int_equal(world_get_profile(&w, 2, &b), HEARTH_OK);
    test_assert_bytes(buf_view(&b), bytes_str("two"));
    buf_clear(&b);
    person_clear(&other);
}

/* ---- limits */

static enum hearth_code check_handle(unsigned i)
{
    Hearth__V1__CheckHandleRequest in = HEARTH__V1__CHECK_HANDLE_REQUEST__INIT;
    const uint8_t hash[32] = {(uint8_t)i};
    in.handle_hash = auth_data(bytes_of(hash, 32));
    return auth_world_call(&w, NULL, "CheckHandle", &in.base, NULL);
}

static enum hearth_code stage(unsigned i)
{
    return person_stage_profile(&p, &p.devices[0], (uint8_t)i, bytes_str("profile"));
}

static enum hearth_code fetch(unsigned i)
{
    struct auth_stream s;
    if (i == 0)
        assert_int_equal(owner_publish(&o, 1, true), HEARTH_OK);
    owner_fetch(&o, &s);
    enum hearth_code code = s.done ? s.code : HEARTH_OK;
    auth_stream_close(&s);
    return code;
}

static enum hearth_code publish(unsigned i)
{
    (void)i;
    return owner_publish(&o, 1, true);
}

static enum hearth_code report(unsigned i)
{
    Hearth__V1__ReportAbuseRequest in = HEARTH__V1__REPORT_ABUSE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    const uint8_t whole[16] = {(uint8_t)i, 7};
    id.id = auth_data(bytes_of(whole, 16));
    in.idempotency = &id;
    in.report = auth_data(bytes_str("report"));
    return auth_world_call(&w, &p.devices[0].caller, "ReportAbuse", &in.base, NULL);
}

static enum hearth_code add_and_remove(unsigned i)
{
    (void)i;
    uint8_t id[16];
    person_next_id(&p, id);
    /* refused for what it asks, but counted */
    enum hearth_code code = person_remove_client(&p, &p.devices[0], &p.devices[0], id);
    p.devices[0].in_set = true;
    return code == HEARTH_INVALID_ARGUMENT ? HEARTH_OK : code;
}

static const struct limited {
    enum hearth_code (*call)(unsigned i);
    enum limit limit;
} limited[] = {
    {check_handle, LIMIT_HANDLE_CHECKS},
    {stage, LIMIT_PROFILE_CHANGES},
    {fetch, LIMIT_CONNECT_PREFIX},
    {fetch, LIMIT_CONNECT_HANDLE}, /* from many sources, as it were */
    {publish, LIMIT_KEY_PACKAGE_UPLOADS},
    {report, LIMIT_REPORTS},
    {add_and_remove, LIMIT_CLIENT_CHANGES},
};

static uint32_t told_seconds(void)
{
    ProtobufCMessage *detail = hearth_status_find(&w.last, &hearth__v1__retry_after__descriptor);
    assert_non_null(detail);
    uint32_t seconds = ((Hearth__V1__RetryAfter *)detail)->seconds;
    protobuf_c_message_free_unpacked(detail, NULL);
    return seconds;
}

/* Exactly the burst, then RetryAfter, and that is true. */
static void limits_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limited / sizeof *limited; i++) {
        uint64_t burst = limit_value(front_limits(w.front), limited[i].limit);
        unsigned passed = 0;
        if (limited[i].limit == LIMIT_CONNECT_HANDLE) {
            assert_ok(limits_set(front_limits(w.front), "CONNECT_PREFIX", 5000));
            w.fake.now_us += 3600 * UINT64_C(1000000); /* what the row before took is back */
        }
        /* publishing was counted once when fetch() began */
        while (limited[i].call(passed) == HEARTH_OK)
            assert_true(++passed <= burst);
        if (limited[i].limit != LIMIT_KEY_PACKAGE_UPLOADS)
            assert_int_equal(passed, burst);
        assert_int_equal(w.last.code, HEARTH_RESOURCE_EXHAUSTED);
        uint32_t seconds = told_seconds();
        assert_true(seconds >= 1 && seconds <= 3600);
        w.fake.now_us += (uint64_t)seconds * 1000000;
        assert_int_equal(limited[i].call(passed + 1), HEARTH_OK);
    }
}

static void limits_control(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limited / sizeof *limited; i++) {
        uint64_t burst = limit_value(front_limits(w.front), limited[i].limit);
        for (unsigned n = 0; n < burst + 5; n++)
            assert_int_equal(limited[i].call(n), HEARTH_OK);
    }
}

/* ---- vouchers: for who federates (voucher_test.c) */

static void vouchers_are_not_served(void **state)
{
    (void)state;
    static uint8_t request[259];
    ProtobufCBinaryData requests[1] = {auth_data(bytes_of(request, sizeof request))};
    Hearth__V1__IssueVouchersRequest in = HEARTH__V1__ISSUE_VOUCHERS_REQUEST__INIT;
    in.token_class = 1;
    in.requests = requests;
    in.n_requests = 1;
    assert_int_equal(auth_world_call(&w, &p.devices[0].caller, "IssueVouchers", &in.base, NULL),
                     HEARTH_PERMISSION_DENIED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(G4_repeats_get_the_first_answer),
        TEST(G4_ids_of_others_are_theirs),
        TEST(limits_hold),
        cmocka_unit_test_setup_teardown(limits_control, setup_control, teardown),
        TEST(vouchers_are_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
