/* mls_bench: the public ring against the primitives of the same run (V = one Ed25519 verification).
 */
#include <malloc.h>

#include "bench/bench.h"
#include "bench/mls_bench_member.h"
#include "kit/mls_kit.h"

struct step {
    struct kit *k;
    struct bytes message;
    struct sig_key *key;
    struct signature signature;
};

static struct err verify(void *self)
{
    struct step *s = self;
    return sig_verify(s->k->suite->sig, public_key_view(&s->key->public_key), s->message,
                      signature_view(&s->signature));
}

static struct err key_package(void *self)
{
    struct step *s = self;
    struct key_package kp;
    TRY(key_package_parse(s->message, &kp));
    return validate_key_package(&kp, NULL, &s->k->policy);
}

static struct err stage(void *self)
{
    struct step *s = self;
    struct staged_commit *staged = NULL;
    TRY(public_group_process(&s->k->group, s->message, &s->k->policy, &staged));
    staged_commit_free(&staged);
    return ERR_OK;
}

static struct err load(void *self)
{
    struct step *s = self;
    struct arena a;
    struct mls_message m;
    struct public_group g;
    arena_init(&a, 1 << 20);
    TRY(mls_message_parse(s->message, &a, &m));
    TRY(public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &s->k->policy, &g));
    public_group_clear(&g);
    arena_clear(&a);
    return ERR_OK;
}

/* V, measured again around everything else */
static struct step v_step;

enum { ROUNDS = 15, ROUND_US = 15000 };

/* Microseconds per call over about ROUND_US. */
static double time_of(struct err (*call)(void *), void *self)
{
    uint64_t from = clock_monotonic_us(&clock_system);
    uint64_t calls = 0;
    uint64_t took;
    do {
        bench_must(call(self), "step");
        calls++;
        took = clock_monotonic_us(&clock_system) - from;
    } while (took < ROUND_US);
    return (double)took / (double)calls;
}

static void bench_ratio(const char *name, struct err (*call)(void *), void *self, double bar)
{
    double ratio[ROUNDS];
    double us[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double before = time_of(verify, &v_step);
        us[i] = time_of(call, self);
        double after = time_of(verify, &v_step);
        ratio[i] = us[i] / ((before + after) / 2);
    }
    qsort(ratio, ROUNDS, sizeof *ratio, bench_order);
    qsort(us, ROUNDS, sizeof *us, bench_order);
    printf("%-44s %10.1f us %9.2f V", name, us[ROUNDS / 2], ratio[ROUNDS / 2]);
    if (bar > 0)
        printf("   bar %.2f V%s", bar, ratio[ROUNDS / 2] > bar ? "  OVER" : "");
    printf("\n");
}

/* Memory of a group: what loading its state adds to the heap. */
static void print_memory(struct kit *k)
{
    struct buf b = BUF_INIT;
    struct public_group g;
    public_group_save(&b, &k->group);
    (void)malloc_trim(0);
    size_t before = mallinfo2().uordblks;
    bench_must(public_group_load(buf_view(&b), &g), "load");
    size_t bytes = mallinfo2().uordblks - before;
    printf("memory of a group of %u: %zu KiB, saved %zu KiB\n", k->group.tree.member_count,
           bytes / 1024, b.len / 1024);
    public_group_clear(&g);
    buf_clear(&b);
}

static void bench_group(uint32_t members, double bar)
{
    struct kit k;
    char name[64];
    kit_init(&k, suite_find(1), members);
    kit_group(&k, members, true, &(struct extensions){0});
    struct step s = {.k = &k, .message = kit_commit(&k, members / 2, NULL, 0, true)};
    (void)snprintf(name, sizeof name, "public ring: path commit, N = %u", members);
    bench_ratio(name, stage, &s, bar);
    s.message = kit_group_info(&k, 0, bytes_of(NULL, 0));
    (void)snprintf(name, sizeof name, "GroupInfo and tree, N = %u", members);
    bench_ratio(name, load, &s, members == 1000 ? 1.15 * members : 0); /* the bar is for 1,000 */
    print_memory(&k);
    kit_clear(&k);
}

static void bench_adds(uint32_t adds)
{
    struct kit k;
    char name[64];
    kit_init(&k, suite_find(1), 7);
    kit_group(&k, 1, false, &(struct extensions){0});
    struct proposal_or_ref *list = calloc(adds, sizeof *list);
    for (uint32_t i = 0; list != NULL && i < adds; i++)
        list[i] = kit_by_value(&k, kit_add(&k, kit_client_new(&k)));
    struct step s = {.k = &k, .message = kit_commit(&k, 0, list, adds, true)};
    (void)snprintf(name, sizeof name, "public ring: commit of %u Adds", adds);
    bench_ratio(name, stage, &s, 4.0 * adds);
    free(list);
    kit_clear(&k);
}

static double measure_v(void)
{
    return bench_run("V: Ed25519 verification", verify, &v_step);
}

int main(void)
{
    struct kit k;
    kit_init(&k, suite_find(1), 1);
    uint32_t client = kit_client_new(&k);
    v_step = (struct step){.k = &k, .message = kit_random(&k, 300), .key = &k.clients[client].key};
    KIT_MUST(sig_sign(v_step.key, v_step.message, &v_step.signature));
    (void)measure_v();
    struct step s = {.k = &k, .message = kit_key_package(&k, client)};
    bench_ratio("KeyPackage parse and verify", key_package, &s, 2.3);
    bench_group(10, 3);
    bench_group(100, 4);
    bench_group(1000, 7);
    bench_adds(1000);
    bench_adds(5000);
    bench_member(measure_v);
    kit_clear(&k);
    return 0;
}
