/* Putting a payload and its rows into the outbox. */
#include "server/courier/outbox.h"

#include <stdlib.h>

#include "server/courier/outbox_rows.h"

enum { DOMAINS_KEPT = 8 };

/* Domains met in this call: most rows of a payload go to few. */
struct known {
    struct bytes name;
    uint64_t id;
};

struct adding {
    struct store_txn *txn;
    const struct outbox *outbox;
    uint64_t payload; /* number of the payload; the rows' follow */
    uint64_t last;    /* number of the last row */
    uint64_t day;
    struct known known[DOMAINS_KEPT];
    size_t known_count;
};

static struct err map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err draw_numbers(struct adding *a, uint64_t count)
{
    uint64_t next = 0;
    struct stmt *s = stmt_use(a->txn, a->outbox->statements + OUTBOX_NUMBERS);
    stmt_bind_u64(s, 1, count);
    TRY(stmt_first(s, map_u64, &next));
    a->payload = next - count;
    a->last = next - 1;
    return next <= OUTBOX_NUMBER_MAX ? ERR_OK : ERR(INTERNAL);
}

static struct err find_domain(struct adding *a, struct bytes name, uint64_t *ret_id)
{
    for (size_t i = 0; i < a->known_count; i++)
        if (bytes_equal(a->known[i].name, name)) {
            *ret_id = a->known[i].id;
            return ERR_OK;
        }
    uint8_t prf[OUTBOX_PRF_BYTES];
    outbox_domain_prf(a->outbox, name, prf);
    struct buf sealed = BUF_INIT;
    struct err err;
    uint64_t id = 0;
    TRY_OR(at_rest_seal(&sealed, a->outbox->key, a->outbox->rng, bytes_of(prf, sizeof prf), name),
           err, done);
    struct stmt *s = stmt_use(a->txn, a->outbox->statements + OUTBOX_DOMAIN);
    stmt_bind_blob(s, 1, bytes_of(prf, sizeof prf));
    stmt_bind_blob(s, 2, buf_view(&sealed));
    stmt_bind_u64(s, 3, a->last);
    TRY_OR(stmt_first(s, map_u64, &id), err, done);
    if (id > OUTBOX_DOMAIN_MAX)
        TRY_OR(ERR(TOO_LARGE), err, done);
    a->known[a->known_count < DOMAINS_KEPT ? a->known_count++ : DOMAINS_KEPT - 1] =
        (struct known){name, id};
    *ret_id = id;
done:
    buf_clear(&sealed);
    return err;
}

static struct err put_payload(struct adding *a, struct bytes payload, size_t rows)
{
    struct stmt *s = stmt_use(a->txn, a->outbox->statements + OUTBOX_PAYLOAD);
    stmt_bind_u64(s, 1, a->payload);
    stmt_bind_u64(s, 2, rows);
    TRY(stmt_run(s, NULL));
    struct buf sealed = BUF_INIT;
    uint8_t aad[OUTBOX_AAD_BYTES];
    struct err err;
    TRY_OR(at_rest_seal(&sealed, a->outbox->key, a->outbox->rng,
                        outbox_aad(OUTBOX_AAD_BODY, a->payload, aad), payload),
           err, done);
    s = stmt_use(a->txn, a->outbox->statements + OUTBOX_BODY);
    stmt_bind_u64(s, 1, a->payload);
    stmt_bind_blob(s, 2, buf_view(&sealed));
    err = stmt_run(s, NULL);
done:
    buf_clear(&sealed);
    return err;
}

/* bytes: what the row takes in a backlog. */
static struct err put_row(struct adding *a, const struct outbox_row *row, uint64_t number,
                          uint64_t bytes, struct buf *sealed)
{
    uint64_t domain;
    TRY(find_domain(a, row->domain, &domain));
    uint64_t id = outbox_row_id(domain, number);
    buf_reset_unwiped(sealed);
    TRY(outbox_row_seal(a->outbox, id, row, sealed));
    struct stmt *s = stmt_use(a->txn, a->outbox->statements + OUTBOX_ROW);
    stmt_bind_u64(s, 1, id);
    stmt_bind_u64(s, 2, a->payload);
    stmt_bind_u64(s, 3, bytes + sealed->len);
    stmt_bind_u64(s, 4, a->day);
    stmt_bind_blob(s, 5, buf_view(sealed));
    return stmt_run(s, NULL);
}

/* A permutation of 0 to count - 1. The remainder's bias is below count / 2^32. */
static struct err shuffle(const struct rng *rng, uint32_t *order, size_t count)
{
    TRY(rng_fill(rng, order, count * sizeof *order));
    uint32_t *drawn = order + count;
    memcpy(drawn, order, count * sizeof *order);
    for (size_t i = 0; i < count; i++) {
        size_t j = drawn[i] % (i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    return ERR_OK;
}

/* order[count + i]: row i is the last of its domain, and the body counts there as waiting until
 * then. Where there are many domains it counts too often. */
static void mark_tails(const struct outbox_row *rows, uint32_t *order, size_t count)
{
    struct bytes seen[DOMAINS_KEPT];
    size_t seen_count = 0;
    for (size_t i = count; i-- > 0;) {
        struct bytes domain = rows[order[i]].domain;
        size_t at = 0;
        while (at < seen_count && !bytes_equal(seen[at], domain))
            at++;
        order[count + i] = at == seen_count;
        if (at == seen_count && seen_count < DOMAINS_KEPT)
            seen[seen_count++] = domain;
    }
}

static bool acceptable(struct bytes payload, const struct outbox_row *rows, size_t count)
{
    if (payload.len > OUTBOX_PAYLOAD_MAX || count > OUTBOX_ROWS_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (rows[i].domain.len == 0 || rows[i].domain.len > DOMAIN_MAX_BYTES ||
            rows[i].sealed_ref.len == 0 || rows[i].sealed_ref.len > OUTBOX_REF_MAX)
            return false;
    return true;
}

struct err outbox_add(struct store_txn *txn, const struct outbox *outbox, struct bytes payload,
                      const struct outbox_row *rows, size_t count)
{
    if (!acceptable(payload, rows, count))
        return ERR(ARGUMENT);
    if (count == 0)
        return ERR_OK;
    /* two salts and nonces a row */
    struct rng_block block;
    struct rng rng = rng_of_block(&block, outbox->rng);
    struct outbox here = *outbox;
    here.rng = &rng;
    struct adding a = {
        .txn = txn, .outbox = &here, .day = outbox_day(clock_unix_ms(outbox->clock))};
    struct buf sealed = BUF_INIT;
    struct err err;
    uint32_t *order = malloc(2 * count * sizeof *order);
    if (order == NULL)
        return ERR(NO_MEMORY);
    TRY_OR(shuffle(outbox->rng, order, count), err, done);
    TRY_OR(draw_numbers(&a, 1 + (uint64_t)count), err, done);
    TRY_OR(put_payload(&a, payload, count), err, done);
    mark_tails(rows, order, count);
    for (size_t i = 0; i < count; i++)
        TRY_OR(put_row(&a, &rows[order[i]], a.payload + 1 + i, order[count + i] ? payload.len : 0,
                       &sealed),
               err, done);
done:
    rng_block_wipe(&block);
    buf_clear(&sealed);
    free(order);
    return err;
}
