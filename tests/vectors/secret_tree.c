/* The secret tree: keys of several generations of every leaf, and sender data keys (RFC 9420
 * 9, 6.3.2). */
#include "mls/member/secret_tree.h"
#include "mls/member/message_protection.h"
#include "vectors/vector_case.h"

static void check_key(struct vector_case *c, const struct message_key *got, const json_t *g,
                      const char *key, const char *nonce)
{
    CHECK_BYTES(secret_view(&got->key), vector_hex(c, g, key));
    CHECK_BYTES(bytes_of(got->nonce, AEAD_NONCE_BYTES), vector_hex(c, g, nonce));
}

static void check_generation(struct vector_case *c, struct secret_tree *tree, uint32_t leaf,
                             const json_t *g)
{
    static const char *const fields[RATCHET_TYPE_COUNT][2] = {
        [RATCHET_HANDSHAKE] = {"handshake_key", "handshake_nonce"},
        [RATCHET_APPLICATION] = {"application_key", "application_nonce"}};
    uint32_t generation = (uint32_t)vector_uint(c, g, "generation");
    for (enum ratchet_type type = 0; type < RATCHET_TYPE_COUNT; type++) {
        struct message_key key;
        CHECK_OK(secret_tree_peek(tree, leaf, type, generation, &key));
        check_key(c, &key, g, fields[type][0], fields[type][1]);
        CHECK_OK(secret_tree_consume(tree, leaf, type, generation));
        CHECK(secret_tree_peek(tree, leaf, type, generation, &key).code == ERR_MLS_GENERATION_USED);
    }
}

static void check_tree(struct vector_case *c, struct secret_tree *tree, const json_t *leaves)
{
    for (size_t leaf = 0; leaf < json_array_size(leaves) && !c->failed; leaf++) {
        const json_t *generations = json_array_get(leaves, leaf);
        CHECK(json_array_size(generations) > 0);
        for (size_t i = 0; i < json_array_size(generations) && !c->failed; i++)
            check_generation(c, tree, (uint32_t)leaf, json_array_get(generations, i));
    }
}

static void check_sender_data(struct vector_case *c, const struct suite *suite)
{
    const json_t *v = vector_field(c, c->json, "sender_data");
    struct secret secret;
    CHECK_OK(secret_set(vector_hex(c, v, "sender_data_secret"), &secret));
    struct message_key key;
    CHECK_OK(message_sender_data_key(suite, &secret, vector_hex(c, v, "ciphertext"), &key));
    check_key(c, &key, v, "key", "nonce");
}

void vector_secret_tree(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    check_sender_data(c, suite);
    const json_t *leaves = vector_field(c, c->json, "leaves");
    struct secret secret;
    CHECK_OK(secret_set(vector_hex(c, c->json, "encryption_secret"), &secret));
    struct secret_tree *tree;
    CHECK_OK(secret_tree_new(suite, (uint32_t)json_array_size(leaves), &secret,
                             SECRET_TREE_LIMITS_DEFAULT, &tree));
    check_tree(c, tree, leaves);
    secret_tree_free(tree);
}
