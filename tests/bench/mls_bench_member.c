/* The member ring of mls_bench: joining, adding many, self-updates, messages. A group of a thousand
 * in which all have committed is made by the kit, without secrets; two of its members are then
 * given one epoch's secrets, after which they are members like any. */
#include "bench/mls_bench_member.h"

#include "bench/bench.h"
#include "kit/mls_kit.h"
#include "mls/member/group_state.h"

static double (*measure_v)(void);

struct bench {
    struct kit *k;
    struct mls_client client;
    struct mls_group *group;
    struct buf commit;
    struct buf welcome;
    struct key_package_bundle bundle;
    const struct bytes *adds;
    size_t add_count;
    struct mls_client joiner;
};

static const struct mls_group_config *config(void)
{
    static const struct mls_group_config c = {.padding_block = 32,
                                              .public_handshake = true,
                                              .past_epochs = 2,
                                              .resumptions = 8,
                                              .limits = {.forward_most = 1024, .kept_most = 64}};
    return &c;
}

static void print_bar(const char *what, double got, double bar, const char *unit)
{
    printf("    %s = %.2f %s, bar %.2f %s%s\n", what, got, unit, bar, unit,
           got > bar ? "  OVER" : "");
}

static struct mls_client client_at(struct kit *k, uint32_t leaf)
{
    return (struct mls_client){
        .rng = &k->rng, .signer = &kit_at(k, leaf)->key, .policy = k->policy};
}

/* A member at a leaf of a public group, with an epoch's secrets. */
static struct mls_group *member_of(const struct public_group *public, uint32_t leaf,
                                   const struct epoch_secrets *secrets)
{
    struct mls_group *g;
    struct buf b = BUF_INIT;
    struct epoch_secrets copy = *secrets;
    bench_must(group_new(config(), &g), "group");
    public_group_save(&b, public);
    bench_must(public_group_load(buf_view(&b), &g->public), "load");
    buf_clear(&b);
    g->own_leaf = leaf;
    bench_must(group_enter_first_epoch(g, &copy), "enter");
    return g;
}

static struct epoch_secrets some_secrets(struct kit *k)
{
    struct secret epoch;
    struct epoch_secrets secrets;
    bench_must(secret_random(&k->rng, suite_hash_bytes(k->suite), &epoch), "random");
    bench_must(key_schedule_from_epoch_secret(k->suite, &epoch, &secrets), "schedule");
    return secrets;
}

static struct err create(void *self)
{
    struct bench *b = self;
    struct commit_output out;
    TRY(group_commit(b->group, &b->client, &(struct commit_options){.force_path = true}, &out));
    commit_output_clear(&out);
    return ERR_OK;
}

static struct err process(void *self)
{
    struct bench *b = self;
    struct mls_received received;
    TRY(group_process(b->group, &b->client, buf_view(&b->commit), &received));
    mls_received_clear(&received);
    return ERR_OK;
}

static struct err join(void *self)
{
    struct bench *b = self;
    struct mls_group *g;
    TRY(group_join(&b->joiner, config(), &b->bundle, buf_view(&b->welcome), bytes_of(NULL, 0), NULL,
                   &g));
    group_free(g);
    return ERR_OK;
}

static struct err add_many(void *self)
{
    struct bench *b = self;
    struct commit_output out;
    struct commit_options options = {.proposals = b->adds, .proposal_count = b->add_count};
    TRY(group_commit(b->group, &b->client, &options, &out));
    commit_output_clear(&out);
    return ERR_OK;
}

static struct leaf_profile profile_of(const struct kit_client *c)
{
    return (struct leaf_profile){.credential = {CREDENTIAL_BASIC, c->identity},
                                 .capabilities = capabilities_default()};
}

/* One more member, with a path: what its Welcome costs to join by. */
static void bench_join(struct bench *b, uint32_t members)
{
    struct kit *k = b->k;
    char name[64];
    struct commit_output out;
    struct kit_client *newcomer = &k->clients[kit_client_new(k)];
    struct leaf_profile profile = profile_of(newcomer);
    b->joiner = (struct mls_client){.rng = &k->rng, .signer = &newcomer->key, .policy = k->policy};
    bench_must(key_package_make(&b->joiner, k->suite, &profile, 30 * 24 * 3600, NULL, &b->bundle),
               "kp");
    struct buf add = BUF_INIT;
    wire_write_u16(&add, PROPOSAL_ADD);
    wire_write_fixed(&add, buf_view(&b->bundle.key_package));
    struct bytes proposal = buf_view(&add);
    struct commit_options options = {
        .proposals = &proposal, .proposal_count = 1, .force_path = true};
    bench_must(group_commit(b->group, &b->client, &options, &out), "add");
    b->welcome = out.welcome;
    out.welcome = BUF_INIT;
    (void)snprintf(name, sizeof name, "join with full validation, N = %u", members);
    double v = measure_v();
    print_bar("join", bench_run(name, join, b) / v, 1.2 * members, "V");
    commit_output_clear(&out);
    buf_clear(&b->welcome);
    buf_clear(&add);
    key_package_bundle_clear(&b->bundle);
}

static void bench_group(uint32_t members, bool updates)
{
    struct kit k;
    char name[64];
    kit_init(&k, suite_find(1), members);
    /* thousands of commits would not fit into the kit's memory */
    kit_group(&k, members, members <= 1000, &(struct extensions){0});
    struct epoch_secrets secrets = some_secrets(&k);
    uint32_t a = members / 3;
    uint32_t z = members - 1;
    struct bench b = {.k = &k, .client = client_at(&k, z)};
    b.group = member_of(&k.group, z, &secrets);
    /* the one commits, and so has the keys of its path; the other takes over its view of things */
    bench_must(create(&b), "commit");
    bench_must(group_merge_pending(b.group), "merge");
    struct epoch_secrets next = b.group->secrets;
    next.encryption = secrets.encryption;
    struct mls_group *other = member_of(&b.group->public, a, &next);
    struct mls_group *one = b.group;
    bench_must(
        group_commit(
            other,
            &(struct mls_client){.rng = &k.rng, .signer = &kit_at(&k, a)->key, .policy = k.policy},
            &(struct commit_options){.force_path = true}, &(struct commit_output){0}),
        "other");
    if (updates) {
        b.group = other;
        b.client = client_at(&k, a);
        (void)snprintf(name, sizeof name, "self-update: create, N = %u", members);
        print_bar("create", bench_run(name, create, &b) / 1000, 5, "ms");
        struct commit_output out;
        bench_must(
            group_commit(other, &b.client, &(struct commit_options){.force_path = true}, &out),
            "commit");
        b.commit = out.commit;
        b.group = one;
        b.client = client_at(&k, z);
        (void)snprintf(name, sizeof name, "self-update: process, N = %u", members);
        print_bar("process", bench_run(name, process, &b) / 1000, 2, "ms");
        buf_clear(&b.commit);
    }
    if (updates)
        bench_store(one, &(struct mls_client){.rng = &k.rng, .signer = &kit_at(&k, z)->key},
                    members);
    if (members >= 1000)
        bench_join(&b, members);
    group_free(other);
    group_free(one);
    kit_clear(&k);
}

static void bench_adds(uint32_t count)
{
    struct kit k;
    char name[64];
    kit_init(&k, suite_find(1), count);
    struct kit_client *founder = &k.clients[kit_client_new(&k)];
    struct leaf_profile profile = profile_of(founder);
    struct bench b = {.k = &k, .client = {.rng = &k.rng, .policy = k.policy}};
    b.client.signer = &founder->key;
    bench_must(
        group_create(&b.client, k.suite, config(), bytes_str("many"), NULL, &profile, &b.group),
        "create");
    struct bytes *adds = calloc(count, sizeof *adds);
    for (uint32_t i = 0; adds != NULL && i < count; i++)
        adds[i] = kit_add(&k, kit_client_new(&k));
    b.client.signer = &k.clients[0].key;
    b.adds = adds;
    b.add_count = adds != NULL ? count : 0;
    (void)snprintf(name, sizeof name, "add %u in one commit, Welcome with tree", count);
    double v = measure_v();
    print_bar("each", bench_run(name, add_many, &b) / v / count, 4, "V");
    free(adds);
    group_free(b.group);
    kit_clear(&k);
}

enum { TEXT_BYTES = 1024, BATCH = 500, BATCHES = 15 };

static int by_size(const void *x, const void *y)
{
    return bench_order(x, y);
}

/* Each message can be read once only, so these are timed batch by batch. */
static void bench_messages(double s)
{
    struct kit k;
    static uint8_t text[TEXT_BYTES];
    static struct buf messages[BATCH];
    double protect[BATCHES];
    double unprotect[BATCHES];
    kit_init(&k, suite_find(1), 3);
    kit_group(&k, 2, true, &(struct extensions){0});
    struct epoch_secrets secrets = some_secrets(&k);
    struct mls_client from = client_at(&k, 0);
    struct mls_client to = client_at(&k, 1);
    struct mls_group *a = member_of(&k.group, 0, &secrets);
    struct mls_group *z = member_of(&k.group, 1, &secrets);
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t start = clock_monotonic_us(&clock_system);
        for (int i = 0; i < BATCH; i++)
            bench_must(group_protect(a, &from, bytes_of(text, sizeof text), bytes_of(NULL, 0),
                                     &messages[i]),
                       "protect");
        uint64_t middle = clock_monotonic_us(&clock_system);
        for (int i = 0; i < BATCH; i++) {
            struct mls_received received;
            bench_must(group_process(z, &to, buf_view(&messages[i]), &received), "unprotect");
            mls_received_clear(&received);
        }
        uint64_t end = clock_monotonic_us(&clock_system);
        protect[batch] = (double)(middle - start) / BATCH;
        unprotect[batch] = (double)(end - middle) / BATCH;
        for (int i = 0; i < BATCH; i++)
            buf_clear(&messages[i]);
    }
    qsort(protect, BATCHES, sizeof *protect, by_size);
    qsort(unprotect, BATCHES, sizeof *unprotect, by_size);
    printf("%-44s %10.2f us\n", "protect 1 KiB", protect[BATCHES / 2]);
    print_bar("protect", protect[BATCHES / 2] / s, 1.6, "S");
    printf("%-44s %10.2f us\n", "unprotect 1 KiB", unprotect[BATCHES / 2]);
    double v = measure_v();
    print_bar("unprotect", unprotect[BATCHES / 2] / v, 1.2, "V");
    group_free(a);
    group_free(z);
    kit_clear(&k);
}

static struct err make_package(void *self)
{
    struct bench *b = self;
    struct leaf_profile profile = profile_of(&b->k->clients[0]);
    TRY(key_package_make(&b->client, b->k->suite, &profile, 30 * 24 * 3600, NULL, &b->bundle));
    key_package_bundle_clear(&b->bundle);
    return ERR_OK;
}

static struct err sign(void *self)
{
    struct bench *b = self;
    struct signature signature;
    static const uint8_t message[300];
    return sig_sign(b->client.signer, bytes_of(message, sizeof message), &signature);
}

void bench_member(double (*measure)(void))
{
    measure_v = measure;
    struct kit k;
    kit_init(&k, suite_find(1), 4);
    (void)kit_client_new(&k);
    struct bench b = {.k = &k, .client = {&k.rng, &k.clients[0].key, k.policy, NULL, NULL}};
    double s = bench_run("S: Ed25519 signature", sign, &b);
    print_bar("create", bench_run("KeyPackage create with keys", make_package, &b) / 1000, 0.2,
              "ms");
    kit_clear(&k);
    bench_messages(s);
    bench_group(10, true);
    bench_group(1000, true);
    bench_group(5000, false);
    bench_adds(1000);
    bench_adds(5000);
}
