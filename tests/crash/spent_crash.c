/* kill -9 while tokens are spent (T1): a token is marked, becomes credits and pays for an effect in
 * one transaction, so what a client was told is spent is spent in the next life, too, and nothing
 * is paid for without its effect or the other way about.
 *
 *     spent_crash [--cycles N] [--control]        default 150
 *
 * Every life first tries to spend the newest tokens that were acknowledged again, by another
 * request, and counts what the tables hold: so many effects as tokens, and 59 credits for each.
 * --control marks in a transaction after that of the effect and its acknowledgement: a kill between
 * the two must be seen to leave a token that is worth a second call. The control fails if none is.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "server/front/charge.h"
#include "support/life_pace.h"
#include "support/store_dir.h"

enum { CYCLES = 150, TOKENS_A_LIFE = 2000, TRIED_AGAIN = 4, DAY = 20780, PER_TOKEN = 60 };
enum { EFFECT, COUNTS, PURSE };

static const struct store_migration migrations[] = {
    {1, PURSE_SQL "CREATE TABLE effect (number INTEGER PRIMARY KEY);"}};
static const struct stmt_row statements[] = {
    {"effect", "INSERT INTO effect (number) VALUES ($1)"},
    {"counts", "SELECT (SELECT COUNT(*) FROM effect), (SELECT COUNT(*) FROM spent_0)"
               " + (SELECT COUNT(*) FROM spent_1) + (SELECT COUNT(*) FROM spent_2),"
               " (SELECT COALESCE(SUM(credits), 0) FROM credit)"},
    PURSE_STATEMENTS,
};
static const struct store_schema schema = {migrations, 1, statements,
                                           sizeof statements / sizeof *statements};
static const uint8_t key[PASS_SPENT_KEY_BYTES] = {7};
static const uint8_t account[CREDITS_ID_BYTES] = {1};
static struct store *store;
static bool control;

/* One write to the pipe, so that a kill leaves it whole or not at all. */
struct said {
    enum { SPENT, TWICE, APART } what;
    uint64_t number;
};
static int out = -1;

static void say(int what, uint64_t number)
{
    const struct said said = {what, number};
    if (write(out, &said, sizeof said) != sizeof said)
        _exit(3);
}

static void must(struct err err, const char *what)
{
    if (err_is_ok(err))
        return;
    (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
    _exit(2);
}

/* ---- a life */

struct spend {
    uint64_t number; /* of the token, which has a nonce of that number */
    uint8_t request;
    bool marks, pays;
};

static struct err mark(struct store_txn *txn, const struct spend *s)
{
    uint8_t token[PASS_SHORT_BYTES] = {PASS_DELIVERY};
    const struct purse purse = purse_at(PURSE, key);
    size_t fresh = 0;
    token[3] = (uint8_t)(DAY >> 8);
    token[4] = (uint8_t)(DAY & 0xff);
    memcpy(token + 5, &s->number, sizeof s->number);
    const struct payment payment = {.tokens = token, .count = 1, .request = {s->request}};
    return payment_mark(txn, &purse.spent, &payment, false, &fresh);
}

static struct err pay(struct store_txn *txn, const struct spend *s)
{
    const struct purse purse = purse_at(PURSE, key);
    uint64_t had = 0;
    TRY(credits_find(txn, purse.credits, account, &had));
    TRY(credits_put(txn, purse.credits, account, had + PER_TOKEN - 1, (uint64_t)DAY * 86400));
    struct stmt *effect = stmt_use(txn, EFFECT);
    stmt_bind_u64(effect, 1, s->number << 1 | s->request);
    return stmt_run(effect, NULL);
}

static struct err run(struct store_txn *txn, void *arg)
{
    const struct spend *s = arg;
    if (s->marks)
        TRY(mark(txn, s));
    return s->pays ? pay(txn, s) : ERR_OK;
}

struct counts {
    uint64_t effects, spent, credits;
};

static struct err map_counts(struct stmt *row, void *arg)
{
    *(struct counts *)arg = (struct counts){stmt_u64(row, 0), stmt_u64(row, 1), stmt_u64(row, 2)};
    return stmt_row_check(row);
}

static struct err count(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, COUNTS), map_counts, arg);
}

/* The newest that were acknowledged, as the world remembers; a life sees what there was before it.
 */
static uint64_t newest[TRIED_AGAIN];
static unsigned long spent;

/* What earlier lives left. */
static void look_back(void)
{
    struct counts c;
    must(store_call(store, count, &c), "count");
    if (c.effects != c.spent || c.credits != c.effects * (PER_TOKEN - 1))
        say(APART, c.effects);
    for (uint64_t i = 0; i < TRIED_AGAIN && i < spent; i++) {
        struct spend again = {newest[i], 1, true, true};
        struct err err = store_call(store, run, &again);
        if (err_is_ok(err))
            say(TWICE, again.number);
        else if (err.code != ERR_PASS_SPENT)
            must(err, "again");
    }
}

static void live(const char *path, uint64_t next)
{
    const struct store_options options = {.path = path, .schema = &schema, .no_check = true};
    must(store_open(&options, NULL, &store), "open");
    look_back();
    for (uint64_t number = next; number < next + TOKENS_A_LIFE; number++) {
        struct spend both = {number, 0, !control, true}, later = {number, 0, true, false};
        must(store_call(store, run, &both), "spend");
        say(SPENT, number);
        if (control)
            must(store_call(store, run, &later), "mark later");
    }
    _exit(0);
}

/* ---- the world that remembers */

static unsigned long kills, twice, apart;

static bool cycle(const char *path, uint64_t next, struct life_pace *pace)
{
    int ends[2], status;
    struct said said;
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        out = ends[1];
        live(path, next);
    }
    (void)close(ends[1]);
    (void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    life_pace_wait(pace);
    kills += kill(child, SIGKILL) == 0;
    const unsigned long before = spent;
    while (read(ends[0], &said, sizeof said) == sizeof said) {
        twice += said.what == TWICE;
        apart += said.what == APART;
        if (said.what == SPENT)
            newest[spent++ % TRIED_AGAIN] = said.number;
    }
    life_pace_ended(pace, spent > before);
    (void)close(ends[0]);
    (void)waitpid(child, &status, 0);
    return !WIFEXITED(status) || WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    unsigned long cycles = CYCLES;
    struct store_dir dir;
    struct life_pace pace = {.least_us = 5000, .most_us = 55000};
    bool well = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--control") == 0)
            control = true;
        else if (strcmp(argv[i], "--cycles") == 0 && i + 1 < argc)
            cycles = strtoul(argv[++i], NULL, 10);
    }
    rng_seeded_init(&pace.dice, 1);
    store_dir_make(&dir);
    for (unsigned long i = 0; i < cycles && well; i++) /* numbers that no life has used */
        well = cycle(dir.path, 1 + i * TOKENS_A_LIFE, &pace);
    store_dir_remove(&dir);
    printf("%lu kills, %lu tokens spent, %lu spent twice, %lu lives with other sums\n", kills,
           spent, twice, apart);
    if (!well || spent < cycles / 2)
        return 1;
    return control ? twice + apart == 0 : twice + apart != 0;
}
