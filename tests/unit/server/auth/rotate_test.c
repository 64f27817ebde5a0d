/* RotateHandle: a handle gets another key, at once with packages under it. */
#include "support/auth/person.h"

static struct auth_world w;
static struct owner o;
static struct sig_key next;
static const uint8_t id1[16] = {1}, id2[16] = {2}, id3[16] = {3};

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "rotate");
    auth_world_start(&w, false);
    owner_init(&o, &w, 0xa1);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    assert_int_equal(owner_publish(&o, 3, true), HEARTH_OK);
    assert_ok(sig_key_generate(&sig_ed25519, &w.rng, &next));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_clear(&o);
    sig_key_clear(&next);
    auth_world_end(&w);
    return 0;
}

static enum hearth_code refresh(const struct sig_key *key)
{
    Hearth__V1__RefreshHandleRequest in = HEARTH__V1__REFRESH_HANDLE_REQUEST__INIT;
    const struct sig_key mine = o.caller.key;
    o.caller.key = *key;
    in.handle_hash = auth_data(bytes_of(o.hash, 32));
    enum hearth_code code = auth_world_call(&w, &o.caller, "RefreshHandle", &in.base, NULL);
    o.caller.key = mine;
    return code;
}

/* The package and the KeySet that Connect gives are of this key and version. */
static void assert_serves(const struct sig_key *key, uint32_t version)
{
    struct auth_stream s;
    struct connection_package package;
    struct key_set set;
    owner_fetch(&o, &s);
    assert_ok(connection_package_read(auth_view(fetched(&s)->package),
                                      public_key_view(&key->public_key), &package));
    assert_ok(key_set_parse(auth_view(fetched(&s)->key_set), &set));
    assert_int_equal(set.version, version);
    test_assert_bytes(set.clients[0].public_key, public_key_view(&key->public_key));
    auth_stream_close(&s);
}

static void the_new_key_is_in_force(void **state)
{
    (void)state;
    const struct sig_key before = o.caller.key;
    assert_serves(&before, 0);
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_OK);
    assert_serves(&next, 1);
    assert_serves(&next, 1); /* of last resort */
    assert_int_equal(refresh(&before), HEARTH_UNAUTHENTICATED);
    assert_int_equal(refresh(&next), HEARTH_OK);
    assert_int_equal(owner_publish(&o, 1, true), HEARTH_UNAUTHENTICATED);
    assert_int_equal(owner_delete(&o, id3), HEARTH_UNAUTHENTICATED);
    auth_world_restart(&w, true);
    assert_serves(&next, 1);
}

/* Its answer was lost: the new key signs the repeat, since the old one is nobody's. */
static void a_repeat_under_the_new_key(void **state)
{
    (void)state;
    const struct rotate_faults again = {.by_next = true};
    assert_int_equal(owner_rotate(&o, id2, &next, &again), HEARTH_UNAUTHENTICATED);
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_OK);
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(owner_rotate(&o, id2, &next, &again), HEARTH_OK);
    auth_world_restart(&w, true);
    assert_int_equal(owner_rotate(&o, id2, &next, &again), HEARTH_OK);
    assert_int_equal(owner_rotate(&o, id3, &next, &again), HEARTH_FAILED_PRECONDITION);
    assert_serves(&next, 1);
}

static void what_is_refused(void **state)
{
    (void)state;
    const struct sig_key before = o.caller.key;
    const struct rotate_faults faults[] = {{.reset = true},
                                           {.wrong_label = true},
                                           {.wrong_version = true},
                                           {.unsigned_by_old = true},
                                           {.same_key = true},
                                           {.old_packages = true},
                                           {.reset = true, .wrong_version = true}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        enum hearth_code code = owner_rotate(&o, id2, &next, &faults[i]);
        assert_true(code == HEARTH_INVALID_ARGUMENT || code == HEARTH_FAILED_PRECONDITION);
        assert_serves(&before, 0);
    }
    o.caller.faults.wrong_key = true;
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_UNAUTHENTICATED);
    o.caller.faults = (struct caller_faults){0};
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_OK);
}

/* A device that was removed hears nothing any more, also on a stream that it has. */
static void who_listens_is_ended(void **state)
{
    (void)state;
    struct auth_stream before, after, left;
    owner_listen(&o, &before);
    assert_false(before.done);
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_OK);
    auth_world_run_ms(&w, 1500);
    assert_true(before.done);
    auth_stream_close(&before);
    owner_listen(&o, &before);
    assert_int_equal(before.code, HEARTH_UNAUTHENTICATED);
    auth_stream_close(&before);
    o.caller.key = next;
    owner_listen(&o, &after);
    owner_fetch(&o, &left);
    stream_offer(&left, bytes_str("hello"));
    auth_world_run_ms(&w, 1500);
    test_assert_bytes(auth_view(offer_at(&after, 0)->offer), bytes_str("hello"));
    auth_stream_close(&left);
    auth_stream_close(&after);
}

/* Offers that were left under the key before are not lost. */
static void offers_stay(void **state)
{
    (void)state;
    struct auth_stream left, after;
    owner_fetch(&o, &left);
    stream_offer(&left, bytes_str("hello"));
    auth_stream_close(&left);
    assert_int_equal(owner_rotate(&o, id2, &next, NULL), HEARTH_OK);
    o.caller.key = next;
    owner_listen(&o, &after);
    auth_world_run_ms(&w, 1500);
    test_assert_bytes(auth_view(offer_at(&after, 0)->offer), bytes_str("hello"));
    auth_stream_close(&after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_new_key_is_in_force),
        TEST(a_repeat_under_the_new_key),
        TEST(what_is_refused),
        TEST(who_listens_is_ended),
        TEST(offers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
