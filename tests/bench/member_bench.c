/* Microseconds of what a member does with its secrets, beside the primitives that bound it.
 * Argument: suite id. */
#include "bench/bench.h"
#include "crypto/labelled.h"
#include "mls/member/key_schedule.h"
#include "mls/member/message_protection.h"
#include "mls/member/psk.h"

struct world {
    const struct suite *suite;
    struct secret init, commit, psk, joiner, sender_data, encryption;
    struct epoch_secrets epoch;
    struct sig_key key;
    struct signature signature;
    struct bytes context;
    struct secret_tree *sender, *receiver, *scratch;
    struct authenticated_content content;
    struct buf message, tbs;
    uint8_t text[1024];
    uint32_t next_leaf;
};

enum { LEAVES = 1024 };

static struct err schedule(void *self)
{
    struct world *w = self;
    TRY(key_schedule_joiner(w->suite, &w->init, &w->commit, w->context, &w->joiner));
    return key_schedule_epoch(w->suite, &w->joiner, &w->psk, w->context, &w->epoch);
}

static struct err new_tree(struct world *w, struct secret_tree **tree)
{
    secret_tree_free(*tree);
    *tree = NULL;
    return secret_tree_new(w->suite, LEAVES, &w->encryption, SECRET_TREE_LIMITS_DEFAULT, tree);
}

static struct err first_use_of_all(void *self)
{
    struct world *w = self;
    TRY(new_tree(w, &w->scratch));
    struct message_key key;
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++) /* scattered */
        TRY(secret_tree_next(w->scratch, leaf * 389 % LEAVES, RATCHET_APPLICATION, &key));
    return ERR_OK;
}

static struct err next_key(void *self)
{
    struct world *w = self;
    struct message_key key;
    return secret_tree_next(w->scratch, 5, RATCHET_APPLICATION, &key);
}

static struct err sign(void *self)
{
    struct world *w = self;
    return sig_sign(&w->key, bytes_of(w->text, 200), &w->signature);
}

static struct err verify(void *self)
{
    struct world *w = self;
    return sig_verify(w->suite->sig, public_key_view(&w->key.public_key), bytes_of(w->text, 200),
                      signature_view(&w->signature));
}

/* Signing and sealing a message of 1 KiB, as a sender does. */
static struct err protect(void *self)
{
    struct world *w = self;
    buf_reset_unwiped(&w->tbs);
    buf_reset_unwiped(&w->message);
    framed_content_write_tbs(&w->tbs, WIRE_FORMAT_PRIVATE_MESSAGE, &w->content.content, w->context);
    TRY(labelled_sign(&w->key, LABEL_MLS, bytes_str("FramedContentTBS"), buf_view(&w->tbs),
                      &w->signature));
    w->content.auth.signature = signature_view(&w->signature);
    struct message_keys keys = {w->suite, &w->sender_data, w->sender};
    return message_seal(&keys, &rng_system, &w->content, 0, &w->message);
}

/* Opening and verifying it, without using the key up so that it can be repeated, and using up
 * another. */
static struct err unprotect(void *self)
{
    struct world *w = self;
    struct message_keys keys = {w->suite, &w->sender_data, w->receiver};
    struct wire_reader r = wire_reader_of(buf_view(&w->message));
    struct private_message m;
    struct sender_data sender;
    struct authenticated_content content;
    struct arena a;
    arena_init(&a, 1 << 20);
    private_message_read(&r, &m);
    TRY(wire_reader_end(&r));
    TRY(message_open_sender(&keys, &m, &sender));
    TRY(message_open_content(&keys, &m, &sender, &a, &content));
    buf_reset_unwiped(&w->tbs);
    framed_content_write_tbs(&w->tbs, content.wire_format, &content.content, w->context);
    TRY(labelled_verify(w->suite->sig, public_key_view(&w->key.public_key), LABEL_MLS,
                        bytes_str("FramedContentTBS"), buf_view(&w->tbs), content.auth.signature));
    arena_clear(&a);
    struct message_key other;
    return secret_tree_next(w->receiver, 7, RATCHET_APPLICATION, &other);
}

static void world_init(struct world *w, const struct suite *suite)
{
    static const uint8_t context[200];
    w->suite = suite;
    w->context = bytes_of(context, sizeof context);
    struct secret *random[] = {&w->init, &w->commit, &w->sender_data, &w->encryption};
    for (size_t i = 0; i < sizeof random / sizeof *random; i++)
        bench_must(secret_random(&rng_system, suite_hash_bytes(suite), random[i]), "random");
    secret_set_zero(suite_hash_bytes(suite), &w->psk);
    bench_must(sig_key_generate(suite->sig, &rng_system, &w->key), "key");
    bench_must(new_tree(w, &w->sender), "tree");
    bench_must(new_tree(w, &w->receiver), "tree");
    bench_must(new_tree(w, &w->scratch), "tree");
    w->content = (struct authenticated_content){
        .wire_format = WIRE_FORMAT_PRIVATE_MESSAGE,
        .content = {.group_id = bytes_str("a group id of some length"),
                    .epoch = 7,
                    .sender = {.type = SENDER_MEMBER, .index = 5},
                    .type = CONTENT_APPLICATION,
                    .application_data = bytes_of(w->text, sizeof w->text)}};
}

int main(int argc, char **argv)
{
    const struct suite *suite =
        suite_find(argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : (uint16_t)1);
    if (suite == NULL)
        return 2;
    struct world w = {0};
    world_init(&w, suite);
    printf("%s\n", suite->name);
    double s = bench_run("S: sign 200 B", sign, &w);
    double v = bench_run("V: verify 200 B", verify, &w);
    (void)bench_run("key schedule of an epoch", schedule, &w);
    (void)bench_run("next message key", next_key, &w);
    double all = bench_run("first message key of each of 1,024 leaves", first_use_of_all, &w);
    double p = bench_run("protect 1 KiB", protect, &w);
    bench_must(new_tree(&w, &w.sender), "tree");
    bench_must(protect(&w), "protect");
    double u = bench_run("unprotect 1 KiB", unprotect, &w);
    printf("protect %.2f S (bar 1.6), unprotect %.2f V (bar 1.2), first key %.2f us a leaf, "
           "tree of all %zu bytes a leaf\n",
           p / s, u / v, all / LEAVES, secret_tree_memory_bytes(w.scratch) / LEAVES);
    return 0;
}
