/* secret_seeds FOLDER: writes the seeds of crypto_inputs and mls_secret_tree below tests/fuzz. They
 * are committed; run it again when a format changes. */
#include <stdio.h>
#include <stdlib.h>

#include "mls/member/secret_tree.h"

static const char *root;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void put(const char *target, const char *name, int choice, struct bytes data)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    (void)fputc(choice, file);
    (void)fwrite(data.data, 1, data.len, file);
    (void)fclose(file);
}

static void keys(const struct rng *rng)
{
    for (int i = 0; i < SUITE_COUNT; i++) {
        const struct suite *suite = &suite_table[i];
        struct secret private_key;
        struct public_key public_key;
        struct sig_key key;
        char name[64];
        must(err_is_ok(kem_generate(suite->hpke.kem, rng, &private_key, &public_key)));
        must(err_is_ok(sig_key_generate(suite->sig, rng, &key)));
        (void)snprintf(name, sizeof name, "kem_%d", suite->id);
        put("crypto_inputs", name, i, public_key_view(&public_key));
        (void)snprintf(name, sizeof name, "signature_key_%d", suite->id);
        put("crypto_inputs", name, i + SUITE_COUNT, public_key_view(&key.public_key));
        (void)snprintf(name, sizeof name, "signature_%d", suite->id);
        static const uint8_t change[] = {0, 0, 0, 0, 1};
        put("crypto_inputs", name, i + 2 * SUITE_COUNT, bytes_of(change, sizeof change));
        sig_key_clear(&key);
    }
}

static void trees(struct rng_seeded *random)
{
    for (uint16_t id = 1; id <= SUITE_COUNT; id += 3) {
        const struct suite *suite = suite_find(id);
        struct secret secret;
        struct secret_tree *tree;
        struct message_key key;
        struct buf b = BUF_INIT;
        char name[64];
        secret_set_zero(suite_hash_bytes(suite), &secret);
        must(err_is_ok(secret_tree_new(suite, 16, &secret, SECRET_TREE_LIMITS_DEFAULT, &tree)));
        must(err_is_ok(secret_tree_consume(tree, 3, RATCHET_APPLICATION, 3)));
        must(err_is_ok(secret_tree_next(tree, 12, RATCHET_HANDSHAKE, &key)));
        secret_tree_write(&b, tree);
        (void)snprintf(name, sizeof name, "stored_%d", id);
        put("mls_secret_tree", name, 0, buf_view(&b));
        secret_tree_free(tree);
        buf_clear(&b);
    }
    uint8_t steps[512];
    for (size_t i = 0; i < sizeof steps; i++)
        steps[i] = (uint8_t)rng_seeded_next(random);
    put("mls_secret_tree", "steps", 1, bytes_of(steps, sizeof steps));
    for (size_t i = 0; i < sizeof steps; i += 2) /* mostly one ratchet, mostly forward */
        steps[i] = (uint8_t)(rng_seeded_next(random) & 3);
    put("mls_secret_tree", "one_ratchet", 1, bytes_of(steps, sizeof steps));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    root = argv[1];
    struct rng_seeded random;
    rng_seeded_init(&random, 1);
    struct rng rng = rng_of_seeded(&random);
    keys(&rng);
    trees(&random);
    return 0;
}
