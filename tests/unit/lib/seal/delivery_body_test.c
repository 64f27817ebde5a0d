/* Bodies of delivery items: what is written is read, cut anywhere it is refused. */
#include "seal/delivery_body.h"
#include "support/test.h"

static const uint8_t user[PSEUDONYM_BYTES] = {1, 2, 3};

static struct leaf_news news_of(uint32_t leaf)
{
    return (struct leaf_news){.leaf = leaf,
                              .user_pseudonym = user,
                              .wrapped_identity_key = bytes_str("identity"),
                              .wrapped_profile_key = bytes_str("profile"),
                              .pseudonym_signature = bytes_str("signature")};
}

static void commits(void **state)
{
    (void)state;
    struct leaf_news news[] = {news_of(3), news_of(70000)};
    struct bytes commit, hash, leaves;
    struct buf b = BUF_INIT;
    delivery_commit_write(&b, bytes_str("commit"), bytes_str("hash"), news, 2);
    assert_ok(buf_check(&b));
    assert_ok(delivery_commit_parse(buf_view(&b), &commit, &hash, &leaves));
    test_assert_bytes(commit, bytes_str("commit"));
    test_assert_bytes(hash, bytes_str("hash"));
    struct wire_reader r = wire_reader_of(leaves);
    for (int i = 0; i < 2; i++) {
        struct leaf_news read;
        leaf_news_read(&r, &read);
        assert_int_equal(read.leaf, news[i].leaf);
        assert_memory_equal(read.user_pseudonym, user, sizeof user);
        test_assert_bytes(read.wrapped_identity_key, bytes_str("identity"));
        test_assert_bytes(read.wrapped_profile_key, bytes_str("profile"));
        test_assert_bytes(read.pseudonym_signature, bytes_str("signature"));
    }
    assert_ok(wire_reader_end(&r));
    for (size_t len = 0; len < b.len; len++)
        assert_false(
            err_is_ok(delivery_commit_parse(bytes_of(b.data, len), &commit, &hash, &leaves)));
    buf_append_byte(&b, 0);
    assert_err(delivery_commit_parse(buf_view(&b), &commit, &hash, &leaves), WIRE_TRAILING);
    buf_clear(&b);
}

static void others(void **state)
{
    (void)state;
    uint8_t commit_hash[COMMIT_HASH_BYTES] = {5};
    enum delivery_reason reason;
    struct bytes message;
    uint32_t leaf;
    uint64_t number;
    struct buf b = BUF_INIT;
    delivery_proposal_write(&b, DELIVERY_REASON_GONE, bytes_str("message"));
    assert_ok(delivery_proposal_parse(buf_view(&b), &reason, &message));
    assert_int_equal(reason, DELIVERY_REASON_GONE);
    test_assert_bytes(message, bytes_str("message"));
    assert_err(delivery_proposal_parse(bytes_of(b.data, 4), &reason, &message), WIRE_SHORT);
    buf_clear(&b);
    delivery_targeted_write(&b, 7, bytes_str("text"));
    assert_ok(delivery_targeted_parse(buf_view(&b), &leaf, &message));
    assert_int_equal(leaf, 7);
    test_assert_bytes(message, bytes_str("text"));
    assert_err(delivery_targeted_parse(bytes_of(b.data, 3), &leaf, &message), WIRE_SHORT);
    buf_clear(&b);
    delivery_loss_write(&b, 99);
    assert_ok(delivery_loss_parse(buf_view(&b), &number));
    assert_int_equal(number, 99);
    assert_err(delivery_loss_parse(bytes_of(b.data, 7), &number), WIRE_SHORT);
    buf_clear(&b);
    delivery_fault_write(&b, 11, 12, commit_hash);
    assert_ok(delivery_fault_parse(buf_view(&b), &number, &leaf, &message));
    assert_int_equal(number, 11);
    assert_int_equal(leaf, 12);
    test_assert_bytes(message, bytes_of(commit_hash, sizeof commit_hash));
    assert_err(delivery_fault_parse(bytes_of(b.data, 43), &number, &leaf, &message), WIRE_SHORT);
    buf_clear(&b);
}

/* What a commit binds: nothing at all where there are no records, so that a plain commit is one. */
static void keys(void **state)
{
    (void)state;
    struct leaf_news news = news_of(3);
    struct buf b = BUF_INIT;
    leaf_keys_write(&b, NULL, 0);
    assert_int_equal(b.len, 0);
    leaf_keys_write(&b, &news, 1);
    test_assert_hex(buf_view(&b),
                    "2101020300000000000000000000000000086964656e746974790770726f66696c65");
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits),
        cmocka_unit_test(others),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
