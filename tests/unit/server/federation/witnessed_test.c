/* What was cosigned last of a log: stored before anything is signed, only where it grew out of what
 * is stored, and never forgotten. Faults that these would catch: a store that fails and is signed
 * all the same, two roots of one size, a smaller size, a restart that begins anew. */
#include "server/federation/inside.h"
#include "support/test.h"
#include "support/vfs_fault.h"

static struct federation f;
static struct front_env env;
static struct clock_fake fake = {.unix_base_ms = 1700000000000};
static struct clock wall;
static const struct rng *const rng = &rng_system;
static struct vfs_fault *files;

static void open_store(void)
{
    const struct store_options options = {.path = "federation.db",
                                          .files = "witnessed",
                                          .mode = STORE_INLINE,
                                          .clock = &clock_system};
    assert_ok(kept_open(&f, &options));
}

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    wall = clock_of_fake(&fake);
    env = (struct front_env){.clock = &wall, .rng = rng, .domain = "a.test"};
    f.env = &env;
    files = vfs_fault_new("witnessed");
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &wall, rng, &env.keeper));
    open_store();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kept_close(&f);
    keeper_close(env.keeper);
    vfs_fault_free(files);
    return 0;
}

static struct witness_state at(uint64_t size, uint8_t root)
{
    struct witness_state s = {.size = size};
    memset(s.root.data, root, sizeof s.root.data);
    return s;
}

static struct err last;
static bool answered;

static void on_done(void *witnessing, struct err result)
{
    (void)witnessing;
    last = result;
    answered = true;
}

/* found: what it says it was, or NULL. */
static struct err put(const char *origin, struct witness_state old, struct witness_state next,
                      struct witness_state *found)
{
    struct witnessing w = {.old = old, .next = next};
    answered = false;
    TRY(witnessed_submit(&f, bytes_str(origin), on_done, &w));
    while (!answered && store_turn(f.store))
        continue;
    assert_true(answered);
    if (found != NULL)
        *found = w.found;
    return last;
}

static const struct witness_state none = {.size = 0};

static void only_what_grew(void **state)
{
    (void)state;
    struct witness_state found;
    assert_ok(put("b.test/kt/1", none, at(5, 1), NULL));
    assert_ok(put("b.test/kt/1", at(5, 1), at(5, 1), NULL)); /* the same again */
    assert_err(put("b.test/kt/1", at(5, 1), at(5, 2), NULL), TLOG_FORK);
    assert_err(put("b.test/kt/1", at(5, 1), at(4, 3), NULL), TLOG_FORK);
    /* who grew out of something else is told what it was */
    assert_err(put("b.test/kt/1", none, at(9, 4), &found), TLOG_CONSISTENCY);
    assert_int_equal(found.size, 5);
    assert_int_equal(found.root.data[0], 1);
    assert_err(put("b.test/kt/1", at(5, 2), at(9, 4), NULL), TLOG_CONSISTENCY);
    assert_err(put("b.test/kt/1", at(4, 1), at(9, 4), NULL), TLOG_CONSISTENCY);
    assert_ok(put("b.test/kt/1", at(5, 1), at(9, 4), NULL));
    /* the waiting form is the same, and so is what is read */
    struct witnessing w = {.old = at(5, 1), .next = at(11, 6)};
    struct witness_state now;
    assert_err(witnessed_call(&f, bytes_str("b.test/kt/1"), &w), TLOG_CONSISTENCY);
    assert_int_equal(w.found.size, 9);
    w.old = at(9, 4);
    assert_ok(witnessed_call(&f, bytes_str("b.test/kt/1"), &w));
    assert_ok(witnessed_read(&f, bytes_str("b.test/kt/1"), &now));
    assert_int_equal(now.size, 11);
    assert_int_equal(now.root.data[0], 6);
    assert_ok(witnessed_read(&f, bytes_str("c.test/kt/1"), &now));
    assert_int_equal(now.size, 0);
    /* another log is another log */
    assert_ok(put("b.test/kt/2", none, at(3, 7), NULL));
}

static void kept_over_a_restart(void **state)
{
    (void)state;
    struct witness_state found;
    assert_ok(put("b.test/kt/1", none, at(5, 1), NULL));
    kept_close(&f);
    vfs_power_off_after(files, 0);
    vfs_power_on(files, 3);
    open_store();
    assert_err(put("b.test/kt/1", none, at(5, 2), &found), TLOG_CONSISTENCY);
    assert_int_equal(found.size, 5);
    assert_int_equal(found.root.data[0], 1);
}

/* Whatever fails of the disk: when it went well it is there after a power cut, and of two forks of
 * one size one alone ever went well. */
static void failing_disks(void **state)
{
    (void)state;
    static const enum vfs_op ops[] = {VFS_WRITE, VFS_SYNC};
    struct witness_state stored = none;
    long failed = 0;
    for (size_t i = 0; i < 2 * 8; i++) {
        const struct witness_state good = at(10 + i, 1), fork = at(10 + i, 2);
        vfs_fail(files, ops[i % 2], VFS_ERROR, (long)i / 4, 1);
        const struct err first = put("b.test/kt/1", stored, good, NULL);
        failed += vfs_failed(files);
        kept_close(&f);
        vfs_power_off_after(files, 0);
        vfs_power_on(files, i);
        open_store();
        const struct err second = put("b.test/kt/1", stored, fork, NULL);
        assert_false(err_is_ok(first) && err_is_ok(second));
        struct witness_state found;
        assert_err(put("b.test/kt/1", at(1, 9), at(99, 9), &found), TLOG_CONSISTENCY);
        if (err_is_ok(first)) {
            assert_memory_equal(&found.root, &good.root, sizeof good.root);
            assert_int_equal(found.size, good.size);
        }
        stored = found;
    }
    assert_true(failed > 0);
}

static void the_key_has_a_name(void **state)
{
    (void)state;
    struct buf text = BUF_INIT, line = BUF_INIT, message = BUF_INIT;
    struct note_key key;
    struct signature s;
    struct note note;
    uint64_t time_s;
    assert_ok(federation_witness_key(&env, &text));
    assert_ok(note_key_parse(buf_view(&text), &key));
    test_assert_bytes(key.name, bytes_str("a.test/witness"));
    assert_int_equal(key.type, NOTE_COSIGNATURE);
    note_cosigned_text(&message, bytes_str("text\n"), 77);
    assert_ok(
        keeper_sign(env.keeper, KEEPER_WITNESS, false, bytes_str(""), buf_view(&message), &s));
    buf_append_bytes(&line, bytes_str("text\n\n"));
    assert_err(note_cosign_write(&line, &key, 77, bytes_of(s.data, 63)), ARGUMENT);
    assert_ok(note_cosign_write(&line, &key, 77, signature_view(&s)));
    assert_ok(note_parse(buf_view(&line), &note));
    assert_ok(note_verify_cosignature(&note, &key, &time_s));
    assert_int_equal(time_s, 77);
    buf_clear(&text);
    buf_clear(&line);
    buf_clear(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_grew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kept_over_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_disks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_key_has_a_name, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
