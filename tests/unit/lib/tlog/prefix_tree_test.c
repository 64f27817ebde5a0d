/* The prefix tree: inserting in any order and batch gives one root; proofs of random batches
 * evaluate to it; nothing else does. */
#include "base/rng.h"
#include "kit/tlog/memory_log.h"
#include "support/test.h"
#include "tlog/prefix_verify.h"

enum { LEAVES = 300 };

static struct prefix_leaf leaves[LEAVES];
static struct rng_seeded random_numbers;

static size_t below(size_t limit)
{
    return rng_seeded_next(&random_numbers) % limit;
}

/* The tree by its definition. */
static struct hash_value definition(const struct prefix_leaf *const *set, size_t count,
                                    unsigned depth)
{
    struct hash_value hash = prefix_missing;
    const struct prefix_leaf *sides[2][LEAVES];
    size_t counts[2] = {0, 0};
    if (count == 1)
        prefix_leaf_hash(set[0], &hash);
    if (count < 2)
        return hash;
    for (size_t i = 0; i < count; i++) {
        unsigned side = prefix_bit(set[i]->index, depth);
        sides[side][counts[side]++] = set[i];
    }
    struct hash_value left = definition(sides[0], counts[0], depth + 1);
    struct hash_value right = definition(sides[1], counts[1], depth + 1);
    prefix_parent_hash(&left, &right, &hash);
    return hash;
}

static struct hash_value definition_of(size_t count)
{
    const struct prefix_leaf *set[LEAVES];
    for (size_t i = 0; i < count; i++)
        set[i] = &leaves[i];
    return definition(set, count, 0);
}

/* Half of the indices agree in their first 20 bits or more, so that the tree has deep places. */
static int fill(void **state)
{
    (void)state;
    rng_seeded_init(&random_numbers, 7);
    struct rng rng = rng_of_seeded(&random_numbers);
    for (size_t i = 0; i < LEAVES; i++) {
        assert_ok(rng_fill(&rng, &leaves[i], sizeof leaves[i]));
        if (i % 2)
            memset(leaves[i].index, 0x5a, 2 + i % 29);
    }
    return 0;
}

static struct prefix_proof parsed;

static struct err parse(const struct buf *b)
{
    struct wire_reader r = wire_reader_of(buf_view(b));
    prefix_proof_read(&r, &parsed);
    return wire_reader_end(&r);
}

/* The tree of the first `count` leaves; the caller clears it. */
static struct prefix_store tree_of(struct memory_tree *tree, size_t count)
{
    struct prefix_leaf copy[LEAVES];
    struct hash_value root;
    struct prefix_store store = memory_tree_store(tree);
    memcpy(copy, leaves, sizeof copy);
    assert_ok(prefix_insert(&store, copy, count, &root));
    return store;
}

static void test_insert(void **state)
{
    (void)state;
    struct hash_value whole = definition_of(LEAVES), root, again;
    for (size_t batch = 1; batch <= LEAVES; batch = batch * 3 + 1) {
        struct memory_tree tree = {0};
        struct prefix_store store = memory_tree_store(&tree);
        struct prefix_leaf copy[LEAVES];
        memcpy(copy, leaves, sizeof copy);
        for (size_t from = 0; from < LEAVES; from += batch) {
            size_t count = LEAVES - from < batch ? LEAVES - from : batch;
            assert_ok(prefix_insert(&store, copy + from, count, &root));
            struct hash_value want = definition_of(from + count);
            assert_memory_equal(root.data, want.data, 32);
        }
        assert_memory_equal(root.data, whole.data, 32);
        assert_ok(prefix_root(&store, &again));
        assert_memory_equal(again.data, whole.data, 32);
        assert_ok(prefix_insert(&store, NULL, 0, &again));
        assert_memory_equal(again.data, whole.data, 32);
        memory_tree_clear(&tree);
    }
}

static void test_small(void **state)
{
    (void)state;
    struct memory_tree tree = {0};
    struct prefix_store store = memory_tree_store(&tree);
    struct hash_value root, leaf;
    assert_ok(prefix_root(&store, &root));
    assert_memory_equal(root.data, prefix_missing.data, 32);
    struct prefix_leaf one = leaves[0];
    assert_ok(prefix_insert(&store, &one, 1, &root));
    prefix_leaf_hash(&leaves[0], &leaf);
    assert_memory_equal(root.data, leaf.data, 32); /* at depth 0 */
    assert_err(prefix_insert(&store, &one, 1, &root), TLOG_PREFIX_TWICE);
    struct prefix_leaf two[2] = {leaves[1], leaves[1]};
    assert_err(prefix_insert(&store, two, 2, &root), TLOG_PREFIX_TWICE);
    memory_tree_clear(&tree);
}

static void test_find(void **state)
{
    (void)state;
    struct memory_tree tree = {0};
    struct prefix_store store = tree_of(&tree, LEAVES / 2);
    for (size_t i = 0; i < LEAVES; i++) {
        bool present;
        struct prefix_leaf leaf;
        assert_ok(prefix_find(&store, leaves[i].index, &present, &leaf));
        assert_int_equal(present, i < LEAVES / 2);
        if (present)
            assert_memory_equal(&leaf, &leaves[i], sizeof leaf);
    }
    memory_tree_clear(&tree);
}

/* Random batches, of leaves there and not there, the same one twice among them. */
static size_t prove_random(const struct prefix_store *store, size_t in_tree, struct buf *b,
                           struct prefix_lookup *lookups)
{
    const uint8_t *indices[PREFIX_LOOKUPS_MAX];
    bool present[PREFIX_LOOKUPS_MAX];
    static struct hash_value commitments[PREFIX_LOOKUPS_MAX];
    size_t count = below(8) == 0 ? below(PREFIX_LOOKUPS_MAX + 1) : below(12);
    for (size_t i = 0; i < count; i++) {
        size_t which = below(LEAVES);
        indices[i] = leaves[which].index;
        memcpy(commitments[i].data, leaves[which].commitment, 32);
        lookups[i] = (struct prefix_lookup){indices[i], which < in_tree ? &commitments[i] : NULL};
    }
    assert_ok(prefix_prove(store, indices, count, b, present));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(present[i], lookups[i].commitment != NULL);
    return count;
}

static void test_proofs(void **state)
{
    (void)state;
    struct prefix_lookup lookups[PREFIX_LOOKUPS_MAX];
    for (size_t in_tree = 0; in_tree <= LEAVES; in_tree = in_tree * 2 + 1) {
        struct memory_tree tree = {0};
        struct prefix_store store = tree_of(&tree, in_tree);
        struct hash_value root, got;
        assert_ok(prefix_root(&store, &root));
        for (int round = 0; round < 60; round++) {
            struct buf b = BUF_INIT, again = BUF_INIT;
            size_t count = prove_random(&store, in_tree, &b, lookups);
            assert_ok(parse(&b));
            assert_int_equal(parsed.count, count);
            assert_ok(prefix_evaluate(&parsed, lookups, count, &got));
            assert_memory_equal(got.data, root.data, 32);
            prefix_proof_write(&again, &parsed);
            test_assert_bytes(buf_view(&again), buf_view(&b));
            /* any change of it leads elsewhere or nowhere */
            size_t at = below(b.len);
            b.data[at] ^= (uint8_t)(1 << below(8));
            if (err_is_ok(parse(&b)) && err_is_ok(prefix_evaluate(&parsed, lookups, count, &got)))
                assert_memory_not_equal(got.data, root.data, 32);
            b.data[at] ^= 0;
            buf_clear(&again);
            buf_clear(&b);
        }
        memory_tree_clear(&tree);
    }
}

/* A result that says present for what is absent, and the other way about; another's commitment. */
static void test_lies(void **state)
{
    (void)state;
    struct memory_tree tree = {0};
    struct prefix_store store = tree_of(&tree, 8);
    struct hash_value root, got, commitment;
    struct buf b = BUF_INIT;
    bool present;
    assert_ok(prefix_root(&store, &root));
    for (size_t i = 0; i < 16; i++) {
        const uint8_t *index = leaves[i].index;
        assert_ok(prefix_prove(&store, &index, 1, &b, &present));
        assert_ok(parse(&b));
        struct prefix_lookup lookup = {index, &commitment};
        memcpy(commitment.data, leaves[i].commitment, 32);
        struct prefix_result honest = parsed.results[0];
        assert_int_equal(honest.type == PREFIX_INCLUSION, i < 8);
        if (i < 8) {
            /* said to be absent: as its own leaf, as a missing child */
            parsed.results[0].type = PREFIX_OTHER_LEAF;
            parsed.results[0].leaf = leaves[i].index;
            assert_err(prefix_evaluate(&parsed, &lookup, 1, &got), TLOG_PREFIX_PROOF);
            parsed.results[0] = (struct prefix_result){PREFIX_NOTHING, honest.depth, NULL};
            assert_ok(prefix_evaluate(&parsed, &lookup, 1, &got));
            assert_memory_not_equal(got.data, root.data, 32);
            /* shown with another commitment, or with none known */
            parsed.results[0] = honest;
            commitment.data[0] ^= 1;
            assert_ok(prefix_evaluate(&parsed, &lookup, 1, &got));
            assert_memory_not_equal(got.data, root.data, 32);
            lookup.commitment = NULL;
            assert_err(prefix_evaluate(&parsed, &lookup, 1, &got), TLOG_PREFIX_PROOF);
        } else {
            parsed.results[0] = (struct prefix_result){PREFIX_INCLUSION, honest.depth, NULL};
            assert_ok(prefix_evaluate(&parsed, &lookup, 1, &got));
            assert_memory_not_equal(got.data, root.data, 32);
        }
        parsed.results[0] = honest;
        assert_err(prefix_evaluate(&parsed, &lookup, 0, &got), TLOG_PREFIX_PROOF);
        buf_clear(&b);
    }
    memory_tree_clear(&tree);
}

/* A leaf of elsewhere in the tree, shown as if it lay on the path. */
static void test_leaf_off_path(void **state)
{
    (void)state;
    struct memory_tree tree = {0};
    struct prefix_store store = tree_of(&tree, 64);
    struct hash_value got;
    struct buf b = BUF_INIT;
    bool present;
    size_t met = 0;
    for (size_t i = 64; i < LEAVES; i++) {
        const uint8_t *index = leaves[i].index;
        struct prefix_lookup lookup = {index, NULL};
        assert_ok(prefix_prove(&store, &index, 1, &b, &present));
        assert_ok(parse(&b));
        if (parsed.results[0].type == PREFIX_OTHER_LEAF && parsed.results[0].depth > 0) {
            struct prefix_leaf moved;
            memcpy(&moved, parsed.results[0].leaf, sizeof moved);
            moved.index[0] ^= 0x80;
            parsed.results[0].leaf = moved.index;
            assert_err(prefix_evaluate(&parsed, &lookup, 1, &got), TLOG_PREFIX_PROOF);
            met++;
        }
        buf_clear(&b);
    }
    assert_true(met > 10);
    memory_tree_clear(&tree);
}

/* One element too many or too few; lookups that end at depths where others pass by. */
static void test_shapes(void **state)
{
    (void)state;
    struct memory_tree tree = {0};
    struct prefix_store store = tree_of(&tree, LEAVES);
    struct prefix_lookup lookups[2];
    struct hash_value commitments[2], got;
    uint8_t longer[600 * HASH_VALUE_BYTES] = {0};
    size_t met = 0;
    for (size_t i = 1; i < LEAVES; i += 2) {
        const uint8_t *indices[2] = {leaves[i].index, leaves[(i + 58) % LEAVES].index};
        struct buf b = BUF_INIT;
        bool present[2];
        assert_ok(prefix_prove(&store, indices, 2, &b, present));
        assert_ok(parse(&b));
        for (size_t j = 0; j < 2; j++) {
            memcpy(commitments[j].data, leaves[(i + 58 * j) % LEAVES].commitment, 32);
            lookups[j] = (struct prefix_lookup){indices[j], &commitments[j]};
        }
        assert_ok(prefix_evaluate(&parsed, lookups, 2, &got));
        struct hash_run elements = parsed.elements;
        assert_true(elements.count * 32 + 32 <= sizeof longer);
        memcpy(longer, elements.data, elements.count * 32);
        parsed.elements = (struct hash_run){longer, elements.count + 1};
        assert_err(prefix_evaluate(&parsed, lookups, 2, &got), TLOG_PREFIX_PROOF);
        parsed.elements.count -= 2;
        assert_err(prefix_evaluate(&parsed, lookups, 2, &got), TLOG_PREFIX_PROOF);
        parsed.elements = elements;
        for (size_t j = 0; j < 2; j++) {
            uint8_t depth = parsed.results[j].depth;
            for (parsed.results[j].depth = 0; parsed.results[j].depth < depth;
                 parsed.results[j].depth++) {
                assert_err(prefix_evaluate(&parsed, lookups, 2, &got), TLOG_PREFIX_PROOF);
                /* with more elements than an index has bits */
                parsed.elements = (struct hash_run){longer, 600};
                assert_err(prefix_evaluate(&parsed, lookups, 2, &got), TLOG_PREFIX_PROOF);
                parsed.elements = elements;
                met++;
            }
            parsed.results[j].depth = 255;
            assert_err(prefix_evaluate(&parsed, lookups, 2, &got), TLOG_PREFIX_PROOF);
            parsed.results[j].depth = depth;
        }
        buf_clear(&b);
    }
    assert_true(met > 1000);
    memory_tree_clear(&tree);
}

/* What an auditor sees: leaves that were absent, the root before and the root after. */
static void test_added(void **state)
{
    (void)state;
    for (size_t in_tree = 0; in_tree < LEAVES - 20; in_tree = in_tree * 2 + 1) {
        struct memory_tree tree = {0};
        struct prefix_store store = tree_of(&tree, in_tree);
        struct prefix_leaf added[20];
        const uint8_t *indices[20];
        bool present[20];
        struct hash_value before, after, got_before, got_after;
        struct buf b = BUF_INIT;
        memcpy(added, leaves + in_tree, sizeof added);
        assert_ok(prefix_root(&store, &before));
        struct memory_tree scratch = {0}; /* only to sort them */
        struct prefix_store other = memory_tree_store(&scratch);
        assert_ok(prefix_insert(&other, added, 20, &after));
        for (size_t i = 0; i < 20; i++)
            indices[i] = added[i].index;
        assert_ok(prefix_prove(&store, indices, 20, &b, present));
        assert_ok(prefix_insert(&store, added, 20, &after));
        assert_ok(parse(&b));
        assert_ok(prefix_evaluate_added(&parsed, added, 20, &got_before, &got_after));
        assert_memory_equal(got_before.data, before.data, 32);
        assert_memory_equal(got_after.data, after.data, 32);
        struct prefix_leaf swap = added[3];
        added[3] = added[4];
        added[4] = swap;
        assert_err(prefix_evaluate_added(&parsed, added, 20, &got_before, &got_after),
                   TLOG_PREFIX_TWICE);
        added[4] = added[3];
        added[3] = swap;
        added[7].commitment[3] ^= 1;
        assert_ok(prefix_evaluate_added(&parsed, added, 20, &got_before, &got_after));
        assert_memory_equal(got_before.data, before.data, 32);
        assert_memory_not_equal(got_after.data, after.data, 32);
        /* one that is there already can't be added */
        buf_clear(&b);
        assert_ok(prefix_prove(&store, indices, 20, &b, present));
        assert_ok(parse(&b));
        assert_err(prefix_evaluate_added(&parsed, added, 20, &got_before, &got_after),
                   TLOG_PREFIX_PROOF);
        buf_clear(&b);
        memory_tree_clear(&scratch);
        memory_tree_clear(&tree);
    }
}

/* Earlier epochs stay as they were. */
static void test_epochs(void **state)
{
    (void)state;
    struct memory_tree tree = {0};
    struct prefix_store store = memory_tree_store(&tree);
    struct hash_value roots[10], root;
    for (uint32_t epoch = 0; epoch < 10; epoch++) {
        struct prefix_leaf copy[10];
        memcpy(copy, leaves + 10 * (size_t)epoch, sizeof copy);
        tree.now = epoch;
        assert_ok(prefix_insert(&store, copy, 10, &roots[epoch]));
    }
    for (uint32_t epoch = 0; epoch < 10; epoch++) {
        struct memory_view view = {&tree, epoch};
        struct prefix_store past = memory_view_store(&view);
        const uint8_t *index = leaves[55].index;
        struct hash_value commitment;
        struct buf b = BUF_INIT;
        bool present;
        assert_ok(prefix_root(&past, &root));
        assert_memory_equal(root.data, roots[epoch].data, 32);
        assert_ok(prefix_prove(&past, &index, 1, &b, &present));
        assert_int_equal(present, epoch >= 5);
        assert_ok(parse(&b));
        memcpy(commitment.data, leaves[55].commitment, 32);
        struct prefix_lookup lookup = {index, &commitment};
        assert_ok(prefix_evaluate(&parsed, &lookup, 1, &root));
        assert_memory_equal(root.data, roots[epoch].data, 32);
        buf_clear(&b);
    }
    memory_tree_clear(&tree);
}

static void test_codec(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    static const struct {
        const char *hex;
        const char *want;
    } cases[] = {
        {"00 0000", "NONE"},
        {"01 0300 0000", "NONE"},
        {"01 0000 0000", "WIRE_VALUE"},
        {"01 0400 0000", "WIRE_VALUE"},
        {"01 0300 0000 00", "WIRE_TRAILING"},
        {"01 0300 0001", "WIRE_SHORT"},
        {"02 0300 0000", "WIRE_VALUE"},
        {"01 02", "WIRE_SHORT"},
        {"", "WIRE_SHORT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire_reader r = wire_reader_of(test_hex(&arena, cases[i].hex));
        prefix_proof_read(&r, &parsed);
        assert_string_equal(err_name(wire_reader_end(&r)), cases[i].want);
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert), cmocka_unit_test(test_small),
        cmocka_unit_test(test_find),   cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_lies),   cmocka_unit_test(test_leaf_off_path),
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_added),
        cmocka_unit_test(test_epochs), cmocka_unit_test(test_codec),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
