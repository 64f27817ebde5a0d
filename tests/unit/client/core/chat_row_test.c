/* Rows of chats, rosters and commit tasks: what is written is read, what is cut short is refused,
 * keys stand in their order. */
#include "client/core/chat.h"
#include "client/core/commit_body.h"
#include "client/core/roster.h"
#include "support/test.h"

static struct rng_seeded seeded;
static struct rng rng;

static int begin(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 7);
    rng = rng_of_seeded(&seeded);
    return 0;
}

static void fill(void *out, size_t len)
{
    assert_ok(rng_fill(&rng, out, len));
}

static struct chat make_chat(void)
{
    struct chat chat = {.kind = HEARTH_CHAT_DIRECT,
                        .state = HEARTH_CHAT_BROKEN,
                        .notify = HEARTH_NOTIFY_DIRECT,
                        .leaving = true,
                        .name = "a name",
                        .seen = 3,
                        .broken_epoch = 9,
                        .commit_task = 11,
                        .joined_epoch = 4};
    struct buf id = BUF_INIT;
    uint8_t uuid[UUID_BYTES] = {5}, key[32];
    domain_name_write(&id, &(struct domain_name){uuid, bytes_str("a.test")});
    memcpy(chat.group_id, id.data, id.len);
    chat.group_id_len = id.len;
    buf_clear(&id);
    fill(chat.id.bytes, 16);
    fill(chat.contact.bytes, 16);
    for (unsigned i = 0; i < 3; i++) {
        fill(key, sizeof key);
        chat_add_state_key(&chat, key, i);
        fill(key, sizeof key);
        chat_add_identity_key(&chat, key, i);
    }
    chat.rotations[0] = (struct chat_rotation){7, 2};
    chat.rotation_count = 1;
    chat_committed(&chat, 8, 3);
    chat_committed(&chat, 9, 4);
    assert_ok(sig_key_generate(chat_suite()->sig, &rng, &chat.leaf_key));
    fill(chat.tag, 16);
    chat_retire_tag(&chat);
    fill(chat.tag_next, 16);
    fill(chat.pseudonym, 16);
    fill(chat.user_pseudonym, 16);
    fill(chat.leaf_identity_key, 32);
    buf_append(&chat.credential, "cred", 4);
    buf_append(&chat.reference, "reference", 9);
    buf_append(&chat.reference_signature, "sig", 3);
    return chat;
}

static void test_chat_comes_back(void **state)
{
    struct chat chat = make_chat(), again = {0};
    struct buf row = BUF_INIT, second = BUF_INIT;
    (void)state;
    chat_write(&row, &chat);
    assert_ok(buf_check(&row));
    assert_ok(chat_read(buf_view(&row), &again));
    chat_write(&second, &again);
    test_assert_bytes(buf_view(&second), buf_view(&row));
    assert_int_equal(again.state_key_count, 3);
    assert_int_equal(again.identity_before_count, 2);
    assert_int_equal(again.commit_task, 11);
    assert_int_equal(again.tags_before_count, 1);
    assert_memory_equal(again.tags_before[0], chat.tag, 16);
    assert_true(bytes_equal(chat_domain(&again), bytes_str("a.test")));
    assert_true(bytes_equal(public_key_view(&again.leaf_key.public_key),
                            public_key_view(&chat.leaf_key.public_key)));
    chat_clear(&again);
    for (size_t len = 0; len < row.len; len++)
        assert_false(err_is_ok(chat_read(bytes_of(row.data, len), &again)));
    buf_append_byte(&row, 0);
    assert_err(chat_read(buf_view(&row), &again), WIRE_TRAILING);
    buf_clear(&row);
    buf_clear(&second);
    chat_clear(&chat);
}

static void test_newest_keys_stand_first(void **state)
{
    struct chat chat = {0};
    uint8_t keys[100][32];
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        fill(keys[i], 32);
    for (unsigned i = 0; i < 20; i++)
        chat_add_state_key(&chat, keys[i], i);
    assert_int_equal(chat.state_key_count, CHAT_STATE_KEYS);
    assert_memory_equal(chat.state_keys[0], keys[19], 32);
    /* an older one that comes late does not become the one that requests go with */
    chat_add_state_key(&chat, keys[25], 5);
    assert_memory_equal(chat.state_keys[0], keys[19], 32);
    assert_memory_equal(chat.state_keys[1], keys[25], 32);
    chat_add_state_key(&chat, keys[19], 30); /* known */
    assert_int_equal(chat.state_key_epoch, 19);

    for (unsigned i = 0; i < 80; i++)
        chat_add_identity_key(&chat, keys[i], i + 1);
    assert_memory_equal(chat.identity_key, keys[79], 32);
    assert_int_equal(chat.identity_before_count, CHAT_IDENTITY_KEYS);
    assert_memory_equal(chat.identity_before[0], keys[78], 32);
    chat_add_identity_key(&chat, keys[90], 3);
    assert_memory_equal(chat.identity_key, keys[79], 32);
    assert_memory_equal(chat.identity_before[0], keys[90], 32);
}

static void test_leaf_moves(void **state)
{
    struct chat from = make_chat(), to = make_chat();
    struct buf before = BUF_INIT, after = BUF_INIT;
    (void)state;
    chat_leaf_write(&before, &from);
    chat_leaf_move(&to, &from);
    chat_leaf_write(&after, &to);
    test_assert_bytes(buf_view(&after), buf_view(&before));
    assert_int_equal(from.credential.len, 0);
    assert_int_equal(from.leaf_key.private_key.len, 0);
    buf_clear(&before);
    buf_clear(&after);
    chat_clear(&from);
    chat_clear(&to);
}

static void test_roster_comes_back(void **state)
{
    struct roster_leaf leaves[2] = {{.leaf = 1, .state = ROSTER_VERIFIED, .own_user = true},
                                    {.leaf = 5, .state = ROSTER_UNVERIFIED, .since_s = 8}};
    struct roster roster = {.leaves = leaves, .count = 2}, *again;
    struct buf row = BUF_INIT, second = BUF_INIT;
    (void)state;
    fill(leaves[0].client_id, 40);
    leaves[0].client_id_len = 40;
    buf_append(&leaves[1].wrapped_identity_key, "wrapped", 7);
    assert_ok(roster_write(&roster, &row));
    assert_ok(roster_read(buf_view(&row), &again));
    assert_int_equal(again->count, 2);
    assert_int_equal(roster_unverified(again), 1);
    assert_int_equal(roster_pending(again), 0);
    assert_non_null(roster_find(again, 5));
    assert_null(roster_find(again, 2));
    assert_int_equal(roster_user(&again->leaves[0]).len, 24);
    assert_ok(roster_write(again, &second));
    test_assert_bytes(buf_view(&second), buf_view(&row));
    roster_free(again);
    for (size_t len = 0; len < row.len; len++) {
        struct err err = roster_read(bytes_of(row.data, len), &again);
        if (err_is_ok(err)) { /* between two leaves */
            assert_true(again->count < 2);
            roster_free(again);
        }
    }
    buf_clear(&row);
    buf_clear(&second);
    buf_clear(&leaves[1].wrapped_identity_key);
}

static void test_wish_comes_back(void **state)
{
    struct hearth_id contacts[2] = {{{1}}, {{2}}};
    uint8_t gone[1][16] = {{3}}, promoted[16] = {4};
    struct commit_wish wish = {.add = contacts,
                               .add_count = 2,
                               .remove = (const uint8_t(*)[16])gone,
                               .remove_count = 1,
                               .promote = promoted,
                               .rename = "new name",
                               .update = true};
    struct commit_body body, again;
    struct buf row = BUF_INIT, second = BUF_INIT;
    (void)state;
    assert_ok(commit_body_of(&wish, &body));
    body.fetched_count = 2;
    buf_append(&body.fetched[1], "packages", 8);
    body.leaf = make_chat();
    body.fresh_leaf = true;
    body.rotates = true;
    buf_append(&body.request, "request", 7);
    assert_ok(commit_body_write(&body, &row));
    assert_ok(commit_body_read(buf_view(&row), &again));
    assert_true(again.promotes && !again.demotes && again.renames && again.update);
    assert_string_equal(again.rename, "new name");
    assert_int_equal(again.add[1].bytes[0], 2);
    assert_int_equal(again.fetched[0].len, 0);
    assert_ok(commit_body_write(&again, &second));
    test_assert_bytes(buf_view(&second), buf_view(&row));
    commit_body_clear(&again);
    for (size_t len = 0; len < row.len; len++)
        assert_false(err_is_ok(commit_body_read(bytes_of(row.data, len), &again)));
    wish.add_count = WISH_ADD_MAX + 1;
    assert_err(commit_body_of(&wish, &again), ARGUMENT);
    buf_clear(&row);
    buf_clear(&second);
    commit_body_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_chat_comes_back, begin),
        cmocka_unit_test_setup(test_newest_keys_stand_first, begin),
        cmocka_unit_test_setup(test_leaf_moves, begin),
        cmocka_unit_test_setup(test_roster_comes_back, begin),
        cmocka_unit_test_setup(test_wish_comes_back, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
