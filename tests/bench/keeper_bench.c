/* What a verb of the keeper costs: in this process, in one of its own, alone and with others
 * waiting; what remembering opened references saves. Prints a table.
 *
 *     keeper_bench [calls]     default 2000
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/keeper/keeper.h"

enum { REFS_MAX = 8192, THREADS = 4 };

static struct bytes views[REFS_MAX];
static struct buf sealed[REFS_MAX];
static struct queue_ref refs[REFS_MAX];
static struct err results[REFS_MAX];
static size_t calls = 2000;

static void must(struct err err)
{
    if (!err_is_ok(err)) {
        fprintf(stderr, "%s\n", err_text(err));
        exit(1);
    }
}

static double now_us(void)
{
    return (double)clock_monotonic_us(&clock_system);
}

static void seal_refs(struct keeper *k)
{
    struct sig_key client;
    struct public_key service;
    const struct queue_ref ref = {.has_push_token_key = false};
    must(sig_key_generate(&sig_ed25519, &rng_system, &client));
    must(keeper_queue_key(k, &service));
    for (size_t i = 0; i < REFS_MAX; i++) {
        buf_clear(&sealed[i]);
        must(sealed_ref_seal(&sealed[i], &rng_system, public_key_view(&service),
                             bytes_str("a.example"), &ref, &client));
        views[i] = buf_view(&sealed[i]);
    }
    sig_key_clear(&client);
}

/* us per reference, in batches */
static double open_all(struct keeper *k, size_t count, size_t batch)
{
    double start = now_us();
    for (size_t from = 0; from < count; from += batch)
        must(keeper_open_refs(k, views + from, batch, refs + from, results + from));
    double each = (now_us() - start) / (double)count;
    for (size_t i = 0; i < count; i++)
        must(results[i]);
    return each;
}

static void *sign_many(void *arg)
{
    struct keeper *k = arg;
    struct signature signature;
    for (size_t i = 0; i < calls; i++)
        must(keeper_sign(k, KEEPER_FEDERATION, false, bytes_str("Request"), bytes_str("content"),
                         &signature));
    return NULL;
}

/* us per signature with so many callers at once: the whole time over all calls */
static double sign_with(struct keeper *k, size_t threads)
{
    pthread_t ids[THREADS];
    double start = now_us();
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, sign_many, k) != 0)
            exit(1);
    for (size_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    return (now_us() - start) / (double)(calls * threads);
}

static void measure(const char *name, struct keeper *k)
{
    seal_refs(k);
    printf("%-14s  sign, 1 caller   %7.1f us\n", name, sign_with(k, 1));
    printf("%-14s  sign, 4 callers  %7.1f us\n", name, sign_with(k, THREADS));
    printf("%-14s  open, new        %7.1f us a reference, one at a time\n", name,
           open_all(k, 2048, 1));
    printf("%-14s  open, known      %7.1f us\n", name, open_all(k, 2048, 1));
    seal_refs(k);
    printf("%-14s  open, new        %7.1f us a reference, 256 at a time\n", name,
           open_all(k, REFS_MAX, 256));
    printf("%-14s  open, known      %7.1f us\n", name, open_all(k, REFS_MAX, 256));
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/hearth-keeper-bench-XXXXXX";
    char path[64];
    struct keeper *near = NULL, *far = NULL;
    if (argc > 1)
        calls = strtoul(argv[1], NULL, 10);
    if (calls == 0 || mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/keys", folder);
    must(keeper_init(path, bytes_str("a.example"), &clock_system, &rng_system));
    must(keeper_spawn(path, bytes_str("a.example"), &far));
    must(keeper_open(path, bytes_str("a.example"), &clock_system, &rng_system, &near));
    measure("in-process", near);
    measure("own process", far);
    keeper_close(near);
    keeper_close(far);
    for (size_t i = 0; i < REFS_MAX; i++)
        buf_clear(&sealed[i]);
    unlink(path);
    rmdir(folder);
    return 0;
}
