/* The door to the log: what changes a key set is answered when the log has it. */
#include "support/auth/person.h"

static struct auth_world w;

/* A log that answers when told to. */
static struct log {
    void (*done)(void *arg, struct err result, const struct auth_receipt *receipt);
    void *arg;
    struct buf label;
    uint32_t version;
    unsigned asked;
} the_log;

static void append(void *self, struct bytes label, uint32_t version, struct bytes key_set,
                   struct hearth_loop *loop,
                   void (*done)(void *arg, struct err result, const struct auth_receipt *receipt),
                   void *arg)
{
    struct log *log = self;
    struct key_set set;
    (void)loop;
    assert_ok(key_set_parse(key_set, &set));
    assert_int_equal(set.version, version);
    test_assert_bytes(set.label, label);
    assert_null(log->done);
    log->done = done;
    log->arg = arg;
    log->version = version;
    buf_clear(&log->label);
    buf_append_bytes(&log->label, label);
    log->asked++;
}

static void answer(struct err result)
{
    static const struct auth_receipt receipt = {{(const uint8_t *)"note", 4},
                                                {(const uint8_t *)"proof", 5}};
    void (*done)(void *arg, struct err, const struct auth_receipt *) = the_log.done;
    assert_non_null(done);
    the_log.done = NULL;
    done(the_log.arg, result, &receipt);
    auth_world_settle(&w);
}

static const struct auth_log door = {append, NULL, &the_log, {NULL, 0}};

static void answers_wait_for_the_log(void **state)
{
    (void)state;
    struct person p;
    struct buf code = BUF_INIT, request = BUF_INIT, set = BUF_INIT;
    struct auth_call c;
    uint8_t id[16] = {1};
    auth_world_init(&w);
    w.options.log = &door;
    auth_world_start(&w, false);
    person_init(&p, &w);
    assert_ok(auth_invite(w.auth, 1, 0, &code));
    Hearth__V1__RegisterUserRequest in = HEARTH__V1__REGISTER_USER_REQUEST__INIT;
    Hearth__V1__RegistrationPermit permit = HEARTH__V1__REGISTRATION_PERMIT__INIT;
    Hearth__V1__Idempotency iid = HEARTH__V1__IDEMPOTENCY__INIT;
    device_request(&p.devices[0], &request);
    person_key_set(&p, 0, NULL, &p.devices[0], NULL, &set);
    iid.id = auth_data(bytes_of(id, 16));
    permit.permit_case = HEARTH__V1__REGISTRATION_PERMIT__PERMIT_INVITATION;
    permit.invitation = auth_data(buf_view(&code));
    in.idempotency = &iid;
    in.permit = &permit;
    in.credential_request = auth_data(buf_view(&request));
    in.key_set = auth_data(buf_view(&set));

    auth_world_begin(&w, NULL, "RegisterUser", &in.base, &c);
    auth_world_settle(&w);
    assert_false(c.done);
    assert_int_equal(the_log.asked, 1);
    answer(ERR(TIMEOUT)); /* the log could not: the account is there, its receipt is not */
    assert_true(c.done);
    assert_int_equal(c.code, HEARTH_DEADLINE_EXCEEDED);
    auth_call_clear(&c);

    auth_world_begin(&w, NULL, "RegisterUser", &in.base, &c); /* repeated: asks the log again */
    auth_world_settle(&w);
    assert_false(c.done);
    assert_int_equal(the_log.asked, 2);
    assert_int_equal(the_log.version, 0);
    assert_int_equal(the_log.label.data[0], KEY_SET_LABEL_USER);
    answer(ERR_OK);
    assert_int_equal(c.code, HEARTH_OK);
    const Hearth__V1__RegisterUserResponse *out = (const Hearth__V1__RegisterUserResponse *)c.out;
    test_assert_bytes(auth_view(out->receipt->checkpoint), bytes_str("note"));
    test_assert_bytes(auth_view(out->receipt->proof), bytes_str("proof"));
    assert_true(out->credential.len > 0);
    auth_call_clear(&c);

    /* the caller goes away while the log thinks: nothing is answered, nothing breaks */
    auth_world_begin(&w, NULL, "RegisterUser", &in.base, &c);
    auth_world_settle(&w);
    hearth_client_call_cancel(c.call);
    auth_world_settle(&w);
    assert_int_equal(c.code, HEARTH_CANCELLED);
    answer(ERR_OK);
    auth_call_clear(&c);

    struct auth_counts counts;
    assert_ok(auth_counts(w.auth, &counts));
    assert_int_equal(counts.users, 1);
    buf_clear(&code);
    buf_clear(&request);
    buf_clear(&set);
    buf_clear(&the_log.label);
    person_clear(&p);
    auth_world_end(&w);
}

/* What was committed when the machine went down reaches the log afterwards, and is then forgotten.
 * The log may still answer to the service that was. */
static void a_crash_before_the_log_has_it(void **state)
{
    (void)state;
    struct owner o;
    struct auth_call c;
    struct buf set = BUF_INIT;
    const uint8_t id_bytes[16] = {1};
    Hearth__V1__CreateHandleRequest in = HEARTH__V1__CREATE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    the_log = (struct log){0};
    auth_world_init(&w);
    auth_world_use_vfs(&w, "log");
    w.options.log = &door;
    auth_world_start(&w, false);
    owner_init(&o, &w, 0x51);
    owner_key_set(&o, 0, 1, false, &set);
    id.id = auth_data(bytes_of(id_bytes, 16));
    in.idempotency = &id;
    in.handle_hash = auth_data(bytes_of(o.hash, 32));
    in.key_set = auth_data(buf_view(&set));
    auth_world_begin(&w, &o.caller, "CreateHandle", &in.base, &c);
    auth_world_settle(&w);
    assert_int_equal(the_log.asked, 1);
    const struct log before = the_log;
    the_log.done = NULL;
    auth_world_restart(&w, true);
    assert_true(c.done);
    assert_int_equal(the_log.asked, 1);
    auth_log_resume(w.auth, w.loop);
    auth_world_settle(&w);
    assert_int_equal(the_log.asked, 2);
    assert_int_equal(the_log.version, 0);
    assert_int_equal(the_log.label.data[0], KEY_SET_LABEL_HANDLE);
    assert_memory_equal(the_log.label.data + 1, o.hash, 32);
    answer(ERR(TIMEOUT)); /* not yet */
    auth_log_resume(w.auth, w.loop);
    auth_world_settle(&w);
    assert_int_equal(the_log.asked, 3);
    answer(ERR_OK);
    auth_log_resume(w.auth, w.loop);
    auth_world_settle(&w);
    assert_int_equal(the_log.asked, 3);
    const struct auth_receipt none = {0};
    before.done(before.arg, ERR_OK, &none);
    auth_call_clear(&c);
    buf_clear(&set);
    buf_clear(&the_log.label);
    owner_clear(&o);
    auth_world_end(&w);
}

/* A log that takes everything at once. */
static unsigned taken_users, taken_handles;

static void take(void *self, struct bytes label, uint32_t version, struct bytes key_set,
                 struct hearth_loop *loop,
                 void (*done)(void *arg, struct err result, const struct auth_receipt *receipt),
                 void *arg)
{
    static const struct auth_receipt receipt;
    (void)self;
    (void)loop;
    assert_int_equal(version, 0);
    assert_true(key_set.len > 0);
    taken_users += label.data[0] == KEY_SET_LABEL_USER;
    taken_handles += label.data[0] == KEY_SET_LABEL_HANDLE;
    done(arg, ERR_OK, &receipt);
}

static void resume(void)
{
    for (int i = 0; i < 8; i++) {
        auth_log_resume(w.auth, w.loop);
        auth_world_settle(&w);
    }
}

/* Users and handles that were made without a log enter the first one there is, once; and again one
 * of another name. */
static void what_is_older_than_the_log(void **state)
{
    (void)state;
    enum { HANDLES = 150 }; /* more than a piece */
    struct auth_log first = {take, NULL, NULL, bytes_str("a.test/kt/1")};
    struct auth_log second = {take, NULL, NULL, bytes_str("a.test/kt/2")};
    static struct owner owners[HANDLES];
    struct person p;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "older");
    auth_world_start(&w, false);
    person_init(&p, &w);
    assert_int_equal(person_register(&p), HEARTH_OK);
    for (size_t i = 0; i < HANDLES; i++) {
        uint8_t id[16] = {0x40, (uint8_t)i};
        owner_init(&owners[i], &w, (uint8_t)i);
        assert_int_equal(owner_create(&owners[i], id, false), HEARTH_OK);
    }
    const uint8_t last[16] = {0x41};
    assert_int_equal(owner_delete(&owners[0], last), HEARTH_OK);
    w.options.log = &first;
    auth_world_restart(&w, false);
    assert_int_equal(taken_users + taken_handles, 0);
    resume();
    assert_int_equal(taken_users, 1);
    assert_int_equal(taken_handles, HANDLES - 1);
    auth_world_restart(&w, true);
    resume();
    assert_int_equal(taken_users + taken_handles, HANDLES);
    w.options.log = &second;
    auth_world_restart(&w, false);
    resume();
    assert_int_equal(taken_users + taken_handles, 2 * HANDLES);
    for (size_t i = 0; i < HANDLES; i++)
        owner_clear(&owners[i]);
    person_clear(&p);
    auth_world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_wait_for_the_log),
                                       cmocka_unit_test(a_crash_before_the_log_has_it),
                                       cmocka_unit_test(what_is_older_than_the_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
