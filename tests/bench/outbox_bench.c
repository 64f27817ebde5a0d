/* The outbox alone, on real files: a payload to 1,000 references put durably, read back in batches
 * and taken away. What the queue service does in between is its own bench's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/courier/outbox_rows.h"
#include "store/store.h"
#include "support/store_dir.h"

enum { ROWS = 1000, ROUNDS = 50, BODY = 1024 };

static const struct stmt_row statements[] = {OUTBOX_STATEMENTS};
static const struct store_migration migrations[] = {{1, OUTBOX_SQL}};
static const struct store_schema schema = {migrations, 1, statements, OUTBOX_STATEMENT_COUNT};

static const uint8_t key[32] = {1}, ids[32] = {2};
static const struct outbox outbox = {0, key, ids, &rng_system, &clock_system};
static struct outbox_row rows[ROWS];
static uint8_t refs[ROWS][220], body[BODY];
static struct batch batch;

static struct err put(struct store_txn *txn, void *arg)
{
    (void)arg;
    return outbox_add(txn, &outbox, bytes_of(body, sizeof body), rows, ROWS);
}

static struct err take(struct store_txn *txn, void *arg)
{
    (void)arg;
    TRY(batch_read(txn, &outbox, &batch));
    for (size_t i = 0; i < batch.count; i++)
        batch.rows[i].outcome = QUEUE_OK;
    return ERR_OK;
}

static struct err drop(struct store_txn *txn, void *arg)
{
    (void)arg;
    return batch_drop(txn, &outbox, &batch, false, &(struct batch_report){0});
}

static void run(struct store *store, const char *what, struct err (*fn)(struct store_txn *, void *),
                bool write)
{
    struct err err = write ? store_call(store, fn, NULL) : store_call_read(store, fn, NULL);
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
        exit(1);
    }
}

static double ms_since(uint64_t from_us)
{
    return (double)(clock_monotonic_us(&clock_system) - from_us) / 1000;
}

int main(void)
{
    struct store_dir dir;
    struct store *store;
    double put_ms = 0, read_ms = 0, drop_ms = 0;
    store_dir_make(&dir);
    struct store_options options = {.path = dir.path, .schema = &schema};
    const char *bad = NULL;
    if (!err_is_ok(store_open(&options, &bad, &store)))
        return 1;
    for (int i = 0; i < ROWS; i++) {
        memcpy(refs[i], &i, sizeof i);
        rows[i] = (struct outbox_row){.domain = bytes_str("a.test"),
                                      .sealed_ref = bytes_of(refs[i], sizeof refs[i])};
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from_us = clock_monotonic_us(&clock_system);
        run(store, "put", put, true);
        put_ms += ms_since(from_us);
        batch = (struct batch){.domain = 1};
        for (;;) {
            from_us = clock_monotonic_us(&clock_system);
            run(store, "read", take, false);
            read_ms += ms_since(from_us);
            if (batch.count == 0)
                break;
            from_us = clock_monotonic_us(&clock_system);
            run(store, "drop", drop, true);
            drop_ms += ms_since(from_us);
        }
    }
    batch_clear(&batch);
    (void)printf("payload of %d bytes to %d references, %d times, per payload:\n"
                 "put %.2f ms, read %.2f ms, taken away %.2f ms (4 batches, each durable)\n",
                 BODY, ROWS, ROUNDS, put_ms / ROUNDS, read_ms / ROUNDS, drop_ms / ROUNDS);
    store_close(store);
    store_dir_remove(&dir);
    return 0;
}
