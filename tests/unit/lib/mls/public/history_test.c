/* Long random histories, each suite: after every commit the incremental state must equal one made
 * from scratch, and a joiner must find nothing wrong with the tree. */
#include "kit/mls_kit.h"
#include "support/test.h"

enum { STEPS = 40, MOST_PROPOSALS = 6, MOST_MEMBERS = 24 };

struct history {
    struct kit kit;
    struct proposal_or_ref list[MOST_PROPOSALS];
    uint32_t adds[MOST_PROPOSALS];
    size_t count;
    size_t add_count;
    bool changed[1024]; /* leaves named by an Update or Remove of this commit */
};

static uint32_t draw(struct history *h, uint32_t below)
{
    return (uint32_t)(rng_seeded_next(&h->kit.seed) % below);
}

static uint32_t some_member(struct history *h)
{
    uint32_t leaf;
    do {
        leaf = draw(h, h->kit.group.tree.width);
    } while (tree_at(&h->kit.group.tree, 2 * leaf) == NULL);
    return leaf;
}

/* The tree loaded anew from its bytes must have the same hashes and key lists, and be valid to a
 * joiner. */
static void check_from_scratch(struct history *h)
{
    struct kit *k = &h->kit;
    struct mls_message m;
    struct public_group fresh;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(mls_message_parse(kit_group_info(k, some_member(h), bytes_of(NULL, 0)), &a, &m));
    assert_ok(public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &k->policy, &fresh));
    assert_int_equal(fresh.tree.width, k->group.tree.width);
    assert_int_equal(fresh.tree.member_count, k->group.tree.member_count);
    uint32_t nodes = tree_math_node_count(fresh.tree.width);
    assert_memory_equal(fresh.tree.hashes, k->group.tree.hashes, nodes * k->suite->hash->bytes);
    assert_int_equal(fresh.tree.encryption_keys.count, k->group.tree.encryption_keys.count);
    assert_memory_equal(fresh.tree.encryption_keys.sorted, k->group.tree.encryption_keys.sorted,
                        4 * fresh.tree.encryption_keys.count);
    assert_int_equal(fresh.tree.signature_keys.count, k->group.tree.signature_keys.count);
    assert_memory_equal(fresh.tree.signature_keys.sorted, k->group.tree.signature_keys.sorted,
                        4 * fresh.tree.signature_keys.count);
    assert_memory_equal(&fresh.interim_transcript_hash, &k->group.interim_transcript_hash,
                        k->suite->hash->bytes);
    public_group_clear(&fresh);
    arena_clear(&a);
}

static void put(struct history *h, uint32_t sender, struct bytes proposal, bool by_ref)
{
    struct kit *k = &h->kit;
    if (!by_ref) {
        h->list[h->count++] = kit_by_value(k, proposal);
        return;
    }
    struct staged_commit *staged = NULL;
    struct bytes message = kit_member_proposal(k, sender, proposal);
    assert_ok(public_group_process(&k->group, message, &k->policy, &staged));
    h->list[h->count++] = kit_by_ref(k, message);
}

static void propose(struct history *h, uint32_t committer)
{
    struct kit *k = &h->kit;
    uint32_t leaf = some_member(h);
    switch (draw(h, 4)) {
    case 0:
    case 1:
        if (k->group.tree.member_count + h->add_count < MOST_MEMBERS) {
            h->adds[h->add_count] = kit_client_new(k);
            put(h, leaf, kit_add(k, h->adds[h->add_count++]), draw(h, 2) == 0);
        }
        break;
    case 2:
        if (leaf != committer && !h->changed[leaf]) {
            h->changed[leaf] = true;
            put(h, some_member(h), kit_remove(k, leaf), draw(h, 2) == 0);
        }
        break;
    default:
        if (leaf != committer && !h->changed[leaf]) {
            h->changed[leaf] = true;
            put(h, leaf, kit_update(k, leaf), true);
        }
    }
}

static void join(struct history *h)
{
    struct kit *k = &h->kit;
    uint32_t client = kit_client_new(k);
    struct staged_commit *staged = kit_stage(k, kit_external_commit(k, client, NULL, 0));
    uint32_t leaf = staged->committer_leaf;
    if (leaf >= k->leaf_room) {
        k->client_of_leaf =
            realloc(k->client_of_leaf, 2 * k->leaf_room * sizeof *k->client_of_leaf);
        assert_non_null(k->client_of_leaf);
        k->leaf_room *= 2;
    }
    k->client_of_leaf[leaf] = client;
    public_group_merge(&k->group, &staged);
}

static void step(struct history *h)
{
    struct kit *k = &h->kit;
    if (draw(h, 8) == 0 && k->group.tree.member_count < MOST_MEMBERS) {
        join(h);
        return;
    }
    uint32_t committer = some_member(h);
    uint32_t proposals = draw(h, MOST_PROPOSALS);
    h->count = 0;
    h->add_count = 0;
    memset(h->changed, 0, sizeof h->changed);
    for (uint32_t i = 0; i < proposals; i++)
        propose(h, committer);
    bool only_adds = h->count > 0 && h->count == h->add_count;
    kit_apply(k, kit_commit(k, committer, h->list, h->count, !only_adds || draw(h, 2) == 0),
              h->adds, h->add_count);
}

static void run(uint16_t suite, uint64_t seed, uint32_t steps)
{
    static struct history h;
    memset(&h, 0, sizeof h);
    kit_init(&h.kit, suite_find(suite), seed);
    kit_group(&h.kit, 1 + (uint32_t)seed % 5, false, &(struct extensions){0});
    for (uint32_t i = 0; i < steps; i++) {
        step(&h);
        check_from_scratch(&h);
    }
    kit_clear(&h.kit);
}

static void suite_1(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(1, seed, STEPS);
}

static void other_suites(void **state)
{
    (void)state;
    for (uint16_t suite = 2; suite <= SUITE_COUNT; suite++)
        run(suite, 100 + suite, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_1),
        cmocka_unit_test(other_suites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
