/* The client set: each version signed by a client that may, and credentials that follow it. */
#include "support/auth/person.h"
#include "wire/reader.h"

static struct auth_world w;
static struct person p;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "clients");
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

static size_t listed(struct device *by, uint32_t *month)
{
    Hearth__V1__ListClientsResponse *out = NULL;
    if (person_list(&p, by, &out) != HEARTH_OK)
        return 0;
    size_t count = out->n_clients;
    struct key_set set;
    assert_ok(key_set_parse(auth_view(out->key_set), &set));
    assert_int_equal(set.client_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(key_set_find(&set, auth_view(out->clients[i]->client_id)));
        if (month != NULL && memcmp(out->clients[i]->client_id.data, by->uuid, 16) == 0)
            *month = out->clients[i]->last_seen_month;
    }
    hearth__v1__list_clients_response__free_unpacked(out, NULL);
    return count;
}

static void a_client_is_added_and_lists(void **state)
{
    (void)state;
    struct device *first = &p.devices[0], *second = person_add_device(&p);
    uint32_t month = 0;
    assert_int_equal(listed(second, NULL), 0); /* not in the set yet */
    assert_int_equal(person_add_client(&p, first, second, NULL), HEARTH_OK);
    assert_int_equal(listed(second, &month), 2);
    assert_int_equal(month, (2027 - 1970) * 12); /* 1,800,000,000 s lie in January 2027 */
    assert_int_equal(listed(first, NULL), 2);
    auth_world_restart(&w, true);
    assert_int_equal(listed(second, NULL), 2);
}

/* MitM3: the server takes no version that a client of the version before has not signed; that is
 * what the control of it, one that is, shows. */
static void MitM3_versions_are_signed_by_clients(void **state)
{
    (void)state;
    const struct set_faults faults[] = {
        {.unsigned_by_old = true}, {.unsigned_by_new = true},
        {.reset = true},           {.reset = true, .unsigned_by_old = true},
        {.wrong_label = true},     {.other_key = true},
        {.changes_other = true},   {.recovery_key = true}};
    struct device *first = &p.devices[0], *second = person_add_device(&p);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_int_equal(person_add_client(&p, first, second, &faults[i]), HEARTH_INVALID_ARGUMENT);
    const struct set_faults late = {.wrong_version = true};
    assert_int_equal(person_add_client(&p, first, second, &late), HEARTH_FAILED_PRECONDITION);
    assert_int_equal(counts().clients, 1);
    assert_int_equal(person_add_client(&p, first, second, NULL), HEARTH_OK);
}

static void only_ones_own_user(void **state)
{
    (void)state;
    struct person other;
    struct buf request = BUF_INIT, set = BUF_INIT;
    person_init(&other, &w);
    Hearth__V1__AddClientRequest in = HEARTH__V1__ADD_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t idempotency[16] = {5};
    device_request(&other.devices[0], &request);
    person_key_set(&p, 1, &p.devices[0], NULL, NULL, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.credential_request = auth_data(buf_view(&request));
    in.key_set = auth_data(buf_view(&set));
    assert_int_equal(auth_world_call(&w, &p.devices[0].caller, "AddClient", &in.base, NULL),
                     HEARTH_PERMISSION_DENIED);
    /* nor may somebody else's client speak for this user */
    assert_int_equal(auth_world_call(&w, &other.devices[0].caller, "AddClient", &in.base, NULL),
                     HEARTH_UNAUTHENTICATED);
    buf_clear(&request);
    buf_clear(&set);
    person_clear(&other);
}

static bool is_revoked(const struct buf *credential)
{
    struct buf list = BUF_INIT, bytes = BUF_INIT;
    struct credential signing;
    struct revocations r;
    uint8_t fingerprint[32];
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &bytes));
    assert_ok(credential_parse(buf_view(&bytes), &signing));
    assert_ok(auth_revocations(w.auth, &list));
    assert_ok(revocations_read(buf_view(&list), &signing, &r));
    credential_fingerprint(buf_view(credential), fingerprint);
    bool has = revocations_has(&r, fingerprint);
    buf_clear(&list);
    buf_clear(&bytes);
    return has;
}

static uint64_t revocation_number(void)
{
    struct buf list = BUF_INIT, bytes = BUF_INIT;
    struct credential signing;
    struct revocations r;
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &bytes));
    assert_ok(credential_parse(buf_view(&bytes), &signing));
    assert_ok(auth_revocations(w.auth, &list));
    assert_ok(revocations_read(buf_view(&list), &signing, &r));
    uint64_t number = r.number;
    buf_clear(&list);
    buf_clear(&bytes);
    return number;
}

static void credential_of(struct device *d, struct buf *b)
{
    Hearth__V1__ListClientsResponse *out = NULL;
    assert_int_equal(person_list(&p, d, &out), HEARTH_OK);
    buf_clear(b);
    for (size_t i = 0; i < out->n_clients; i++)
        if (memcmp(out->clients[i]->client_id.data, d->uuid, 16) == 0)
            buf_append_bytes(b, auth_view(out->clients[i]->credential));
    assert_true(b->len > 0);
    hearth__v1__list_clients_response__free_unpacked(out, NULL);
}

static enum hearth_code renew(struct device *d, const uint8_t idempotency[16])
{
    struct buf request = BUF_INIT;
    Hearth__V1__RenewClientRequest in = HEARTH__V1__RENEW_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    device_request(d, &request);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.credential_request = auth_data(buf_view(&request));
    enum hearth_code code = auth_world_call(&w, &d->caller, "RenewClient", &in.base, NULL);
    buf_clear(&request);
    return code;
}

/* All of its credentials, not only the last. */
static void a_removed_client_is_out_and_revoked(void **state)
{
    (void)state;
    struct device *first = &p.devices[0], *second = person_add_device(&p);
    struct buf old = BUF_INIT, new = BUF_INIT;
    uint8_t id[16] = {1}, id2[16] = {2};
    assert_int_equal(person_add_client(&p, first, second, NULL), HEARTH_OK);
    credential_of(second, &old);
    w.fake.now_us += 3600 * 1000000ULL;
    assert_int_equal(renew(second, id), HEARTH_OK);
    credential_of(second, &new);
    assert_false(bytes_equal(buf_view(&old), buf_view(&new)));
    uint64_t number = revocation_number();
    assert_false(is_revoked(&old) || is_revoked(&new));
    assert_int_equal(person_remove_client(&p, first, second, id2), HEARTH_OK);
    assert_true(is_revoked(&old) && is_revoked(&new));
    assert_true(revocation_number() > number);
    assert_int_equal(listed(second, NULL), 0);
    assert_int_equal(w.last.code, HEARTH_UNAUTHENTICATED);
    assert_int_equal(listed(first, NULL), 1);
    auth_world_restart(&w, true);
    assert_true(is_revoked(&old) && is_revoked(&new));
    /* the list forgets them when they would have ended */
    w.fake.now_us += 92ULL * 86400 * 1000000;
    auth_world_expire(&w);
    assert_false(is_revoked(&old) || is_revoked(&new));
    buf_clear(&old);
    buf_clear(&new);
}

/* G4: the caller is gone by what it did, and its repeated request gets the first answer; another
 * body under its name does not. */
static void G4_a_client_that_removed_itself_repeats(void **state)
{
    (void)state;
    struct device *first = &p.devices[0], *second = person_add_device(&p);
    uint8_t id[16] = {1}, id2[16] = {2};
    assert_int_equal(person_add_client(&p, first, second, NULL), HEARTH_OK);
    assert_int_equal(person_remove_client(&p, second, second, id), HEARTH_OK);
    assert_int_equal(person_remove_client(&p, second, second, id), HEARTH_OK);
    assert_int_equal(person_remove_client(&p, second, second, id2), HEARTH_UNAUTHENTICATED);
    assert_int_equal(person_remove_client(&p, second, first, id), HEARTH_ALREADY_EXISTS);
    assert_int_equal(counts().clients, 1);
}

static void the_last_client_can_not_be_removed(void **state)
{
    (void)state;
    uint8_t id[16] = {1};
    struct device *stranger = person_add_device(&p);
    uint8_t id2[16] = {2};
    assert_int_equal(person_remove_client(&p, &p.devices[0], stranger, id2), HEARTH_NOT_FOUND);
    assert_int_equal(person_remove_client(&p, &p.devices[0], &p.devices[0], id),
                     HEARTH_INVALID_ARGUMENT);
    p.devices[0].in_set = true;
    assert_int_equal(listed(&p.devices[0], NULL), 1);
}

/* An ended credential lets its client renew it, and do nothing else. */
static void renewal_after_the_end(void **state)
{
    (void)state;
    struct device *d = &p.devices[0];
    struct buf first = BUF_INIT, second = BUF_INIT;
    uint8_t id[16] = {1};
    credential_of(d, &first);
    auth_world_days(&w, 91);
    assert_int_equal(listed(d, NULL), 0);
    assert_int_equal(w.last.code, HEARTH_UNAUTHENTICATED);
    assert_int_equal(renew(d, id), HEARTH_OK);
    assert_int_equal(listed(d, NULL), 1);
    credential_of(d, &second);
    assert_false(bytes_equal(buf_view(&first), buf_view(&second)));
    /* not for another key */
    struct buf request = BUF_INIT;
    assert_ok(credential_request_make(&request, buf_view(&d->name), &d->caller.other_key));
    Hearth__V1__RenewClientRequest in = HEARTH__V1__RENEW_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency iid = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t id2[16] = {2};
    iid.id = auth_data(bytes_of(id2, 16));
    in.idempotency = &iid;
    in.credential_request = auth_data(buf_view(&request));
    assert_int_equal(auth_world_call(&w, &d->caller, "RenewClient", &in.base, NULL),
                     HEARTH_PERMISSION_DENIED);
    buf_clear(&request);
    buf_clear(&first);
    buf_clear(&second);
}

/* Two clients change the set at once: one wins, the other learns that it is late. */
static void concurrent_changes(void **state)
{
    (void)state;
    struct device *first = &p.devices[0], *a = person_add_device(&p), *b = person_add_device(&p);
    assert_int_equal(person_add_client(&p, first, a, NULL), HEARTH_OK);
    p.version--; /* as the other one saw it */
    a->in_set = false;
    assert_int_equal(person_add_client(&p, first, b, NULL), HEARTH_FAILED_PRECONDITION);
    assert_int_equal(counts().clients, 2);
}

static void clients_are_bounded(void **state)
{
    (void)state;
    assert_ok(limits_set(front_limits(w.front), "CLIENTS_PER_USER", 2));
    struct device *first = &p.devices[0], *a = person_add_device(&p), *b = person_add_device(&p);
    assert_int_equal(person_add_client(&p, first, a, NULL), HEARTH_OK);
    assert_int_equal(person_add_client(&p, first, b, NULL), HEARTH_RESOURCE_EXHAUSTED);
}

/* A signing credential of less than a quarter of its life is followed by the next; lists and
 * credentials are signed by that. */
static void the_signing_credential_rotates(void **state)
{
    (void)state;
    struct buf before = BUF_INIT, after = BUF_INIT;
    uint8_t id[16] = {1};
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &before));
    auth_world_expire(&w);
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &after));
    test_assert_bytes(buf_view(&after), buf_view(&before));
    assert_int_equal(listed(&p.devices[0], NULL), 1); /* in use */
    auth_world_days(&w, 300);
    auth_world_expire(&w);
    buf_clear(&after);
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &after));
    assert_false(bytes_equal(buf_view(&after), buf_view(&before)));
    assert_true(revocation_number() >= 1); /* verified under the new one */
    assert_int_equal(renew(&p.devices[0], id), HEARTH_OK);
    buf_clear(&before);
    buf_clear(&after);
}

/* ---- what earlier credentials signed can be checked */

/* How many there are before the current one; the n-th verifies under the root into ret_nth. */
static unsigned previous(unsigned nth, struct buf *ret_nth)
{
    struct buf list = BUF_INIT, root_bytes = BUF_INIT;
    struct credential root, signing;
    unsigned count = 0;
    assert_ok(auth_previous_signing(w.auth, &list));
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_ROOT, &root_bytes));
    assert_ok(credential_parse(buf_view(&root_bytes), &root));
    struct wire_reader r = wire_reader_of(buf_view(&list));
    for (; wire_reader_left(&r) > 0; count++) {
        struct bytes one = wire_read_vector(&r);
        assert_ok(wire_reader_check(&r));
        assert_ok(credential_parse(one, &signing));
        assert_ok(credential_verify(&signing, &root));
        if (count == nth && ret_nth != NULL)
            buf_append_bytes(ret_nth, one);
    }
    buf_clear(&list);
    buf_clear(&root_bytes);
    return count;
}

static void earlier_signing_credentials_are_kept(void **state)
{
    (void)state;
    struct buf first = BUF_INIT, now = BUF_INIT, found = BUF_INIT;
    struct buf own = BUF_INIT;
    credential_of(&p.devices[0], &own);
    assert_int_equal(previous(0, NULL), 0);
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &first));
    assert_ok(auth_rotate(w.auth));
    assert_ok(auth_rotate(w.auth));
    assert_int_equal(previous(1, &found), 2);
    test_assert_bytes(buf_view(&found), buf_view(&first));
    /* so the credential that it signed is one that anybody can check */
    struct credential signing, client;
    assert_ok(credential_parse(buf_view(&found), &signing));
    assert_ok(credential_parse(buf_view(&own), &client));
    assert_ok(credential_verify(&client, &signing));
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &now));
    assert_ok(credential_parse(buf_view(&now), &signing));
    assert_false(err_is_ok(credential_verify(&client, &signing))); /* control */
    /* until it ends */
    auth_world_days(&w, 370);
    auth_world_expire(&w);
    assert_int_equal(previous(0, NULL), 0);
    buf_clear(&own);
    buf_clear(&first);
    buf_clear(&now);
    buf_clear(&found);
}

/* A crash between the keeper's rotation and the row: the next start has it put down. */
static void a_rotation_cut_short_loses_none(void **state)
{
    (void)state;
    struct buf made = BUF_INIT, found = BUF_INIT;
    assert_ok(keeper_rotate(w.keeper, KEEPER_AS_SIGNING));
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_SIGNING, &made));
    auth_world_restart(&w, true);
    assert_ok(auth_rotate(w.auth));
    assert_int_equal(previous(0, &found), 2);
    test_assert_bytes(buf_view(&found), buf_view(&made));
    auth_world_restart(&w, true);
    assert_int_equal(previous(0, NULL), 2);
    buf_clear(&made);
    buf_clear(&found);
}

static void signing_credentials_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 1; i < AUTH_SIGNING_MOST; i++)
        assert_ok(auth_rotate(w.auth));
    assert_err(auth_rotate(w.auth), QUOTA);
    assert_int_equal(previous(0, NULL), AUTH_SIGNING_MOST - 1);
    assert_int_equal(listed(&p.devices[0], NULL), 1); /* in use */
    auth_world_days(&w, 300);
    auth_world_expire(&w); /* what is due is due */
    assert_int_equal(previous(0, NULL), AUTH_SIGNING_MOST - 1);
    auth_world_days(&w, 70);
    assert_ok(auth_rotate(w.auth));
    assert_int_equal(previous(0, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_is_added_and_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(MitM3_versions_are_signed_by_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(only_ones_own_user, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_client_is_out_and_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(G4_a_client_that_removed_itself_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_client_can_not_be_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(renewal_after_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(concurrent_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(the_signing_credential_rotates, setup, teardown),
        cmocka_unit_test_setup_teardown(earlier_signing_credentials_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rotation_cut_short_loses_none, setup, teardown),
        cmocka_unit_test_setup_teardown(signing_credentials_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
