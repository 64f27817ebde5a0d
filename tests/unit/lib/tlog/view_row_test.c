/* A view survives being kept; bytes that are none are refused. */
#include "support/test.h"
#include "tlog/view.h"

static void make(struct kt_view *view)
{
    static const uint8_t seed[32] = {1};
    struct vrf_key vrf;
    struct sig_key key;
    struct buf config = BUF_INIT;
    struct kt_config c = {
        .mode = KT_MODE_CONTACT, .max_ahead_ms = 60000, .max_behind_ms = 60000, .window_ms = 60000};
    assert_ok(vrf_key_init(bytes_of(seed, 32), &vrf));
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key));
    c.origin_len = 14;
    memcpy(c.origin, "a.example/kt/1", 14);
    memcpy(c.signature_key, key.public_key.data, 32);
    memcpy(c.vrf_key, vrf.public_key, 32);
    kt_config_write(&config, &c);
    assert_ok(kt_view_init(buf_view(&config), view));
    buf_clear(&config);
    sig_key_clear(&key);
    vrf_key_clear(&vrf);
    view->size = 77;
    view->root.data[3] = 5;
    view->last_ms = 1795000000000;
    view->dist_count = KT_DISTS;
    for (size_t i = 0; i < KT_DISTS; i++) {
        view->dists[i].index = 10 * i + 1;
        view->dists[i].entry.timestamp = 1000 + i;
        view->dists[i].has_log_root = i % 2 == 0;
        view->dists[i].log_root.data[0] = i % 2 == 0 ? (uint8_t)i : 0;
    }
    view->note_len = KT_NOTE_MAX_BYTES;
    memset(view->note, 'n', sizeof view->note);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct kt_view view, back;
    struct buf b = BUF_INIT, again = BUF_INIT;
    make(&view);
    kt_view_write(&b, &view);
    assert_ok(kt_view_read(buf_view(&b), &back));
    assert_int_equal(back.size, 77);
    assert_int_equal(back.dist_count, KT_DISTS);
    assert_true(hash_value_equal(&back.root, &view.root));
    kt_view_write(&again, &back);
    test_assert_bytes(buf_view(&again), buf_view(&b));
    buf_clear(&again);
    for (size_t len = 0; len < b.len; len++)
        assert_false(err_is_ok(kt_view_read(bytes_of(b.data, len), &back)));
    buf_append_byte(&b, 0);
    assert_false(err_is_ok(kt_view_read(buf_view(&b), &back)));
    buf_clear(&b);
}

static void test_what_is_none(void **state)
{
    (void)state;
    struct kt_view view, back;
    struct buf b = BUF_INIT;
    make(&view);
    view.size = 0;
    kt_view_write(&b, &view);
    assert_err(kt_view_read(buf_view(&b), &back), WIRE_LIMIT);
    buf_clear(&b);
    make(&view);
    view.config.window_ms = 0;
    kt_view_write(&b, &view);
    assert_false(err_is_ok(kt_view_read(buf_view(&b), &back)));
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_what_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
