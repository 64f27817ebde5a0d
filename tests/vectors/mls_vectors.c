/* mls_vectors [--now UNIX] FILE...
 *
 * Checks official MLS test vector files (the working group's test-vectors.md describes them) and
 * prints a line each: NAME passed/total skipped(reasons). Lifetimes are judged at --now, or at the
 * present time. Types are recognised by a field that only they have. Exit 1 on any failure; a type
 * we do not support fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vectors/vector_case.h"

struct vector_type {
    const char *name;
    const char *fields[2];                /* cases of this type have both (or the one) */
    void (*check)(struct vector_case *c); /* NULL: not supported yet */
};

/* More telling fields stand before less telling ones. */
static const struct vector_type types[] = {
    {"deserialization", {"vlbytes_header", NULL}, vector_deserialization},
    {"tree-math", {"n_leaves", "sibling"}, vector_tree_math},
    {"messages", {"mls_welcome", "private_message"}, vector_messages},
    {"public-follower", {"group_info", "initial"}, vector_public_follower},
    {"labelled", {"verdict", "label"}, vector_labelled},
    {"crypto-basics", {"ref_hash", "derive_tree_secret"}, vector_crypto_basics},
    {"transcript-hashes", {"interim_transcript_hash_before", NULL}, vector_transcript_hashes},
    {"tree-operations", {"tree_before", "proposal_sender"}, vector_tree_operations},
    {"tree-validation", {"tree_hashes", "resolutions"}, vector_tree_validation},
    {"treekem", {"update_paths", "leaves_private"}, vector_treekem},
    {"secret-tree", {"sender_data", "leaves"}, vector_secret_tree},
    {"message-protection", {"proposal_priv", "membership_key"}, vector_message_protection},
    {"key-schedule", {"initial_init_secret", NULL}, vector_key_schedule},
    {"psk_secret", {"psk_secret", "psks"}, vector_psk_secret},
    {"passive-client", {"external_psks", "epochs"}, vector_passive_client},
    {"welcome", {"welcome", "signer_pub"}, vector_welcome},
};
enum { TYPE_COUNT = sizeof types / sizeof *types, ARENA_CAP_BYTES = 64 * 1024 * 1024 };

static const struct vector_type *type_of(const json_t *file)
{
    const json_t *first = json_array_get(file, 0);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const char *const *fields = types[i].fields;
        if (json_object_get(first, fields[0]) != NULL &&
            (fields[1] == NULL || json_object_get(first, fields[1]) != NULL))
            return &types[i];
    }
    return NULL;
}

static bool check_cases(const char *name, const struct vector_type *type, const json_t *file,
                        uint64_t now)
{
    size_t total = json_array_size(file);
    size_t passed = 0;
    size_t skipped = 0;
    const char *reason = "";
    for (size_t i = 0; i < total; i++) {
        struct vector_case c = {.json = json_array_get(file, i), .now = now};
        arena_init(&c.arena, ARENA_CAP_BYTES);
        type->check(&c);
        if (c.failed) {
            printf("%s: case %zu: %s\n", name, i, c.why);
        } else if (c.skipped != NULL) {
            skipped++;
            reason = c.skipped;
        } else {
            passed++;
        }
        arena_clear(&c.arena);
    }
    printf("%s %zu/%zu skipped %zu(%s)\n", name, passed, total, skipped, reason);
    return total > 0 && passed + skipped == total;
}

static bool check_file(const char *path, uint64_t now)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    json_error_t error = {0};
    json_t *file = json_load_file(path, 0, &error);
    if (file == NULL)
        file = vector_labelled_file(path);
    if (file == NULL) {
        printf("%s: line %d: %s\n", path, error.line, error.text);
        return false;
    }
    const struct vector_type *type = type_of(file);
    bool good = false;
    if (type == NULL)
        printf("%s: type not recognised\n", name);
    else if (type->check == NULL)
        printf("%s 0/%zu not supported yet\n", name, json_array_size(file));
    else
        good = check_cases(name, type, file, now);
    json_decref(file);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t now = (uint64_t)time(NULL);
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--now") == 0) {
        now = strtoull(argv[2], NULL, 10);
        first = 3;
    }
    if (first >= argc) {
        (void)fprintf(stderr, "usage: mls_vectors [--now UNIX] FILE...\n");
        return 2;
    }
    bool good = true;
    for (int i = first; i < argc; i++)
        good = check_file(argv[i], now) && good;
    return good ? 0 : 1;
}
