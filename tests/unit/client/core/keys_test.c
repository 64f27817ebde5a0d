/* What stands between people and those in the middle, without I/O: KeySets that follow, safety
 * numbers, the sealed conversation of linking, profiles, contacts at rest. */
#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/link_seal.h"
#include "client/core/profile.h"
#include "client/core/safety.h"
#include "seal/key_set.h"
#include "support/test.h"
#include "wire/writer.h"

static struct rng_seeded seeded;
static struct rng rng;

/* ---- KeySets */

struct user {
    struct buf id, label;
    struct sig_key keys[4];
    uint8_t ids[4][16];
    struct buf chain, newest;
    uint32_t version;
};

static void user_init(struct user *u, uint8_t n)
{
    const uint8_t uuid[16] = {n, 1, 2, 3};
    memset(u, 0, sizeof *u);
    domain_name_write(&u->id, &(struct domain_name){uuid, bytes_str("a.test")});
    buf_append_byte(&u->label, KEY_SET_LABEL_USER);
    buf_append_bytes(&u->label, buf_view(&u->id));
    for (size_t i = 0; i < 4; i++) {
        assert_ok(sig_key_generate(&sig_ed25519, &rng, &u->keys[i]));
        memset(u->ids[i], (int)(n + i), 16);
    }
}

static void user_clear(struct user *u)
{
    buf_clear(&u->id);
    buf_clear(&u->label);
    buf_clear(&u->chain);
    buf_clear(&u->newest);
    for (size_t i = 0; i < 4; i++)
        sig_key_clear(&u->keys[i]);
}

/* The next version: the first `count` keys, signed by `signers` of them, the first one first. */
static void user_next(struct user *u, size_t count, size_t signers, bool reset)
{
    static const uint8_t commitment[32] = {1};
    struct key_set *set = calloc(1, sizeof *set);
    const struct sig_key *keys[4];
    struct bytes ids[4];
    assert_non_null(set);
    set->label = buf_view(&u->label);
    set->version = u->version++;
    set->prev_commitment = bytes_of(commitment, set->version > 0 ? 32 : 0);
    set->reset = reset;
    for (size_t i = 0; i < count; i++) {
        set->clients[set->client_count++] =
            (struct client_key){.client_id = bytes_of(u->ids[i], 16),
                                .sig_scheme = sig_ed25519.scheme,
                                .public_key = public_key_view(&u->keys[i].public_key),
                                .flags = KEY_SET_AUTHORISES};
        keys[i] = &u->keys[i];
        ids[i] = bytes_of(u->ids[i], 16);
    }
    buf_clear(&u->newest);
    assert_ok(key_set_make(&u->newest, set, keys, ids, signers));
    wire_write_vector(&u->chain, buf_view(&u->newest));
    free(set);
}

static void test_key_sets(void **state)
{
    struct user u;
    struct buf known = BUF_INIT;
    enum key_sets_say says;
    (void)state;
    user_init(&u, 1);
    struct bytes id = buf_view(&u.id);
    user_next(&u, 1, 1, false);
    assert_ok(key_sets_follow(&known, id, buf_view(&u.chain), &says));
    assert_int_equal(says, KEY_SETS_NEWER);
    assert_ok(key_sets_follow(&known, id, buf_view(&u.chain), &says));
    assert_int_equal(says, KEY_SETS_SAME);
    user_next(&u, 2, 2, false);
    assert_ok(key_sets_follow(&known, id, buf_view(&u.chain), &says));
    assert_int_equal(says, KEY_SETS_NEWER);
    test_assert_bytes(buf_view(&known), buf_view(&u.newest));
    /* a version that one who has the old key did not sign: nothing changes */
    struct buf before = BUF_INIT;
    buf_append_bytes(&before, buf_view(&known));
    user_next(&u, 3, 0, false);
    assert_err(key_sets_follow(&known, id, buf_view(&u.chain), &says), KEY_SET);
    test_assert_bytes(buf_view(&known), buf_view(&before));
    /* a gap */
    struct buf alone = BUF_INIT;
    u.version = 9;
    user_next(&u, 2, 2, false);
    wire_write_vector(&alone, buf_view(&u.newest));
    assert_err(key_sets_follow(&known, id, buf_view(&alone), &says), KEY_SET);
    /* another chain with the same numbers */
    struct user v;
    user_init(&v, 1);
    user_next(&v, 1, 1, false);
    user_next(&v, 2, 2, false);
    assert_err(key_sets_follow(&known, id, buf_view(&v.chain), &says), KEY_SET);
    /* somebody else's */
    struct user w;
    user_init(&w, 7);
    user_next(&w, 1, 1, false);
    assert_err(key_sets_follow(&known, id, buf_view(&w.chain), &says), KEY_SET);
    assert_err(key_sets_follow(&known, id, bytes_str("\x40\xff"), &says), WIRE_SHORT);
    test_assert_bytes(buf_view(&known), buf_view(&before));
    /* a reset is loud */
    buf_clear(&alone);
    v.version = 2;
    user_next(&v, 1, 1, true);
    wire_write_vector(&alone, buf_view(&v.newest));
    assert_ok(key_sets_follow(&known, id, buf_view(&alone), &says));
    assert_int_equal(says, KEY_SETS_RESET);
    buf_clear(&alone);
    buf_clear(&before);
    buf_clear(&known);
    user_clear(&u);
    user_clear(&v);
    user_clear(&w);
}

/* ---- safety numbers */

static void test_safety(void **state)
{
    struct user a, b;
    struct safety_sides at_a = {.own_first = true}, at_b = {0}, other;
    struct hearth_safety sa, sb;
    enum safety_says says;
    (void)state;
    user_init(&a, 1);
    user_init(&b, 2);
    user_next(&a, 1, 1, false);
    user_next(&b, 2, 2, false);
    assert_ok(safety_fingerprint(buf_view(&a.id), buf_view(&a.newest), at_a.own));
    assert_ok(safety_fingerprint(buf_view(&b.id), buf_view(&b.newest), at_a.other));
    assert_err(safety_fingerprint(buf_view(&b.id), buf_view(&a.newest), at_b.own), KEY_SET);
    memcpy(at_b.own, at_a.other, sizeof at_b.own);
    memcpy(at_b.other, at_a.own, sizeof at_b.other);
    safety_show(&at_a, &sa);
    safety_show(&at_b, &sb);
    assert_string_equal(sa.digits, sb.digits);
    assert_ok(safety_compare(&at_b, bytes_of(sa.qr, sa.qr_bytes), &says));
    assert_int_equal(says, SAFETY_SAME);
    /* b was given another key of a's: a's code shows that a's keys are others at b */
    user_next(&a, 2, 2, false);
    other = at_b;
    assert_ok(safety_fingerprint(buf_view(&a.id), buf_view(&a.newest), other.other));
    assert_memory_not_equal(other.other, at_b.other, sizeof other.other);
    assert_ok(safety_compare(&other, bytes_of(sa.qr, sa.qr_bytes), &says));
    assert_int_equal(says, SAFETY_OTHER_DIFFER);
    safety_show(&other, &sb);
    assert_memory_not_equal(sa.digits, sb.digits, 36); /* a's half */
    assert_memory_equal(sa.digits + 36, sb.digits + 36, 35);
    /* and b's code, at a, that a's own are seen otherwise */
    assert_ok(safety_compare(&at_a, bytes_of(sb.qr, sb.qr_bytes), &says));
    assert_int_equal(says, SAFETY_OWN_DIFFER);
    assert_ok(safety_compare(&at_a, bytes_of(sa.qr, sa.qr_bytes), &says)); /* one's own code */
    assert_int_equal(says, SAFETY_BOTH_DIFFER);
    assert_err(safety_compare(&at_a, bytes_of(sa.qr, 10), &says), WIRE_SHORT);
    sa.qr[0] = 9;
    assert_err(safety_compare(&at_a, bytes_of(sa.qr, sa.qr_bytes), &says), WIRE_VALUE);
    user_clear(&a);
    user_clear(&b);
}

/* ---- linking */

static void keys_meet(struct link_seal *fresh, struct link_seal *old)
{
    struct buf hello = BUF_INIT, enc = BUF_INIT;
    assert_ok(link_hello_write(fresh, &hello));
    assert_ok(link_hello_read(old, &rng, buf_view(&hello), &enc));
    assert_ok(link_enc_read(fresh, buf_view(&enc)));
    buf_clear(&hello);
    buf_clear(&enc);
}

static void carry(struct link_seal *from, struct link_seal *to, size_t len)
{
    struct buf letter = BUF_INIT;
    uint8_t *room = buf_extend(&letter, len);
    for (size_t i = 0; i < len; i++)
        room[i] = (uint8_t)(i * 31);
    bool whole = false;
    for (size_t at = 0; !whole;) {
        struct buf piece = BUF_INIT;
        size_t taken;
        assert_ok(link_piece_seal(from, bytes_of(letter.data + at, len - at), &piece, &taken));
        at += taken;
        assert_ok(link_piece_open(to, buf_view(&piece), &whole));
        assert_int_equal(whole, at == len);
        buf_clear(&piece);
    }
    test_assert_bytes(buf_view(&to->letter), buf_view(&letter));
    buf_clear(&to->letter);
    buf_clear(&letter);
}

static void test_link(void **state)
{
    const uint8_t code[LINK_CODE_BYTES] = {1, 2}, wrong[LINK_CODE_BYTES] = {1, 3};
    struct link_seal fresh, old, guess;
    struct buf hello = BUF_INIT, enc = BUF_INIT, piece = BUF_INIT;
    size_t taken;
    bool whole;
    (void)state;
    assert_ok(link_seal_init(&fresh, true, code, &rng));
    assert_ok(link_seal_init(&old, false, code, &rng));
    assert_ok(link_seal_init(&guess, false, wrong, &rng));
    assert_memory_equal(fresh.rendezvous, old.rendezvous, 32);
    /* another code, another key in the hello, and keys before they stand */
    assert_ok(link_hello_write(&fresh, &hello));
    assert_err(link_hello_read(&guess, &rng, buf_view(&hello), &enc), CRYPTO_TAG);
    hello.data[5] ^= 1;
    assert_err(link_hello_read(&old, &rng, buf_view(&hello), &enc), CRYPTO_TAG);
    assert_err(link_hello_read(&old, &rng, bytes_of(hello.data, 40), &enc), WIRE_SHORT);
    assert_err(link_piece_open(&old, buf_view(&hello), &whole), CLIENT_LINK);
    assert_int_equal(enc.len, 0);
    keys_meet(&fresh, &old);
    carry(&old, &fresh, 10);
    carry(&fresh, &old, 1);
    carry(&old, &fresh, 300000);
    carry(&fresh, &old, 300000);
    /* changed, cut, said to be the last, or said again: no */
    assert_ok(link_piece_seal(&old, bytes_str("hello"), &piece, &taken));
    piece.data[3] ^= 1;
    assert_err(link_piece_open(&fresh, buf_view(&piece), &whole), CRYPTO_TAG);
    buf_clear(&fresh.letter);
    piece.data[3] ^= 1;
    piece.data[0] ^= 1;
    assert_err(link_piece_open(&fresh, buf_view(&piece), &whole), CRYPTO_TAG);
    buf_clear(&fresh.letter);
    piece.data[0] ^= 1;
    assert_ok(link_piece_open(&fresh, buf_view(&piece), &whole));
    assert_err(link_piece_open(&fresh, buf_view(&piece), &whole), CRYPTO_TAG);
    assert_err(link_piece_open(&fresh, bytes_of(piece.data, 5), &whole), CLIENT_LINK);
    link_seal_clear(&fresh);
    link_seal_clear(&old);
    link_seal_clear(&guess);
    buf_clear(&hello);
    buf_clear(&enc);
    buf_clear(&piece);
}

/* ---- profiles */

static void test_profile(void **state)
{
    static uint8_t picture[PROFILE_PICTURE_MAX_BYTES + 1];
    const uint8_t key[PROFILE_KEY_BYTES] = {1}, other[PROFILE_KEY_BYTES] = {2};
    struct profile p = {bytes_str("Alice"), bytes_of(picture, 3000)}, q;
    struct buf sealed = BUF_INIT, plain = BUF_INIT;
    uint8_t a[PROFILE_INDEX_BYTES], b[PROFILE_INDEX_BYTES];
    (void)state;
    assert_ok(profile_seal(&sealed, &rng, key, &p));
    assert_int_equal(sealed.len, 4096); /* one of six sizes */
    assert_ok(profile_open(key, buf_view(&sealed), &plain, &q));
    test_assert_bytes(q.name, p.name);
    test_assert_bytes(q.picture, p.picture);
    buf_clear(&plain);
    assert_err(profile_open(other, buf_view(&sealed), &plain, &q), CRYPTO_TAG);
    assert_ok(profile_index(key, a));
    assert_ok(profile_index(other, b));
    assert_memory_not_equal(a, b, sizeof a);
    p.picture.len = sizeof picture;
    assert_err(profile_seal(&sealed, &rng, key, &p), TOO_LARGE);
    buf_clear(&sealed);
    buf_clear(&plain);
}

/* ---- a contact at rest, cut at each byte */

static void test_row(void **state)
{
    struct contact c = {.state = HEARTH_CONTACT_FRIEND,
                        .handle = "bob@b.test",
                        .name = "Bob",
                        .compared = true,
                        .has_package = true},
                   back;
    struct buf row = BUF_INIT;
    (void)state;
    memset(c.friendship_key, 7, sizeof c.friendship_key);
    buf_append(&c.user_id, "user", 4);
    buf_append(&c.pending, "pending", 7);
    contact_write(&row, &c);
    assert_ok(contact_read(buf_view(&row), &back));
    assert_string_equal(back.handle, c.handle);
    assert_true(back.compared && back.has_package && !back.changed);
    assert_memory_equal(back.friendship_key, c.friendship_key, sizeof c.friendship_key);
    test_assert_bytes(buf_view(&back.pending), buf_view(&c.pending));
    contact_clear(&back);
    for (size_t len = 0; len < row.len; len++)
        assert_false(err_is_ok(contact_read(bytes_of(row.data, len), &back)));
    contact_clear(&c);
    buf_clear(&row);
}

static int setup(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 5);
    rng = rng_of_seeded(&seeded);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_sets), cmocka_unit_test(test_safety), cmocka_unit_test(test_link),
        cmocka_unit_test(test_profile),  cmocka_unit_test(test_row),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
