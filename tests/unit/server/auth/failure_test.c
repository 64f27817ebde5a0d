/* Every allocation of a call fails once in turn: the call ends with an error or as it should, never
 * in between; a repeat with the same idempotency id gets it done once; nothing leaks. */
#include "support/auth/person.h"
#include "support/failing.h"

static struct auth_world w;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_start(&w, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_world_end(&w);
    return 0;
}

static struct auth_counts counts(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c;
}

/* Until the n-th allocation is beyond the call. make: what each attempt begins with. */
static void fail_each(enum hearth_code (*call)(void *self), void (*make)(void *self),
                      void (*end)(void *self), void *self)
{
    long n = 0;
    for (bool failed = true; failed; n++) {
        make(self);
        auth_world_fail(&w, n);
        enum hearth_code code = call(self);
        failed = auth_world_failed(&w);
        if (!failed)
            assert_int_equal(code, HEARTH_OK);
        for (int i = 0; code != HEARTH_OK; i++) {
            if (i == 10)
                fail_msg("allocation %ld: code %d", n, code);
            auth_world_run_ms(&w, 5000); /* a connection that was lost comes back */
            code = call(self);
        }
        end(self);
        assert_true(n < 20000);
    }
    print_message("%ld allocations failed\n", n - 1);
    assert_true(n > 10);
}

/* ---- users */

struct user_case {
    struct person p;
    uint8_t code[16], id[16];
    uint64_t made;
};

static void make_user(void *self)
{
    struct user_case *c = self;
    struct buf b = BUF_INIT;
    person_init(&c->p, &w);
    person_next_id(&c->p, c->id);
    assert_ok(auth_invite(w.auth, 1, 0, &b));
    memcpy(c->code, b.data, 16);
    buf_clear(&b);
}

static enum hearth_code call_register(void *self)
{
    struct user_case *c = self;
    return person_register_with(&c->p, c->code, c->id, NULL, NULL);
}

static void end_user(void *self)
{
    struct user_case *c = self;
    c->made++;
    assert_int_equal(counts().users, c->made);
    assert_int_equal(counts().clients, c->made);
    assert_int_equal(counts().invitations, 0);
    person_clear(&c->p);
}

static void registration(void **state)
{
    (void)state;
    struct user_case c = {0};
    if (!test_can_fail_allocations())
        skip();
    fail_each(call_register, make_user, end_user, &c);
}

static void make_removable(void *self)
{
    struct user_case *c = self;
    make_user(self);
    assert_int_equal(call_register(self), HEARTH_OK);
    struct device *second = person_add_device(&c->p);
    assert_int_equal(person_add_client(&c->p, &c->p.devices[0], second, NULL), HEARTH_OK);
    person_next_id(&c->p, c->id);
}

static enum hearth_code call_remove(void *self)
{
    struct user_case *c = self;
    return person_remove_client(&c->p, &c->p.devices[1], &c->p.devices[1], c->id);
}

static void end_removed(void *self)
{
    struct user_case *c = self;
    c->made++;
    assert_int_equal(counts().clients, c->made);
    assert_int_equal(counts().revoked, c->made);
    person_clear(&c->p);
}

static void removal_of_oneself(void **state)
{
    (void)state;
    struct user_case c = {0};
    if (!test_can_fail_allocations())
        skip();
    fail_each(call_remove, make_removable, end_removed, &c);
}

static enum hearth_code call_delete(void *self)
{
    struct user_case *c = self;
    return person_delete(&c->p, &c->p.devices[0], c->id);
}

static void make_profile(void *self)
{
    struct user_case *c = self;
    make_removable(self);
    assert_int_equal(person_stage_profile(&c->p, &c->p.devices[0], 1, bytes_str("a")), HEARTH_OK);
    assert_int_equal(person_commit_profile(&c->p, &c->p.devices[0]), HEARTH_OK);
    assert_int_equal(person_stage_profile(&c->p, &c->p.devices[0], 2, bytes_str("b")), HEARTH_OK);
    person_next_id(&c->p, c->id);
}

static void end_deleted(void *self)
{
    struct user_case *c = self;
    assert_int_equal(counts().clients, 0);
    assert_int_equal(counts().users, 0);
    person_clear(&c->p);
}

static void deletion(void **state)
{
    (void)state;
    struct user_case c = {0};
    if (!test_can_fail_allocations())
        skip();
    fail_each(call_delete, make_profile, end_deleted, &c);
}

/* ---- handles */

struct handle_case {
    struct owner o;
    uint8_t id[16];
    struct auth_stream listener;
};

static void make_owner(void *self)
{
    struct handle_case *c = self;
    static uint8_t number[2];
    if (++number[0] == 0)
        number[1]++;
    owner_init(&c->o, &w, 1);
    c->o.hash[0] = number[0];
    c->o.hash[1] = number[1];
    caller_set_id(&c->o.caller, bytes_of(c->o.hash, 32));
    memcpy(c->id, c->o.hash, 16);
}

static enum hearth_code call_create(void *self)
{
    struct handle_case *c = self;
    return owner_create(&c->o, c->id, false);
}

static void end_owner(void *self)
{
    struct handle_case *c = self;
    owner_clear(&c->o);
}

static void creation_of_a_handle(void **state)
{
    (void)state;
    struct handle_case c = {0};
    if (!test_can_fail_allocations())
        skip();
    fail_each(call_create, make_owner, end_owner, &c);
}

/* A package may be lost with the call that took it, but none is given twice. */
static enum hearth_code call_connect(void *self)
{
    struct handle_case *c = self;
    struct auth_stream s;
    owner_fetch(&c->o, &s);
    if (s.count > 0)
        stream_offer(&s, bytes_str("offer"));
    enum hearth_code code = s.done ? s.code : HEARTH_UNKNOWN;
    auth_stream_close(&s);
    return code;
}

static void make_published(void *self)
{
    struct handle_case *c = self;
    make_owner(self);
    assert_int_equal(call_create(self), HEARTH_OK);
    assert_int_equal(owner_publish(&c->o, 3, true), HEARTH_OK);
    owner_listen(&c->o, &c->listener);
}

/* Each offer that was said to be stored reaches a listener, with dense numbers. */
static void end_published(void *self)
{
    struct handle_case *c = self;
    auth_world_run_ms(&w, 3000);
    if (c->listener.done) { /* cut off by the failure */
        auth_stream_close(&c->listener);
        owner_listen(&c->o, &c->listener);
        auth_world_run_ms(&w, 3000);
    }
    assert_true(c->listener.count >= 1);
    for (size_t i = 0; i < c->listener.count; i++)
        assert_int_equal(offer_at(&c->listener, i)->sequence, i + 1);
    auth_stream_close(&c->listener);
    owner_clear(&c->o);
}

static void connecting(void **state)
{
    (void)state;
    struct handle_case c = {0};
    if (!test_can_fail_allocations())
        skip();
    fail_each(call_connect, make_published, end_published, &c);
}

static void nothing_leaks(void **state)
{
    (void)state;
    /* twice the same, since libraries keep things they make once */
    long before = 0;
    for (int i = 0; i < 3; i++) {
        struct person p;
        struct owner o;
        struct auth_stream s;
        uint8_t id[16] = {1};
        auth_world_init(&w);
        auth_world_start(&w, false);
        person_init(&p, &w);
        owner_init(&o, &w, 7);
        assert_int_equal(person_register(&p), HEARTH_OK);
        assert_int_equal(owner_create(&o, id, false), HEARTH_OK);
        owner_listen(&o, &s);
        auth_stream_close(&s);
        person_clear(&p);
        owner_clear(&o);
        auth_world_end(&w);
        if (i == 1)
            before = test_live_allocations();
    }
    assert_int_equal(test_live_allocations(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(registration),         TEST(removal_of_oneself), TEST(deletion),
        TEST(creation_of_a_handle), TEST(connecting),         cmocka_unit_test(nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
