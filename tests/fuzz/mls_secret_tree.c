/* The secret tree as a state machine against a plain model, and its stored form. The first byte
 * chooses: even, the rest is a stored tree; odd, the rest are steps of two bytes. */
#include <stdlib.h>

#include "mls/member/secret_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { LEAVES = 8, GENERATIONS = 512, FORWARD = 20, KEPT = 4 };

static const struct secret_tree_limits limits = {FORWARD, KEPT};

/* What the model knows of one ratchet. */
struct model {
    uint32_t next;
    bool kept[GENERATIONS];
};

static struct message_key keys[LEAVES][RATCHET_TYPE_COUNT][GENERATIONS];

static void must(bool condition)
{
    if (!condition)
        abort();
}

static struct secret_tree *new_tree(void)
{
    struct secret secret;
    struct secret_tree *tree = NULL;
    secret_set_zero(32, &secret);
    must(err_is_ok(secret_tree_new(suite_find(3), LEAVES, &secret, limits, &tree)));
    return tree;
}

/* Every key, by the sender's way through a tree of its own. */
static void fill_keys(void)
{
    static bool done;
    if (done)
        return;
    struct secret_tree *tree = new_tree();
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++)
        for (enum ratchet_type type = 0; type < RATCHET_TYPE_COUNT; type++)
            for (uint32_t g = 0; g < GENERATIONS; g++)
                must(err_is_ok(secret_tree_next(tree, leaf, type, &keys[leaf][type][g])));
    secret_tree_free(tree);
    done = true;
}

static bool same(const struct message_key *a, const struct message_key *b)
{
    return secret_equal(&a->key, &b->key) && memcmp(a->nonce, b->nonce, AEAD_NONCE_BYTES) == 0 &&
           a->generation == b->generation;
}

static enum err_code model_peek(const struct model *m, uint32_t generation)
{
    if (generation < m->next)
        return m->kept[generation] ? ERR_NONE : ERR_MLS_GENERATION_USED;
    return generation - m->next > FORWARD ? ERR_MLS_GENERATION_FAR : ERR_NONE;
}

static void model_consume(struct model *m, uint32_t generation)
{
    if (generation < m->next) {
        m->kept[generation] = false;
        return;
    }
    for (; m->next < generation; m->next++)
        m->kept[m->next] = true;
    m->next++;
    int count = 0;
    for (uint32_t g = m->next; g-- > 0;)
        if (m->kept[g] && ++count > KEPT)
            m->kept[g] = false;
}

static void store_and_load(struct secret_tree **tree, uint16_t id)
{
    struct buf b = BUF_INIT, again = BUF_INIT;
    struct secret_tree *copy = NULL;
    secret_tree_write(&b, *tree);
    must(err_is_ok(secret_tree_read(suite_find(id), limits, buf_view(&b), &copy)));
    secret_tree_write(&again, copy);
    must(bytes_equal(buf_view(&b), buf_view(&again)));
    secret_tree_free(*tree);
    *tree = copy;
    buf_clear(&b);
    buf_clear(&again);
}

static void run_step(struct secret_tree **tree, struct model *m, const uint8_t step[2])
{
    uint32_t leaf = step[0] >> 2 & 7;
    enum ratchet_type type = step[0] >> 5 & 1;
    uint32_t back = m->next < 10 ? m->next : 10;
    uint32_t generation = m->next - back + step[1] % 34;
    struct message_key key = {0};
    if (m->next > GENERATIONS - 64)
        return;
    switch (step[0] & 3) {
    case 0:
    case 1: {
        enum err_code want = model_peek(m, generation);
        must(secret_tree_peek(*tree, leaf, type, generation, &key).code == want);
        must(want != ERR_NONE || same(&key, &keys[leaf][type][generation]));
        if ((step[0] & 3) == 0)
            return;
        must(secret_tree_consume(*tree, leaf, type, generation).code == want);
        if (want == ERR_NONE)
            model_consume(m, generation);
        return;
    }
    case 2:
        must(err_is_ok(secret_tree_next(*tree, leaf, type, &key)));
        must(same(&key, &keys[leaf][type][m->next]));
        m->next++;
        return;
    default:
        store_and_load(tree, 3);
    }
}

static void run_steps(const uint8_t *data, size_t len)
{
    struct model models[LEAVES][RATCHET_TYPE_COUNT] = {0};
    fill_keys();
    struct secret_tree *tree = new_tree();
    for (size_t at = 0; at + 2 <= len; at += 2)
        run_step(&tree, &models[data[at] >> 2 & 7][data[at] >> 5 & 1], data + at);
    secret_tree_free(tree);
}

/* What is accepted must store to the same bytes and serve whatever leaf is asked for. */
static void run_stored(struct bytes in)
{
    struct secret_tree *tree;
    for (uint16_t id = 1; id <= SUITE_COUNT; id += 3) {
        if (!err_is_ok(secret_tree_read(suite_find(id), limits, in, &tree)))
            continue;
        struct buf b = BUF_INIT;
        struct message_key key;
        secret_tree_write(&b, tree);
        must(bytes_equal(buf_view(&b), in));
        for (uint32_t leaf = 0; leaf < 64; leaf++)
            for (enum ratchet_type type = 0; type < RATCHET_TYPE_COUNT; type++) {
                (void)secret_tree_peek(tree, leaf, type, leaf / 4, &key).code;
                (void)secret_tree_consume(tree, leaf, type, 1 + leaf % 8).code;
                (void)secret_tree_next(tree, leaf, type, &key).code;
            }
        store_and_load(&tree, id);
        secret_tree_free(tree);
        buf_clear(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (data[0] % 2 == 0)
        run_stored(bytes_of(data + 1, len - 1));
    else
        run_steps(data + 1, len - 1);
    return 0;
}
