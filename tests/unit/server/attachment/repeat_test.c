/* G4: an upload whose answer was lost is repeated under its idempotency id. */
#include "blob_world.h"
#include "support/vfs_fault.h"

static struct blob_world w;

static void assert_same(const struct sender *a, const struct sender *b)
{
    assert_memory_equal(a->id, b->id, sizeof a->id);
    assert_memory_equal(a->download, b->download, sizeof a->download);
    assert_memory_equal(a->remove, b->remove, sizeof a->remove);
    assert_int_equal(a->expires_day, b->expires_day);
}

static void G4_a_repeat_gets_the_same_answer(void **state)
{
    (void)state;
    struct bytes data = blob_bytes(262144);
    struct sender s, again, other;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    assert_int_equal(upload_all(&w, &other, data, 65536), HEARTH_OK); /* another id, another blob */
    assert_memory_not_equal(s.id, other.id, sizeof s.id);
    assert_int_equal(world_total(&w), 2 * 262144);
    w.fake.now_us += 3 * DAY_US;
    assert_int_equal(upload_again(&w, &again, data, 1000, &s), HEARTH_OK);
    assert_same(&s, &again);
    assert_int_equal(world_total(&w), 2 * 262144); /* nothing more is stored */
    assert_int_equal(download_code(&w, again.id, again.download), HEARTH_OK);
    world_finish(&w);
}

static void G4_survives_a_restart(void **state)
{
    (void)state;
    struct sender s, again;
    struct vfs_fault *vfs = vfs_fault_new("repeats");
    world_make(&w, "repeats");
    assert_ok(world_open_blobs(&w));
    assert_int_equal(upload_all(&w, &s, blob_bytes(65536), 65536), HEARTH_OK);
    world_close_blobs(&w);
    assert_ok(world_open_blobs(&w));
    assert_int_equal(upload_again(&w, &again, blob_bytes(65536), 65536, &s), HEARTH_OK);
    assert_same(&s, &again);
    assert_int_equal(world_total(&w), 65536);
    world_finish(&w);
    vfs_fault_free(vfs);
}

static void other_bytes_are_refused(void **state)
{
    (void)state;
    struct bytes data = blob_bytes(65536);
    uint8_t *changed = malloc(data.len);
    struct sender s, again;
    assert_non_null(changed);
    memcpy(changed, data.data, data.len);
    changed[data.len - 1] ^= 1;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, data, 65536), HEARTH_OK);
    assert_int_equal(upload_again(&w, &again, bytes_of(changed, data.len), 65536, &s),
                     HEARTH_ALREADY_EXISTS);
    assert_int_equal(upload_again(&w, &again, blob_bytes(256), 256, &s), HEARTH_ALREADY_EXISTS);
    assert_int_equal(upload_again(&w, &again, data, 65536, &s), HEARTH_OK); /* control */
    /* fewer bytes than were said are no repeat either */
    uint64_t head = data.len;
    sender_start_again(&w, &again, &head, bytes_of(data.data, 1000), 1000, &s);
    again.half_close = true;
    sender_go_on(&again);
    world_settle_all(&w);
    assert_int_equal(again.code, HEARTH_INVALID_ARGUMENT);
    assert_int_equal(world_total(&w), 65536);
    assert_int_equal(download_code(&w, s.id, s.download), HEARTH_OK);
    world_finish(&w);
    free(changed);
}

static void deleted_stays_deleted_and_expired_begins_anew(void **state)
{
    (void)state;
    struct sender s, again, answer;
    world_begin(&w);
    assert_int_equal(upload_all(&w, &s, blob_bytes(256), 256), HEARTH_OK);
    assert_int_equal(delete_blob(&w, s.id, s.remove, &answer), HEARTH_OK);
    assert_int_equal(upload_again(&w, &again, blob_bytes(256), 256, &s), HEARTH_NOT_FOUND);
    assert_int_equal(world_total(&w), 0);
    assert_int_equal(upload_all(&w, &s, blob_bytes(65536), 65536), HEARTH_OK);
    w.fake.now_us += 31 * DAY_US; /* and nobody has cleared up */
    assert_int_equal(upload_again(&w, &again, blob_bytes(65536), 65536, &s), HEARTH_OK);
    assert_int_equal(again.expires_day, s.expires_day + 31);
    assert_int_equal(download_code(&w, again.id, again.download), HEARTH_OK);
    world_settle_all(&w);
    assert_int_equal(world_total(&w), 65536); /* the old one's blocks are gone */
    world_finish(&w);
}

/* The first one's client is gone and the server does not know yet: the repeat goes on, the other is
 * out, and what it had stored goes. In every order of their last steps. */
static void the_newer_takes_the_place(void **state)
{
    (void)state;
    struct bytes data = blob_bytes(262144);
    uint64_t head = data.len;
    unsigned replaced = 0;
    for (int steps = 0; steps < 120; steps += 7) {
        struct sender old, s;
        world_begin(&w);
        sender_start(&w, &old, &head, data, 65536);
        for (int i = 0; i < 60; i++) { /* some blocks of it are there */
            loop_step(w.loop);
            store_turn(attachment_store(w.attachment));
        }
        sender_start_again(&w, &s, &head, data, 65536, &old);
        s.half_close = true;
        sender_go_on(&s);
        for (int i = 0; i < steps; i++) {
            loop_step(w.loop);
            store_turn(attachment_store(w.attachment));
        }
        old.half_close = true; /* it was not gone after all */
        sender_go_on(&old);
        world_settle_all(&w);
        assert_true(s.done && old.done);
        /* one of them; both, and then alike, only if the repeat looked when all was there */
        assert_true(s.code == HEARTH_OK || s.code == HEARTH_ABORTED);
        assert_true(old.code == HEARTH_OK || old.code == HEARTH_ABORTED);
        unsigned good_ones = (s.code == HEARTH_OK) + (old.code == HEARTH_OK);
        assert_true(good_ones == 1 || (good_ones == 2 && steps == 0));
        if (good_ones == 2)
            assert_same(&s, &old);
        replaced += old.code == HEARTH_ABORTED;
        const struct sender *good = s.code == HEARTH_OK ? &s : &old;
        struct reader_end r;
        assert_int_equal(download_all(&w, &r, good->id, good->download, 0), HEARTH_OK);
        assert_int_equal(r.got.len, data.len);
        assert_memory_equal(r.got.data, data.data, data.len);
        buf_clear(&r.got);
        assert_int_equal(world_total(&w), 262144); /* once */
        world_finish(&w);
    }
    assert_true(replaced > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(G4_a_repeat_gets_the_same_answer),
        cmocka_unit_test(G4_survives_a_restart),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(deleted_stays_deleted_and_expired_begins_anew),
        cmocka_unit_test(the_newer_takes_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
