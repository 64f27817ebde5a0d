/* Our queue: fetched, listened to, disturbed; offers that wait for handles. */
#include <stdio.h>

#include "client/core/event.h"
#include "client/core/handle.h"
#include "client/core/key_package.h"
#include "client/core/op.h"
#include "client/core/queue_inside.h"
#include "client/core/task.h"
#include "support/people/people.h"

enum { KIND_WAITS = 2000 };

/* ---- somebody fetches KeyPackages of ours */

struct asking {
    bool done;
    enum hearth_code code;
    size_t bundles;
    bool last_resort;
};

static void on_bundles(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct asking *a = arg;
    const Hearth__V1__GetKeyPackagesResponse *in = (const void *)out;
    a->done = true;
    a->code = status->code;
    if (in == NULL)
        return;
    a->bundles = in->n_bundles;
    for (size_t i = 0; i < in->n_bundles; i++) {
        struct bytes message = core_in(in->bundles[i]->key_package);
        struct key_package kp;
        assert_ok(key_package_parse(bytes_of(message.data + 4, message.len - 4), &kp));
        a->last_resort |= key_package_is_last_resort(&kp);
    }
}

static struct asking ask(struct person *by, const struct person *whose)
{
    const struct user_secrets *user = &whose->core->account.user;
    struct asking a = {0};
    struct api_call *call;
    uint8_t contact[16], token[CONTACT_TOKEN_BYTES], once[16];
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    assert_ok(rng_fill(by->core->rng, contact, sizeof contact)); /* each gets a few of the last */
    contact_token_make(user->contact_key, contact, token);
    assert_ok(rng_fill(by->core->rng, once, sizeof once));
    id.id = core_out(bytes_of(once, sizeof once));
    in.idempotency = &id;
    in.queue_user_id = core_out(bytes_of(user->queue_user_id, 16));
    in.contact_token = core_out(bytes_of(token, sizeof token));
    struct api_to to = {.domain = TOWN_DOMAIN};
    assert_ok(api_start(by->core->api, &to, api_endpoint("Queue", "GetKeyPackages"), &in.base,
                        on_bundles, &a, &call));
    while (!a.done)
        people_run_ms(by->people, 10);
    assert_int_equal(a.code, HEARTH_OK);
    assert_int_equal(a.bundles, 1);
    return a;
}

static struct err look_left(struct core *c, struct db_txn *t, void *arg)
{
    return key_package_left(c, t, arg);
}

/* ---- */

static void test_sync_of_nothing(void **state)
{
    (void)state;
    struct people all;
    uint64_t next;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    struct hearth_op *op;
    assert_ok(op_new_free(alice->core, NULL, &op));
    assert_err(queue_sync(alice->core, op), WRONG_STATE);
    op_end(op, &(struct hearth_error){.result = HEARTH_DONE});
    op_detach(op);
    person_register(alice, NULL);
    person_sync(alice);
    assert_ok(queue_next(alice->core, &next));
    assert_int_equal(next, 1); /* the first key of the ratchet */
    uint64_t from_us = town_now_us(all.town);
    person_sync(alice);
    assert_true(town_now_us(all.town) - from_us < 1000000);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_LOSS), 0);
    people_close(&all);
}

/* Killed at each step in turn. The notice of last resort leads to a new batch, once. */
static void last_resort(uint64_t kill_at, bool listen, bool *ret_killed)
{
    struct people all;
    size_t left = 0;
    people_init(&all, kill_at + 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, NULL);
    for (unsigned i = 0; i < KEY_PACKAGES_PUBLISHED; i++)
        assert_false(ask(bob, alice).last_resort);
    assert_true(ask(bob, alice).last_resort);
    person_kill_at(alice, kill_at);
    if (listen)
        person_listen(alice, 30000);
    else
        person_sync(alice);
    person_settle(alice);
    *ret_killed = alice->lives > 1;
    person_kill_at(alice, 0);
    person_step(alice, look_left, &left);
    assert_int_equal(left, KEY_PACKAGES_PUBLISHED);
    assert_false(ask(bob, alice).last_resort);
    person_sync(alice);
    assert_int_equal(person_count_events(alice, HEARTH_EVENT_UNVERIFIED), 0);
    people_close(&all);
}

static void test_last_resort(void **state)
{
    (void)state;
    bool killed = true;
    uint64_t n;
    last_resort(0, false, &killed);
    assert_false(killed);
    for (n = 1, killed = true; killed; n++)
        last_resort(n, false, &killed);
    assert_true(n > 4);
    last_resort(0, true, &killed);
    for (n = 1, killed = true; killed && n < 12; n++)
        last_resort(n, true, &killed);
    assert_true(n > 4);
}

static void test_listening_goes_on(void **state)
{
    (void)state;
    struct people all;
    size_t left = 0;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    person_register(alice, "alice");
    person_settle(alice);
    assert_ok(queue_listen(alice->core));
    assert_ok(queue_listen(alice->core));
    people_run_ms(&all, 1000);
    town_kill_server(all.town, TOWN_DOMAIN);
    people_run_ms(&all, 10000);
    for (unsigned i = 0; i <= KEY_PACKAGES_PUBLISHED; i++)
        (void)ask(bob, alice);
    people_run_ms(&all, 5000);
    person_step(alice, look_left, &left);
    assert_int_equal(left, KEY_PACKAGES_PUBLISHED);
    assert_false(ask(bob, alice).last_resort);
    person_sync(alice); /* both at once */
    queue_listen_stop(alice->core);
    people_run_ms(&all, 1000);
    people_close(&all);
}

/* ---- what a hostile homeserver may put into a queue */

static enum hearth_event_kind take(struct person *p, uint64_t sequence, const char *sealed)
{
    Hearth__V1__QueueItem item;
    struct hearth_event event;
    hearth__v1__queue_item__init(&item);
    item.sequence = sequence;
    item.sealed = core_out(bytes_str(sealed));
    assert_ok(queue_take(p->core, &item));
    return person_event(p, &event) ? event.kind : 0;
}

static void test_hostile_items(void **state)
{
    (void)state;
    struct people all;
    uint64_t next;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    person_register(alice, NULL);
    person_sync(alice);
    while (person_event(alice, &(struct hearth_event){0}))
        ;
    assert_int_equal(take(alice, 0, "again"), 0); /* a number that was seen */
    assert_int_equal(take(alice, 1, "garbage"), HEARTH_EVENT_UNVERIFIED);
    assert_int_equal(take(alice, 2, "garbage"), 0); /* told once */
    assert_int_equal(take(alice, 3, ""), HEARTH_EVENT_LOSS);
    struct hearth_event event;
    assert_int_equal(take(alice, 10, ""), HEARTH_EVENT_LOSS); /* six left out, and itself */
    assert_true(person_event(alice, &event));
    assert_int_equal(event.kind, HEARTH_EVENT_LOSS);
    assert_int_equal(take(alice, UINT64_MAX - 2, "x"), HEARTH_EVENT_LOSS);
    (void)take(alice, UINT64_MAX - 1, "x");
    Hearth__V1__QueueItem item;
    hearth__v1__queue_item__init(&item);
    item.sequence = UINT64_MAX;
    struct err err = queue_take(alice->core, &item);
    (void)err; /* no number is left; nothing crashes */
    assert_ok(queue_next(alice->core, &next));
    people_close(&all);
}

/* ---- tasks that wait until the queue was drained */

static unsigned woken;

static struct err waits_prepare(struct core *c, struct db_txn *t, struct task *task,
                                struct task_call *call, enum task_next *ret_next)
{
    (void)t;
    (void)call;
    if (task->state == 1) {
        woken++;
        *ret_next = TASK_NEXT_DONE;
        return ERR_OK;
    }
    task->state = 1;
    *ret_next = TASK_NEXT_WAIT;
    return queue_drain_then_wake(c, task->lane);
}

static const struct task_steps waits = {.prepare = waits_prepare};

static struct err add_waits(struct core *c, struct db_txn *t, void *arg)
{
    return task_add(c, t, (enum task_kind)KIND_WAITS, arg, NULL, bytes_of(NULL, 0), NULL);
}

static void test_drain_then_wake(void **state)
{
    (void)state;
    struct people all;
    uint8_t one[16] = {1}, two[16] = {2};
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    person_register(alice, NULL);
    tasks_add_kind(alice->core, KIND_WAITS, &waits);
    woken = 0;
    person_step(alice, add_waits, one);
    person_step(alice, add_waits, two);
    people_run_ms(&all, 2000);
    assert_int_equal(woken, 2);
    assert_false(tasks_busy(alice->core));
    people_close(&all);
}

/* ---- handles */

struct handle_wish {
    const char *local;
    uint64_t task;
};

static struct err add_handle(struct core *c, struct db_txn *t, void *arg)
{
    struct handle_wish *w = arg;
    return handle_add_begin(c, t, w->local, &w->task);
}

static struct err remove_handle(struct core *c, struct db_txn *t, void *arg)
{
    struct handle_wish *w = arg;
    return handle_remove_begin(c, t, w->local, &w->task);
}

static void test_handles(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice"), *bob = person_new(&all, "bob");
    struct handle_wish w = {.local = "alice"};
    assert_err(core_step(alice->core, add_handle, &w), WRONG_STATE);
    person_register(alice, NULL);
    person_register(bob, NULL);
    person_step(alice, add_handle, &w);
    assert_err(core_step(alice->core, add_handle, &w), CLIENT_HANDLE);
    assert_int_equal(person_task(alice, w.task), HEARTH_DONE);
    assert_int_equal(town_handles(all.town), 1);
    w.local = "No";
    assert_err(core_step(alice->core, add_handle, &w), ARGUMENT);
    w.local = "alice";
    person_step(bob, add_handle, &w);
    assert_int_equal(person_task(bob, w.task), HEARTH_REFUSED);
    assert_int_equal(bob->error.grpc, HEARTH_ALREADY_EXISTS);
    /* a name that somebody had may be had again */
    person_step(alice, remove_handle, &w);
    assert_int_equal(person_task(alice, w.task), HEARTH_DONE);
    assert_int_equal(town_handles(all.town), 0);
    assert_err(core_step(alice->core, remove_handle, &w), NOT_FOUND);
    person_step(bob, add_handle, &w);
    assert_int_equal(person_task(bob, w.task), HEARTH_DONE);
    assert_int_equal(town_handles(all.town), 1);
    people_close(&all);
}

static void test_handles_are_refreshed(void **state)
{
    (void)state;
    struct people all;
    people_init(&all, 1);
    struct person *alice = person_new(&all, "alice");
    person_register(alice, "alice");
    for (unsigned i = 0; i < 8; i++) { /* 240 days; the homeserver keeps a handle for 180 */
        town_sleep_days(all.town, 30);
        people_run_ms(&all, 5000);
        person_settle(alice);
    }
    assert_int_equal(town_handles(all.town), 1);
    people_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync_of_nothing),       cmocka_unit_test(test_last_resort),
        cmocka_unit_test(test_listening_goes_on),     cmocka_unit_test(test_hostile_items),
        cmocka_unit_test(test_drain_then_wake),       cmocka_unit_test(test_handles),
        cmocka_unit_test(test_handles_are_refreshed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
