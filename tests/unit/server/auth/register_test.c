/* Registration: one account per permit and idempotency id, and nothing without a permit. */
#include <stdio.h>

#include "support/auth/person.h"

static struct auth_world w;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_world_end(&w);
    return 0;
}

static void invite(uint32_t days, uint8_t code[16])
{
    struct buf b = BUF_INIT;
    assert_ok(auth_invite(w.auth, 1, days, &b));
    memcpy(code, b.data, 16);
    buf_clear(&b);
}

static struct auth_counts counts(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c;
}

/* The credential chains to the root and is for the key that asked; times are whole hours. */
static void gives_a_credential(void **state)
{
    (void)state;
    struct person p;
    struct buf root_bytes = BUF_INIT;
    struct credential root, signing, client;
    Hearth__V1__RegisterUserResponse *out = NULL;
    uint8_t code[16], id[16] = {1};
    auth_world_start(&w, true);
    person_init(&p, &w);
    invite(0, code);
    assert_int_equal(person_register_with(&p, code, id, NULL, &out), HEARTH_OK);
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_ROOT, &root_bytes));
    assert_ok(credential_parse(buf_view(&root_bytes), &root));
    assert_ok(credential_parse(auth_view(out->signing_credential), &signing));
    assert_ok(credential_parse(auth_view(out->credential), &client));
    uint64_t now = clock_unix_ms(&w.clock) / 1000;
    assert_ok(credential_chain_verify(&root, &signing, &client, now));
    test_assert_bytes(client.subject, buf_view(&p.devices[0].name));
    test_assert_bytes(client.public_key, caller_public_key(&p.devices[0].caller));
    assert_int_equal(client.not_after % 3600, 0);
    assert_true(client.not_after > now + 89 * 86400 && client.not_after <= now + 90 * 86400);
    assert_non_null(out->receipt);
    hearth__v1__register_user_response__free_unpacked(out, NULL);
    buf_clear(&root_bytes);
    person_clear(&p);
}

/* T1: an invitation is spent once, by one of two that come at the same time too. */
static void T1_invitation_is_spent_once(void **state)
{
    (void)state;
    struct person a, b;
    uint8_t code[16], id_a[16] = {1}, id_b[16] = {2};
    auth_world_start(&w, false);
    person_init(&a, &w);
    person_init(&b, &w);
    invite(0, code);
    assert_int_equal(counts().invitations, 1);
    assert_int_equal(person_register_with(&a, code, id_a, NULL, NULL), HEARTH_OK);
    assert_int_equal(counts().invitations, 0);
    assert_int_equal(person_register_with(&b, code, id_b, NULL, NULL), HEARTH_PERMISSION_DENIED);
    assert_int_equal(counts().users, 1);
    person_clear(&a);
    person_clear(&b);
}

/* T1: what fails after the invitation was taken gives it back. */
static void T1_failed_registration_keeps_the_invitation(void **state)
{
    (void)state;
    struct person a;
    uint8_t code[16], other[16], id_a[16] = {1}, id_b[16] = {2};
    auth_world_start(&w, false);
    person_init(&a, &w);
    invite(0, code);
    assert_int_equal(person_register_with(&a, code, id_a, NULL, NULL), HEARTH_OK);
    invite(0, other);
    /* the same UserId again, otherwise good */
    assert_int_equal(person_register_with(&a, other, id_b, NULL, NULL), HEARTH_PERMISSION_DENIED);
    assert_int_equal(counts().invitations, 1);
    assert_int_equal(counts().users, 1);
    person_clear(&a);
}

/* A1, G4: the same idempotency id gives the same account and the same bytes, also when the
 * invitation is long over, and after a restart. */
static void A1_one_account_per_idempotency_id(void **state)
{
    (void)state;
    struct person a;
    Hearth__V1__RegisterUserResponse *first = NULL, *again = NULL;
    uint8_t code[16], id[16] = {1};
    auth_world_use_vfs(&w, "register-a1");
    auth_world_start(&w, false);
    person_init(&a, &w);
    invite(1, code);
    assert_int_equal(person_register_with(&a, code, id, NULL, &first), HEARTH_OK);
    auth_world_restart(&w, true);
    w.fake.now_us += 2 * 86400 * 1000000ULL;
    assert_int_equal(person_register_with(&a, code, id, NULL, &again), HEARTH_OK);
    test_assert_bytes(auth_view(again->credential), auth_view(first->credential));
    assert_int_equal(counts().users, 1);
    hearth__v1__register_user_response__free_unpacked(first, NULL);
    hearth__v1__register_user_response__free_unpacked(again, NULL);
    /* another body under that id is refused */
    struct person b;
    person_init(&b, &w);
    assert_int_equal(person_register_with(&b, code, id, NULL, NULL), HEARTH_ALREADY_EXISTS);
    assert_int_equal(counts().users, 1);
    person_clear(&a);
    person_clear(&b);
}

static void invitation_expires(void **state)
{
    (void)state;
    struct person a;
    uint8_t code[16], id[16] = {1};
    auth_world_start(&w, false);
    person_init(&a, &w);
    invite(0, code);
    w.fake.now_us += (7 * 24 + 1) * 3600 * 1000000ULL;
    assert_int_equal(person_register_with(&a, code, id, NULL, NULL), HEARTH_PERMISSION_DENIED);
    auth_world_expire(&w);
    assert_int_equal(counts().invitations, 0);
    person_clear(&a);
}

/* Nobody learns whether an id is taken, a code spent or the house closed. */
static void refusals_are_alike(void **state)
{
    (void)state;
    struct person a;
    uint8_t code[16] = {9}, id[16] = {1}, id2[16] = {2}, id3[16] = {3};
    char first[100];
    auth_world_start(&w, false);
    person_init(&a, &w);
    assert_int_equal(person_register_with(&a, code, id, NULL, NULL), HEARTH_PERMISSION_DENIED);
    (void)snprintf(first, sizeof first, "%s", w.last.message);
    invite(0, code);
    assert_int_equal(person_register_with(&a, code, id2, NULL, NULL), HEARTH_OK);
    invite(0, code);
    assert_int_equal(person_register_with(&a, code, id3, NULL, NULL), HEARTH_PERMISSION_DENIED);
    assert_string_equal(w.last.message, first);
    person_clear(&a);
}

static void key_set_must_be_the_clients_first(void **state)
{
    (void)state;
    const struct set_faults faults[] = {
        {.reset = true},           {.wrong_label = true}, {.wrong_version = true},
        {.unsigned_by_new = true}, {.other_key = true},   {.no_authority = true},
    };
    struct person a;
    uint8_t code[16];
    auth_world_start(&w, false);
    person_init(&a, &w);
    invite(0, code);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint8_t id[16] = {7, (uint8_t)i};
        assert_int_equal(person_register_with(&a, code, id, &faults[i], NULL),
                         HEARTH_INVALID_ARGUMENT);
    }
    (void)person_add_device(&a);
    a.devices[1].in_set = true; /* a second client in the first set */
    uint8_t id[16] = {8};
    assert_int_equal(person_register_with(&a, code, id, NULL, NULL), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(counts().users, 0);
    assert_int_equal(counts().invitations, 1);
    person_clear(&a);
}

static void a_profile_comes_with_its_index(void **state)
{
    (void)state;
    struct person a, b;
    struct buf got = BUF_INIT;
    auth_world_start(&w, false);
    person_init(&a, &w);
    a.profile = "hello";
    a.index_bytes = 31;
    assert_int_equal(person_register(&a), HEARTH_INVALID_ARGUMENT);
    a.index_bytes = 32;
    assert_int_equal(person_register(&a), HEARTH_OK);
    assert_int_equal(world_get_profile(&w, 0x77, &got), HEARTH_OK);
    test_assert_bytes(buf_view(&got), bytes_str("hello"));
    /* an index in use is refused like anything else, and the invitation stays */
    person_init(&b, &w);
    b.profile = "mine";
    assert_int_equal(person_register(&b), HEARTH_PERMISSION_DENIED);
    assert_int_equal(counts().users, 1);
    assert_int_equal(counts().invitations, 2);
    assert_int_equal(world_get_profile(&w, 0x77, &got), HEARTH_OK);
    test_assert_bytes(buf_view(&got), bytes_str("hello"));
    buf_clear(&got);
    person_clear(&a);
    person_clear(&b);
}

static void other_domains_register_elsewhere(void **state)
{
    (void)state;
    struct person a;
    auth_world_start(&w, false);
    person_init_at(&a, &w, "b.test");
    assert_int_equal(person_register(&a), HEARTH_INVALID_ARGUMENT);
    /* nor is a client of theirs known here */
    assert_int_equal(person_list(&a, &a.devices[0], NULL), HEARTH_UNAUTHENTICATED);
    person_clear(&a);
}

/* DoS2: what everybody shares is not used up by what is refused. */
static void DoS2_the_shared_bucket(void **state)
{
    (void)state;
    struct person a, b;
    const uint8_t bad[16] = {0xba};
    auth_world_start(&w, false);
    assert_ok(limits_set(front_limits(w.front), "REGISTER_ALL", 1));
    person_init(&a, &w);
    person_init(&b, &w);
    for (uint8_t i = 0; i < 5; i++) {
        const uint8_t id[16] = {0xbb, i};
        assert_int_equal(person_register_with(&a, bad, id, NULL, NULL), HEARTH_PERMISSION_DENIED);
    }
    assert_int_equal(person_register(&a), HEARTH_OK);
    assert_int_equal(person_register(&b), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(counts().invitations, 1);
    w.fake.now_us += 60 * 1000000;
    assert_int_equal(person_register(&b), HEARTH_OK);
    person_clear(&a);
    person_clear(&b);
}

/* DoS2: six an hour for one source, and a control without limits. */
static void DoS2_registrations_of_one_source(void **state)
{
    (void)state;
    struct person people[8];
    auth_world_start(&w, true);
    for (size_t i = 0; i < 8; i++) {
        person_init(&people[i], &w);
        assert_int_equal(person_register(&people[i]),
                         i < 6 ? HEARTH_OK : HEARTH_RESOURCE_EXHAUSTED);
    }
    assert_int_equal(counts().users, 6);
    for (size_t i = 0; i < 8; i++)
        person_clear(&people[i]);
}

static void DoS2_control_has_no_limit(void **state)
{
    (void)state;
    struct person people[8];
    w.front_options.control = true;
    auth_world_start(&w, true);
    for (size_t i = 0; i < 8; i++) {
        person_init(&people[i], &w);
        assert_int_equal(person_register(&people[i]), HEARTH_OK);
        person_clear(&people[i]);
    }
}

static void closed_house_takes_nobody(void **state)
{
    (void)state;
    struct person a;
    w.options.mode = AUTH_CLOSED;
    auth_world_start(&w, false);
    person_init(&a, &w);
    assert_int_equal(person_register(&a), HEARTH_PERMISSION_DENIED);
    person_clear(&a);
    /* as a reload has it */
    auth_set_mode(w.auth, AUTH_INVITE);
    person_init(&a, &w);
    assert_int_equal(person_register(&a), HEARTH_OK);
    person_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_a_credential, setup, teardown),
        cmocka_unit_test_setup_teardown(T1_invitation_is_spent_once, setup, teardown),
        cmocka_unit_test_setup_teardown(T1_failed_registration_keeps_the_invitation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(A1_one_account_per_idempotency_id, setup, teardown),
        cmocka_unit_test_setup_teardown(invitation_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(key_set_must_be_the_clients_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_profile_comes_with_its_index, setup, teardown),
        cmocka_unit_test_setup_teardown(other_domains_register_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(DoS2_the_shared_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(DoS2_registrations_of_one_source, setup, teardown),
        cmocka_unit_test_setup_teardown(DoS2_control_has_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(closed_house_takes_nobody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
