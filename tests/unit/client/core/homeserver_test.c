/* Keys of a homeserver: what does not hold changes nothing. */
#include <stdio.h>

#include "client/core/homeserver_inside.h"
#include "client/core/register.h"
#include "client/core/task.h"
#include "client/core/task_inside.h"
#include "hearth/v1/info.pb-c.h"
#include "support/failing.h"
#include "support/people/people.h"

/* Of all kinds: tasks_count() is of those that were asked for. */
static unsigned tasks_left(const struct core *c)
{
    return task_anywhere(c, TASK_HOMESERVER);
}

/* ---- what the real one answers, and what becomes of it */

static Hearth__V1__GetKeysResponse *got;

static void on_keys(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct buf b = BUF_INIT;
    (void)arg;
    assert_int_equal(status->code, HEARTH_OK);
    uint8_t *bytes = buf_extend(&b, protobuf_c_message_get_packed_size(out));
    (void)protobuf_c_message_pack(out, bytes);
    got = hearth__v1__get_keys_response__unpack(NULL, b.len, b.data);
    buf_clear(&b);
}

static void fetch(struct person *p)
{
    Hearth__V1__GetKeysRequest in = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    struct api_call *call;
    struct api_to to = {.domain = TOWN_DOMAIN};
    got = NULL;
    assert_ok(api_start(p->core->api, &to, api_endpoint("Info", "GetKeys"), &in.base, on_keys, NULL,
                        &call));
    while (got == NULL)
        people_run_ms(p->people, 10);
}

static struct err take(struct core *c, struct db_txn *t, void *arg)
{
    return homeserver_take(c, t, arg != NULL ? arg : TOWN_DOMAIN, &got->base);
}

static struct err get(struct core *c, struct db_txn *t, void *arg)
{
    return homeserver_get_unlogged(c, t, TOWN_DOMAIN, arg);
}

static struct err get_checked(struct core *c, struct db_txn *t, void *arg)
{
    return homeserver_get(c, t, TOWN_DOMAIN, arg);
}

static struct err pin(struct core *c, struct db_txn *t, void *arg)
{
    return homeserver_pin(c, t, TOWN_DOMAIN, bytes_of(arg, 16));
}

/* ---- */

static void test_taken_and_pinned(void **state)
{
    (void)state;
    struct people all, others;
    struct homeserver h = {0};
    people_init(&all, 1);
    people_init(&others, 2); /* another root of the same name */
    struct person *alice = person_new(&all, "alice"), *mallory = person_new(&others, "mallory");
    assert_err(core_look(alice->core, get, &h), NOT_FOUND);
    fetch(alice);
    person_step(alice, take, NULL);
    assert_err(core_look(alice->core, get_checked, &h), CLIENT_LOG_LATER); /* not before the log */
    person_step(alice, get, &h);
    assert_int_equal(h.pin_len, 32);
    assert_int_equal(h.queue_key.len, 32);
    assert_int_equal(h.sender_key.len, 32);
    homeserver_clear(&h);
    /* for another domain it is nothing */
    assert_err(core_step(alice->core, take, (void *)(uintptr_t) "b.test"), CREDENTIAL);
    hearth__v1__get_keys_response__free_unpacked(got, NULL);
    fetch(mallory);
    assert_err(core_step(alice->core, take, NULL), CREDENTIAL);
    uint8_t other[16] = {1};
    assert_err(core_step(alice->core, pin, other), CREDENTIAL);
    hearth__v1__get_keys_response__free_unpacked(got, NULL);
    people_close(&others);
    people_close(&all);
}

/* A bit of each key, and of the revocations, at many places. */
static void test_every_bit_counts(void **state)
{
    (void)state;
    struct people all;
    struct homeserver before = {0}, after = {0};
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    fetch(alice);
    person_step(alice, take, NULL);
    person_step(alice, get, &before);
    unsigned refused = 0, tried = 0;
    for (size_t k = 0; k <= got->n_keys; k++) {
        Hearth__V1__KeyUse use = k < got->n_keys ? got->keys[k]->use : 0;
        ProtobufCBinaryData *data = k < got->n_keys ? &got->keys[k]->key : &got->revocations;
        bool counts = k == got->n_keys || use == HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT ||
                      use == HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING ||
                      use == HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING ||
                      use == HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER ||
                      use == HEARTH__V1__KEY_USE__KEY_USE_TOKENS;
        for (size_t at = 0; at < data->len; at += 5) {
            data->data[at] ^= 1;
            struct err err = core_step(alice->core, take, NULL);
            data->data[at] ^= 1;
            tried += counts;
            refused += !err_is_ok(err);
            assert_true(err_is_ok(err) == !counts);
        }
        size_t len = data->len;
        for (data->len = 0; counts && len > 0 && data->len < len; data->len += 13)
            if (data->len > 0 || k < got->n_keys) /* no revocations are none */
                assert_false(err_is_ok(core_step(alice->core, take, NULL)));
        data->len = len;
    }
    assert_true(tried > 50);
    assert_int_equal(refused, tried);
    person_step(alice, get, &after);
    test_assert_bytes(buf_view(&after.signings), buf_view(&before.signings));
    assert_memory_equal(after.queue_key.data, before.queue_key.data, 32);
    assert_int_equal(after.fetched_ms, before.fetched_ms);
    homeserver_clear(&before);
    homeserver_clear(&after);
    /* as it was it is good */
    person_step(alice, take, NULL);
    /* lists that are too long, or empty */
    size_t n = got->n_keys;
    got->n_keys = 0;
    assert_err(core_step(alice->core, take, NULL), CREDENTIAL);
    got->n_keys = 1;
    assert_err(core_step(alice->core, take, NULL), CREDENTIAL);
    got->n_keys = n;
    hearth__v1__get_keys_response__free_unpacked(got, NULL);
    people_close(&all);
}

static struct err want(struct core *c, struct db_txn *t, void *arg)
{
    return homeserver_want(c, t, arg);
}

static void test_wanted(void **state)
{
    (void)state;
    struct people all;
    struct homeserver h = {0};
    uint8_t other[16] = {1};
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_step(alice, want, (void *)(uintptr_t)TOWN_DOMAIN);
    person_step(alice, want, (void *)(uintptr_t)TOWN_DOMAIN); /* one task for both */
    assert_int_equal(tasks_left(alice->core), 1);
    person_settle(alice);
    person_step(alice, get_checked, &h);
    homeserver_clear(&h);
    person_step(alice, want, (void *)(uintptr_t)TOWN_DOMAIN); /* fresh */
    assert_int_equal(tasks_left(alice->core), 0);
    town_sleep_days(all.town, 2);
    person_step(alice, want, (void *)(uintptr_t)TOWN_DOMAIN); /* or the log's news did already */
    person_settle(alice);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_UNVERIFIED), 0);
    /* who is not who he should be is told, and is not asked again and again */
    person_step(bob, pin, other);
    person_step(bob, want, (void *)(uintptr_t)TOWN_DOMAIN);
    person_settle(bob);
    assert_int_equal(person_count_events(bob, HEARTH_EVENT_UNVERIFIED), 1);
    assert_err(core_look(bob->core, get, &h), CREDENTIAL);
    person_step(bob, want, (void *)(uintptr_t)TOWN_DOMAIN);
    people_run_ms(&all, 30000);
    assert_int_equal(tasks_left(bob->core), 1); /* waits */
    assert_err(core_look(bob->core, get, &h), CREDENTIAL);
    people_run_ms(&all, 31000);
    assert_int_equal(tasks_left(bob->core), 0); /* was asked again, in vain */
    assert_int_equal(person_count_events(bob, HEARTH_EVENT_UNVERIFIED), 0);
    people_run_ms(&all, 61000);
    assert_err(core_look(bob->core, get, &h), NOT_FOUND);
    assert_err(core_step(bob->core, want, (void *)(uintptr_t) "no domain"), DOMAIN);
    people_close(&all);
}

/* ---- our own credential */

struct checking {
    struct bytes credential;
    struct verified_client client;
};

static struct err check(struct core *c, struct db_txn *t, void *arg)
{
    struct checking *k = arg;
    return homeserver_verify_client(c, t, k->credential, &k->client);
}

static void test_clients_are_verified(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, NULL);
    person_register(bob, NULL);
    struct checking k = {.credential = buf_view(&bob->core->account.credential)};
    person_step(alice, check, &k);
    test_assert_bytes(k.client.id_bytes, buf_view(&bob->core->account.client_id));
    struct buf copy = BUF_INIT;
    buf_append_bytes(&copy, k.credential);
    k.credential = buf_view(&copy);
    for (size_t at = 0; at < copy.len; at++) {
        copy.data[at] ^= 1;
        assert_false(err_is_ok(core_look(alice->core, check, &k)));
        copy.data[at] ^= 1;
    }
    /* signed by a key that came after ours were fetched: not known yet, which is no fault */
    town_rotate_signing(all.town, TOWN_DOMAIN);
    struct person *carol = person_new(&all, "carol");
    person_register(carol, NULL);
    buf_clear(&copy);
    buf_append_bytes(&copy, buf_view(&carol->core->account.credential)); /* she will renew it */
    k.credential = buf_view(&copy);
    assert_err(core_look(alice->core, check, &k), NOT_FOUND);
    town_sleep_days(all.town, 2);
    person_step(alice, want, (void *)(uintptr_t)TOWN_DOMAIN);
    person_settle(alice);
    person_step(alice, check, &k);
    /* and over it is, one day */
    town_sleep_days(all.town, 100);
    assert_err(core_look(alice->core, check, &k), CREDENTIAL_TIME);
    buf_clear(&copy);
    people_close(&all);
}

/* ---- no memory */

static struct err begin(struct core *c, struct db_txn *t, void *arg)
{
    const struct register_wish wish = {.domain = TOWN_DOMAIN, .handle = "alice"};
    uint64_t task;
    (void)arg;
    return register_begin(c, t, &wish, &task);
}

static void test_no_memory(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    fetch(alice);
    unsigned failed = 0;
    for (long at = 0;; at++) {
        test_fail_own_allocation(at);
        struct err err = core_step(alice->core, take, NULL);
        if (!test_allocation_failed()) {
            assert_ok(err);
            break;
        }
        failed++;
        assert_err(err, NO_MEMORY);
    }
    for (long at = 0;; at++) {
        test_fail_own_allocation(at);
        struct err err = core_step(alice->core, begin, NULL);
        if (!test_allocation_failed()) {
            assert_ok(err);
            break;
        }
        failed++;
        assert_err(err, NO_MEMORY);
        assert_int_equal(tasks_left(alice->core), 0);
        assert_string_equal(alice->core->account.domain, "");
    }
    assert_true(failed > 20);
    hearth__v1__get_keys_response__free_unpacked(got, NULL);
    people_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_and_pinned), cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_wanted),           cmocka_unit_test(test_clients_are_verified),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
