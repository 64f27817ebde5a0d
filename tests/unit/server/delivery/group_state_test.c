/* The state as bytes: round trips, damage, and leaves in their places. */
#include "server/delivery/group_state.h"
#include "support/test.h"

static uint8_t ids[16][PSEUDONYM_BYTES];

static struct leaf_entry leaf_at(uint32_t index)
{
    struct bytes id = bytes_of(ids[index % 16], PSEUDONYM_BYTES);
    ids[index % 16][0] = (uint8_t)index;
    return (struct leaf_entry){
        .index = index,
        .flags = LEAF_QUEUE_GONE,
        .epoch = 1000 + index,
        .month = 77,
        .signature_key = bytes_str("signature key"),
        .pseudonym = id,
        .user_pseudonym = id,
        .wrapped_identity_key = bytes_str("wrapped"),
        .wrapped_profile_key = bytes_str("profile"),
        .domain = bytes_str("a.test"),
        .sealed_ref = bytes_str("a sealed reference"),
        .ref_signature = bytes_str("its signature"),
        .pseudonym_signature = bytes_str("countersignature"),
        .policy = (uint8_t)(index % 4),
        .lost = index,
        .refusals = (uint8_t)(index * 2),
        .loss_s = UINT64_C(1800000000) + index,
    };
}

static void make(struct group_state *state)
{
    *state = (struct group_state){
        .suite = suite_find(3),
        .epoch = 9,
        .info_extensions = bytes_str("extensions"),
        .info_signer = 4,
        .info_signature = bytes_str("signature"),
        .public_group = bytes_str("public group"),
    };
    /* in any order */
    const uint32_t order[] = {4, 0, 9, 2};
    for (size_t i = 0; i < 4; i++) {
        struct leaf_entry leaf = leaf_at(order[i]);
        assert_ok(group_state_put(state, &leaf));
    }
    state->past_trees[0] = (struct past_entry){7, 70000};
    state->past_count = 1;
    static const uint8_t hash[COMMIT_HASH_BYTES] = {8};
    for (uint64_t epoch = 1; epoch <= 7; epoch++)
        group_state_add_fact(state, &(struct epoch_fact){.epoch = epoch,
                                                         .hour = 5,
                                                         .committer = bytes_of(ids[4], 16),
                                                         .commit_hash = bytes_of(hash, 32),
                                                         .reporters = bytes_of(ids[2], 16)});
}

static struct err parse_copy(struct bytes in, struct group_state *ret_state)
{
    struct buf copy = BUF_INIT;
    buf_append_bytes(&copy, in);
    return group_state_parse(&copy, ret_state);
}

static void comes_back(void **state)
{
    (void)state;
    struct group_state made, read;
    struct buf first = BUF_INIT;
    struct buf again = BUF_INIT;
    make(&made);
    group_state_write(&first, &made);
    assert_ok(parse_copy(buf_view(&first), &read));
    group_state_write(&again, &read);
    test_assert_bytes(buf_view(&again), buf_view(&first));
    assert_int_equal(read.leaf_count, 4);
    assert_int_equal(read.leaves[1].index, 2);
    assert_int_equal(read.leaves[3].index, 9);
    assert_int_equal(read.fact_count, GROUP_FACTS);
    assert_int_equal(read.facts[0].epoch, 3);
    assert_null(group_state_leaf(&read, 1));
    assert_int_equal(group_state_leaf(&read, 4)->epoch, 1004);
    assert_int_equal(group_state_leaf(&read, 2)->policy, 2);
    assert_int_equal(group_state_leaf(&read, 9)->policy, 1);
    assert_int_equal(group_state_leaf(&read, 9)->lost, 9);
    assert_int_equal(group_state_leaf(&read, 9)->refusals, 18);
    assert_int_equal(group_state_leaf(&read, 9)->loss_s, 1800000009);
    group_state_drop(&read, 4);
    group_state_drop(&read, 5);
    assert_null(group_state_leaf(&read, 4));
    assert_int_equal(read.leaf_count, 3);
    struct leaf_entry other = leaf_at(9);
    other.epoch = 1;
    assert_ok(group_state_put(&read, &other));
    assert_int_equal(read.leaf_count, 3);
    assert_int_equal(group_state_leaf(&read, 9)->epoch, 1);
    group_state_clear(&made);
    group_state_clear(&read);
    buf_clear(&first);
    buf_clear(&again);
}

/* Cut anywhere, or with something behind it: damaged, and nothing is leaked. */
static void damage_is_found(void **state)
{
    (void)state;
    struct group_state made, read;
    struct buf bytes = BUF_INIT;
    make(&made);
    group_state_write(&bytes, &made);
    for (size_t len = 0; len < bytes.len; len++)
        assert_err(parse_copy(bytes_of(bytes.data, len), &read), DELIVERY_STATE);
    buf_append_byte(&bytes, 0);
    assert_err(parse_copy(buf_view(&bytes), &read), DELIVERY_STATE);
    bytes.len--;
    bytes.data[3] = 99; /* the suite */
    assert_err(parse_copy(buf_view(&bytes), &read), DELIVERY_STATE);
    bytes.data[3] = 3;
    bytes.data[1] = 4; /* the format: of a later program, or none */
    assert_err(parse_copy(buf_view(&bytes), &read), DELIVERY_STATE);
    bytes.data[1] = 0;
    assert_err(parse_copy(buf_view(&bytes), &read), DELIVERY_STATE);
    group_state_clear(&made);
    buf_clear(&bytes);
}

/* As it was written before leaves had a policy, or losses: byte for byte the present form, but for
 * that. */
static void open_format(uint16_t format)
{
    struct group_state made, read;
    struct buf now = BUF_INIT;
    struct buf before = BUF_INIT;
    make(&made);
    wire_write_u16(&before, format);
    wire_write_u16(&before, made.suite->id);
    wire_write_u64(&before, made.epoch);
    size_t mark = wire_vector_begin(&before);
    for (uint32_t i = 0; i < made.leaf_count; i++) {
        const struct leaf_entry *leaf = &made.leaves[i];
        wire_write_u32(&before, leaf->index);
        wire_write_u8(&before, leaf->flags);
        wire_write_u64(&before, leaf->epoch);
        wire_write_u32(&before, leaf->month);
        wire_write_vector(&before, leaf->signature_key);
        wire_write_fixed(&before, leaf->pseudonym);
        wire_write_fixed(&before, leaf->user_pseudonym);
        wire_write_vector(&before, leaf->wrapped_identity_key);
        wire_write_vector(&before, leaf->wrapped_profile_key);
        wire_write_vector(&before, leaf->domain);
        wire_write_vector(&before, leaf->sealed_ref);
        wire_write_vector(&before, leaf->ref_signature);
        wire_write_vector(&before, leaf->pseudonym_signature);
        if (format >= 2)
            wire_write_u8(&before, leaf->policy);
    }
    wire_vector_end(&before, mark);
    /* what follows the leaves is the same in both */
    group_state_write(&now, &made);
    struct wire_reader r = wire_reader_of(buf_view(&now));
    (void)wire_read_fixed(&r, 12);
    (void)wire_read_vector(&r);
    buf_append_bytes(&before, wire_read_fixed(&r, wire_reader_left(&r)));
    assert_ok(parse_copy(buf_view(&before), &read));
    assert_int_equal(read.leaf_count, 4);
    for (uint32_t i = 0; i < read.leaf_count; i++) {
        assert_int_equal(read.leaves[i].policy, format >= 2 ? made.leaves[i].policy : 0);
        assert_int_equal(read.leaves[i].lost + read.leaves[i].refusals, 0);
        assert_int_equal(read.leaves[i].loss_s, 0);
        read.leaves[i].policy = made.leaves[i].policy;
        read.leaves[i].lost = made.leaves[i].lost;
        read.leaves[i].refusals = made.leaves[i].refusals;
        read.leaves[i].loss_s = made.leaves[i].loss_s;
    }
    /* and from there on it is like any other */
    buf_clear(&before);
    group_state_write(&before, &read);
    test_assert_bytes(buf_view(&before), buf_view(&now));
    group_state_clear(&made);
    group_state_clear(&read);
    buf_clear(&before);
    buf_clear(&now);
}

static void states_of_older_formats_are_opened(void **state)
{
    (void)state;
    open_format(1);
    open_format(2);
}

static void past_trees_are_bounded(void **state)
{
    (void)state;
    struct group_state s = {0};
    struct past_entry gone[GROUP_PAST_TREES];
    uint32_t count;
    for (uint64_t epoch = 1; epoch <= 10; epoch++) {
        group_state_add_past(&s, (struct past_entry){epoch, 100}, 1000, gone, &count);
        assert_int_equal(count, 0);
    }
    group_state_add_past(&s, (struct past_entry){11, 100}, 1000, gone, &count);
    assert_int_equal(count, 1);
    assert_int_equal(gone[0].epoch, 1);
    group_state_add_past(&s, (struct past_entry){12, 850}, 1000, gone, &count);
    assert_int_equal(count, 9);
    assert_int_equal(gone[8].epoch, 10);
    assert_int_equal(s.past_count, 2);
    group_state_add_past(&s, (struct past_entry){13, 5000}, 1000, gone, &count);
    assert_int_equal(count, 2);
    assert_int_equal(s.past_count, 1);
    for (uint64_t epoch = 14; epoch < 14 + 2 * GROUP_PAST_TREES; epoch++)
        group_state_add_past(&s, (struct past_entry){epoch, 1}, 100000, gone, &count);
    assert_int_equal(s.past_count, GROUP_PAST_TREES);
    assert_int_equal(s.past_trees[GROUP_PAST_TREES - 1].epoch, 13 + 2 * GROUP_PAST_TREES);
}

static void leaves_out_of_order_are_damage(void **state)
{
    (void)state;
    struct group_state made, read;
    struct buf bytes = BUF_INIT;
    make(&made);
    made.leaves[2].index = made.leaves[1].index;
    group_state_write(&bytes, &made);
    assert_err(parse_copy(buf_view(&bytes), &read), DELIVERY_STATE);
    group_state_clear(&made);
    buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(states_of_older_formats_are_opened),
        cmocka_unit_test(past_trees_are_bounded),
        cmocka_unit_test(leaves_out_of_order_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
