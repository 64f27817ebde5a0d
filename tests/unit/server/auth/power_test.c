/* Power cuts at every change of the files: what was answered is there, what was not can be
 * repeated, and nothing is spent or made twice (Q1, T1, A1). */
#include "support/auth/person.h"

static struct auth_world w;

static struct auth_counts counts(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c;
}

struct tally {
    unsigned answered, lost;
    bool relaxed; /* the control: commits are not durable */
};

/* false: the power held to the end. */
static bool cut_after(long changes, uint64_t seed, struct tally *t)
{
    struct person p;
    struct owner o;
    struct buf codes = BUF_INIT;
    const uint8_t id[16] = {1}, id2[16] = {2};
    auth_world_init(&w);
    auth_world_use_vfs(&w, "power");
    w.options.store.relaxed = t->relaxed;
    auth_world_start(&w, false);
    assert_ok(auth_invite(w.auth, 1, 0, &codes));
    if (t->relaxed)
        auth_world_restart(&w, false); /* the invitation itself is not to be lost */
    person_init(&p, &w);
    owner_init(&o, &w, 0x21);
    vfs_power_off_after(w.vfs, changes);
    enum hearth_code registered = person_register_with(&p, codes.data, id, NULL, NULL);
    enum hearth_code created = owner_create(&o, id2, false);
    bool off = vfs_is_off(w.vfs);
    auth_world_power_on(&w, seed);
    t->answered += (registered == HEARTH_OK) + (created == HEARTH_OK);
    if (registered == HEARTH_OK && person_list(&p, &p.devices[0], NULL) != HEARTH_OK)
        t->lost++;
    if (created == HEARTH_OK && owner_publish(&o, 1, true) != HEARTH_OK)
        t->lost++;
    /* the same requests again */
    assert_int_equal(person_register_with(&p, codes.data, id, NULL, NULL), HEARTH_OK);
    assert_int_equal(owner_create(&o, id2, false), HEARTH_OK);
    assert_int_equal(counts().users, 1);
    assert_int_equal(counts().clients, 1);
    assert_int_equal(counts().handles, 1);
    assert_int_equal(counts().invitations, 0);
    buf_clear(&codes);
    person_clear(&p);
    owner_clear(&o);
    auth_world_end(&w);
    return off;
}

static long cut_everywhere(struct tally *t)
{
    long cuts = 0;
    while (cut_after(cuts, (uint64_t)cuts + 11, t)) {
        cuts++;
        assert_true(cuts < 1000);
    }
    print_message("%ld cuts, %u of %ld requests had been answered, %u of these lost\n", cuts,
                  t->answered, 2 * cuts + 2, t->lost);
    return cuts;
}

static void Q1_T1_A1_power_cuts(void **state)
{
    (void)state;
    struct tally t = {0};
    long cuts = cut_everywhere(&t);
    /* some cuts lie before both, some between, some behind the first commit's sync */
    assert_true(cuts > 5 && t.answered > 2);
    assert_int_equal(t.lost, 0);
}

static void Q1_control_loses(void **state)
{
    (void)state;
    struct tally t = {.relaxed = true};
    (void)cut_everywhere(&t);
    assert_true(t.lost > 0);
}

/* ---- reads and writes that fail (S1): an error, never a wrong answer; after a restart the same
 * request is done once */

static bool fail_at(enum vfs_op op, enum vfs_how how, long n, unsigned *failed)
{
    struct person p;
    struct owner o;
    struct buf codes = BUF_INIT;
    const uint8_t id[16] = {1}, id2[16] = {2}, id3[16] = {3};
    auth_world_init(&w);
    auth_world_use_vfs(&w, "power");
    w.options.store.no_check = true; /* which would read everything before */
    auth_world_start(&w, false);
    assert_ok(auth_invite(w.auth, 1, 0, &codes));
    person_init(&p, &w);
    owner_init(&o, &w, 0x21);
    auth_world_restart(&w, false); /* nothing is in the page cache */
    vfs_fail(w.vfs, op, how, n, 1);
    enum hearth_code registered = person_register_with(&p, codes.data, id, NULL, NULL);
    enum hearth_code created = owner_create(&o, id2, false);
    enum hearth_code published = owner_publish(&o, 2, true);
    bool hit = vfs_failed(w.vfs) > 0;
    *failed += (registered != HEARTH_OK) + (created != HEARTH_OK) + (published != HEARTH_OK);
    auth_world_restart(&w, true);
    if (registered == HEARTH_OK)
        assert_int_equal(counts().users, 1);
    assert_int_equal(person_register_with(&p, codes.data, id, NULL, NULL), HEARTH_OK);
    assert_int_equal(owner_create(&o, id2, false), HEARTH_OK);
    assert_int_equal(owner_publish(&o, 2, true), HEARTH_OK);
    assert_int_equal(owner_delete(&o, id3), HEARTH_OK);
    assert_int_equal(counts().users, 1);
    assert_int_equal(counts().clients, 1);
    assert_int_equal(counts().invitations, 0);
    buf_clear(&codes);
    person_clear(&p);
    owner_clear(&o);
    auth_world_end(&w);
    return hit;
}

static void S1_reads_and_writes_fail(void **state)
{
    (void)state;
    const struct {
        enum vfs_op op;
        enum vfs_how how;
    } faults[] = {{VFS_READ, VFS_ERROR},
                  {VFS_WRITE, VFS_ERROR},
                  {VFS_WRITE, VFS_SHORT},
                  {VFS_WRITE, VFS_FULL},
                  {VFS_SYNC, VFS_ERROR}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        unsigned failed = 0;
        long n = 0;
        while (fail_at(faults[i].op, faults[i].how, n, &failed)) {
            n++;
            assert_true(n < 500);
        }
        print_message("%ld faults of sort %zu, %u calls failed\n", n, i, failed);
        assert_true(n > 0 && failed > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(Q1_T1_A1_power_cuts),
                                       cmocka_unit_test(Q1_control_loses),
                                       cmocka_unit_test(S1_reads_and_writes_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
