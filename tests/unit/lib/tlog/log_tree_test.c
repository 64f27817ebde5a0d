/* RFC 6962 2.1: against the recursive definitions, for every size and index of small trees. */
#include "kit/tlog/memory_log.h"
#include "support/test.h"
#include "tlog/log_verify.h"

enum { MOST = 70 };

static struct memory_log memory;
static struct log_store store;
static struct hash_value leaves[MOST], roots[MOST + 1];

/* MTH of RFC 6962 2.1, literally. */
static struct hash_value mth(size_t from, size_t count)
{
    struct hash_value left, right;
    if (count == 1)
        return leaves[from];
    size_t k = 1;
    while (2 * k < count)
        k *= 2;
    left = mth(from, k);
    right = mth(from + k, count - k);
    log_parent_hash(&left, &right, &left);
    return left;
}

static int fill(void **state)
{
    (void)state;
    store = memory_log_store(&memory);
    for (size_t i = 0; i < MOST; i++) {
        uint8_t entry[2] = {(uint8_t)i, 9};
        log_leaf_hash(bytes_of(entry, 2), &leaves[i]);
        roots[i + 1] = mth(0, i + 1);
        assert_ok(log_append(&store, i, &leaves[i]));
    }
    return 0;
}

static void test_roots(void **state)
{
    (void)state;
    struct hash_value root;
    for (size_t size = 1; size <= MOST; size++) {
        assert_ok(log_root(&store, size, &root));
        assert_memory_equal(root.data, roots[size].data, 32);
    }
    assert_ok(log_root(&store, 0, &root)); /* RFC 9162 2.1.1: the hash of nothing */
    test_assert_hex(hash_value_view(&root),
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_err(log_root(&store, MOST + 1, &root), TLOG_STORE);
    assert_err(log_root(&store, UINT64_MAX, &root), ARGUMENT);
    assert_err(log_append(&store, (uint64_t)1 << 62, &root), ARGUMENT);
}

static void test_inclusion(void **state)
{
    (void)state;
    struct log_proof proof;
    for (size_t size = 1; size <= MOST; size++) {
        for (size_t i = 0; i < size; i++) {
            assert_ok(log_prove_inclusion(&store, i, size, &proof));
            struct hash_run run = log_proof_run(&proof);
            assert_ok(log_verify_inclusion(i, size, &leaves[i], &run, &roots[size]));
            /* another index, another leaf, another root, one hash less, one more */
            if (size > 1) {
                size_t other = (i + 1) % size;
                assert_err(log_verify_inclusion(other, size, &leaves[i], &run, &roots[size]),
                           TLOG_INCLUSION);
                assert_err(log_verify_inclusion(i, size, &leaves[other], &run, &roots[size]),
                           TLOG_INCLUSION);
                assert_err(log_verify_inclusion(i, size, &leaves[i], &run, &roots[size - 1]),
                           TLOG_INCLUSION);
                struct hash_run less = {run.data, run.count - 1};
                assert_err(log_verify_inclusion(i, size, &leaves[i], &less, &roots[size]),
                           TLOG_INCLUSION);
                proof.at[run.count / 2].data[5] ^= 1;
                assert_err(log_verify_inclusion(i, size, &leaves[i], &run, &roots[size]),
                           TLOG_INCLUSION);
                proof.at[run.count / 2].data[5] ^= 1;
            }
            run.count++;
            assert_err(log_verify_inclusion(i, size, &leaves[i], &run, &roots[size]),
                       TLOG_INCLUSION);
        }
        struct hash_run none = {NULL, 0};
        assert_err(log_verify_inclusion(size, size, &leaves[0], &none, &roots[size]),
                   TLOG_INCLUSION);
        assert_err(log_prove_inclusion(&store, size, size, &proof), ARGUMENT);
    }
}

static void test_consistency(void **state)
{
    (void)state;
    struct log_proof proof;
    for (size_t size = 1; size <= MOST; size++) {
        for (size_t old = 1; old <= size; old++) {
            assert_ok(log_prove_consistency(&store, old, size, &proof));
            struct hash_run run = log_proof_run(&proof);
            assert_ok(log_verify_consistency(old, size, &roots[old], &roots[size], &run));
            assert_err(log_verify_consistency(old, size, &leaves[1], &roots[size], &run),
                       TLOG_CONSISTENCY);
            assert_err(log_verify_consistency(old, size, &roots[old], &leaves[1], &run),
                       TLOG_CONSISTENCY);
            run.count++;
            assert_err(log_verify_consistency(old, size, &roots[old], &roots[size], &run),
                       TLOG_CONSISTENCY);
            run.count--;
            for (size_t i = 0; i < run.count; i++) {
                proof.at[i].data[31] ^= 0x80;
                assert_err(log_verify_consistency(old, size, &roots[old], &roots[size], &run),
                           TLOG_CONSISTENCY);
                proof.at[i].data[31] ^= 0x80;
                struct hash_run less = {run.data, i};
                assert_err(log_verify_consistency(old, size, &roots[old], &roots[size], &less),
                           TLOG_CONSISTENCY);
            }
        }
        struct hash_run none = {NULL, 0};
        assert_err(log_verify_consistency(0, size, &roots[1], &roots[size], &none),
                   TLOG_CONSISTENCY);
        assert_err(log_verify_consistency(size + 1, size, &roots[1], &roots[size], &none),
                   TLOG_CONSISTENCY);
        assert_err(log_prove_consistency(&store, size + 1, size, &proof), ARGUMENT);
        assert_ok(log_prove_consistency(&store, 0, size, &proof));
        assert_int_equal(proof.count, 0);
    }
}

static int empty(void **state)
{
    (void)state;
    memory_log_clear(&memory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_inclusion),
        cmocka_unit_test(test_consistency),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
