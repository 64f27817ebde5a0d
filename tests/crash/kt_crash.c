/* kill -9 while the log closes and signs epochs: every signature ever made is written down before
 * anything else happens to it, and no two of them are of one size and different roots.
 *
 *     kt_crash [--cycles N] [--control | --hole]        default 200
 *
 * --control signs in the transaction that closes the epoch, which is what the rules of kt_log.h
 * forbid: a kill before the commit must lose such an epoch after its signature has left, and a
 * later one of the same size gets another root. The control fails if that is never seen.
 *
 * Nodes of trees from before KEEP_MS are removed at the same time. After each kill trees that are
 * said to be kept must lead to their entries' roots, node by node; --hole removes a node that they
 * need, and fails if that is not seen.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/transparency/inside.h"
#include "server/transparency/kt_log.h"
#include "server/transparency/schema.h"
#include "support/life_pace.h"
#include "support/store_dir.h"

enum { SIZES_MOST = 200000, EPOCHS_MOST = 400, CYCLES = 200 };
enum { WINDOW_MS = 1000, KEEP_MS = 2500, TREES_LOOKED_AT = 4 };

static struct store *store;
static struct kt_log kt;
static struct sig_key log_key;
static struct vrf_key vrf;
static int out = -1; /* the child's end of the pipe */
static bool control, hole;
static uint64_t now_ms;

static void must(struct err err, const char *what)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
        _exit(2);
    }
}

/* What a signature says; one write, so that a kill leaves it whole or not at all. */
struct said {
    uint64_t size;
    struct hash_value root;
};

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    struct checkpoint c;
    (void)self;
    TRY(checkpoint_parse(text, &c));
    TRY(sig_sign(&log_key, text, ret_signature));
    const struct said said = {c.size, c.root};
    return write(out, &said, sizeof said) == sizeof said ? ERR_OK : ERR(IO);
}

static void configure(void)
{
    static const uint8_t seed[32] = {1}, other[32] = {2};
    must(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &log_key), "key");
    must(vrf_key_init(bytes_of(other, 32), &vrf), "vrf");
    kt = (struct kt_log){.vrf = &vrf, .rng = &rng_system, .sign = sign};
    kt.config = (struct kt_config){.mode = KT_MODE_CONTACT,
                                   .origin_len = 14,
                                   .max_ahead_ms = 60000,
                                   .max_behind_ms = 3600000,
                                   .window_ms = WINDOW_MS};
    memcpy(kt.config.origin, "a.example/kt/1", 14);
    memcpy(kt.config.signature_key, log_key.public_key.data, 32);
    memcpy(kt.config.vrf_key, vrf.public_key, 32);
}

/* ---- the child: a server that closes epochs as fast as it can */

static struct err run_start(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_start(&kt, txn);
}

static struct err run_offer(struct store_txn *txn, void *arg)
{
    uint64_t epoch;
    struct bytes label = bytes_of(arg, 16);
    return kt_log_offer(&kt, txn, label, 0, label, &epoch);
}

static struct err run_close(struct store_txn *txn, void *arg)
{
    TRY(kt_log_close(&kt, txn, now_ms, arg));
    return control ? kt_log_sign(&kt, txn) : ERR_OK;
}

static struct err run_sign(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_sign(&kt, txn);
}

/* Of the log's own time: what a kill leaves half done is gone on with. */
static struct err run_sweep(struct store_txn *txn, void *arg)
{
    return kt_log_sweep(&kt, txn, KEEP_MS, arg);
}

static struct err run_hole(struct store_txn *txn, void *arg)
{
    struct stmt *s = stmt_use(txn, NODE_DROP); /* the root of every tree */
    (void)arg;
    stmt_bind_blob(s, 1, bytes_of((const uint8_t[]){0}, 1));
    stmt_bind_u64(s, 2, INT64_MAX);
    return stmt_run(s, NULL);
}

static void serve(const char *path)
{
    const struct store_options options = {.path = path, .schema = &kt_schema, .no_check = true};
    configure();
    must(store_open(&options, NULL, &store), "open");
    must(store_call(store, run_start, NULL), "start");
    if (!control)
        must(store_call(store, run_sign, NULL), "sign what was left");
    for (int i = 0; i < EPOCHS_MOST; i++) {
        uint8_t label[16] = {LABEL_SYSTEM};
        uint64_t epoch;
        bool more;
        now_ms = clock_unix_ms(&clock_system);
        must(rng_fill(&rng_system, label + 1, sizeof label - 1), "random");
        must(store_call(store, run_offer, label), "offer");
        must(store_call(store, run_close, &epoch), "close");
        if (!control)
            must(store_call(store, run_sign, NULL), "sign");
        must(store_call(store, run_sweep, &more), "sweep");
    }
    _exit(0);
}

/* ---- another child: what is there after the kill */

static struct err whole(const struct prefix_store *tree, const struct prefix_position *at,
                        struct hash_value *ret_hash)
{
    struct prefix_node node;
    TRY(tree->get(tree->self, at, &node));
    *ret_hash = node.hash;
    if (node.kind != PREFIX_PARENT)
        return ERR_OK;
    struct hash_value sides[2];
    for (unsigned side = 0; side < 2; side++) {
        struct prefix_position child = *at;
        if (side)
            child.bits[at->depth / 8] |= (uint8_t)(0x80 >> at->depth % 8);
        child.depth++;
        TRY(whole(tree, &child, &sides[side]));
    }
    prefix_parent_hash(&sides[0], &sides[1], ret_hash);
    return ERR_OK;
}

static struct err tree_check(const struct kt_source *source, uint64_t epoch)
{
    const struct prefix_position top = {0};
    struct prefix_store tree;
    struct log_entry entry;
    struct hash_value root;
    TRY(source->tree(source->self, epoch, &tree));
    TRY(source->entry(source->self, epoch, &entry));
    TRY(whole(&tree, &top, &root));
    return hash_value_equal(&root, &entry.prefix_root) ? ERR_OK : ERR(TLOG_STORE);
}

struct kept {
    uint64_t first, last; /* trees */
};

/* The first of the trees that are kept, the newest, and some between. */
static struct err run_check(struct store_txn *txn, void *arg)
{
    struct kept *kept = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    struct buf note = BUF_INIT;
    struct prefix_store tree;
    uint64_t size = 0, from = 1;
    struct err err = source.checkpoint(source.self, &note, &size);
    buf_clear(&note);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    for (uint64_t to = size - 1; from < to;) { /* what is kept is kept from there on */
        uint64_t middle = from + (to - from) / 2;
        err = source.tree(source.self, middle, &tree);
        if (!err_is_ok(err) && err.code != ERR_TLOG_GONE)
            return err;
        if (err_is_ok(err))
            to = middle;
        else
            from = middle + 1;
    }
    *kept = (struct kept){from, size - 1};
    for (uint64_t i = 0; i <= TREES_LOOKED_AT; i++)
        TRY(tree_check(&source, from + (size - 1 - from) * i / TREES_LOOKED_AT));
    return ERR_OK;
}

static void check(const char *path)
{
    const struct store_options options = {.path = path, .schema = &kt_schema, .no_check = true};
    struct kept kept = {0};
    configure();
    must(store_open(&options, NULL, &store), "open");
    if (hole)
        must(store_call(store, run_hole, NULL), "hole");
    must(store_call_read(store, run_check, &kept), "a tree that is kept");
    if (write(out, &kept, sizeof kept) != sizeof kept)
        _exit(3);
    _exit(0);
}

/* ---- the parent: the world that remembers */

static struct hash_value roots[SIZES_MOST];
static bool seen[SIZES_MOST];
static unsigned long signatures, forks, kills, largest;
static struct kept newest;

static void remember(const struct said *said)
{
    signatures++;
    if (said->size >= SIZES_MOST)
        return;
    if (said->size > largest)
        largest = said->size;
    if (seen[said->size] && !hash_value_equal(&roots[said->size], &said->root))
        forks++;
    seen[said->size] = true;
    roots[said->size] = said->root;
}

/* One life of the server. */
static bool cycle(const char *path, struct life_pace *pace)
{
    int ends[2], status;
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        out = ends[1];
        serve(path);
    }
    (void)close(ends[1]);
    (void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    life_pace_wait(pace);
    kills += kill(child, SIGKILL) == 0;
    const unsigned long before = signatures;
    struct said said;
    while (read(ends[0], &said, sizeof said) == sizeof said)
        remember(&said);
    life_pace_ended(pace, signatures > before);
    (void)close(ends[0]);
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        (void)fprintf(stderr, "a server ended with %d\n", WEXITSTATUS(status));
    return !WIFEXITED(status) || WEXITSTATUS(status) == 0;
}

/* False: a tree that is kept is not whole. */
static bool check_after(const char *path)
{
    int ends[2], status;
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        out = ends[1];
        check(path);
    }
    (void)close(ends[1]);
    bool said = read(ends[0], &newest, sizeof newest) == sizeof newest;
    (void)close(ends[0]);
    (void)waitpid(child, &status, 0);
    return said && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Reading all kept trees takes longer than a life, the more so the longer the run. */
static bool is_checked(unsigned long life)
{
    enum { EACH_UNTIL = 200, THEN_EVERY = 50 };
    return life < EACH_UNTIL || life % THEN_EVERY == 0;
}

int main(int argc, char **argv)
{
    unsigned long cycles = CYCLES;
    struct store_dir dir;
    struct life_pace pace = {.least_us = 5000, .most_us = 65000};
    bool well = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--control") == 0)
            control = true;
        else if (strcmp(argv[i], "--hole") == 0)
            hole = true;
        else if (strcmp(argv[i], "--cycles") == 0 && i + 1 < argc)
            cycles = strtoul(argv[++i], NULL, 10);
    }
    rng_seeded_init(&pace.dice, 1);
    store_dir_make(&dir);
    for (unsigned long i = 0; i < cycles && well; i++)
        well = cycle(dir.path, &pace) && (control || !is_checked(i) || check_after(dir.path));
    store_dir_remove(&dir);
    printf(
        "%lu kills, %lu signatures up to size %lu, %lu second roots, trees %llu to %llu are left\n",
        kills, signatures, largest, forks, (unsigned long long)newest.first,
        (unsigned long long)newest.last);
    if (hole)
        return well;
    if (!well || signatures < cycles / 2)
        return 1;
    return control ? forks == 0 : forks != 0;
}
