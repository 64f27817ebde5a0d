#include "server/courier/outbox_rows.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { FLAG_NOTIFY = 1, FLAG_CONTROL = 2, FLAG_QUIET = 4 };

struct bytes outbox_aad(uint8_t kind, uint64_t id, uint8_t aad[OUTBOX_AAD_BYTES])
{
    aad[0] = kind;
    for (int i = 0; i < 8; i++)
        aad[1 + i] = (uint8_t)(id >> (56 - 8 * i));
    return bytes_of(aad, OUTBOX_AAD_BYTES);
}

void outbox_domain_prf(const struct outbox *outbox, struct bytes name,
                       uint8_t ret_prf[OUTBOX_PRF_BYTES])
{
    at_rest_prf(outbox->ids, BYTES_LIST(bytes_str("outbox domain"), name), ret_prf);
}

void outbox_ref_prf(const struct outbox *outbox, struct bytes sealed_ref,
                    uint8_t ret_prf[OUTBOX_PRF_BYTES])
{
    at_rest_prf(outbox->ids, BYTES_LIST(bytes_str("outbox reference"), sealed_ref), ret_prf);
}

struct err outbox_row_seal(const struct outbox *outbox, uint64_t id, const struct outbox_row *row,
                           struct buf *b)
{
    struct buf plain = BUF_INIT;
    uint8_t aad[OUTBOX_AAD_BYTES];
    wire_write_u8(&plain,
                  (uint8_t)((row->notify ? FLAG_NOTIFY : 0) | (row->control ? FLAG_CONTROL : 0) |
                            (row->quiet ? FLAG_QUIET : 0)));
    wire_write_fixed(&plain, bytes_of(row->notice, sizeof row->notice));
    wire_write_vector(&plain, row->sealed_ref);
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = at_rest_seal(b, outbox->key, outbox->rng, outbox_aad(OUTBOX_AAD_ROW, id, aad),
                           buf_view(&plain));
    buf_clear(&plain);
    return err;
}

/* Appends the reference to refs. */
static struct err row_open(const struct outbox *outbox, uint64_t id, struct bytes sealed,
                           struct buf *refs, struct batch_row *row)
{
    struct buf plain = BUF_INIT;
    uint8_t aad[OUTBOX_AAD_BYTES];
    struct err err;
    TRY_OR(at_rest_open(&plain, outbox->key, outbox_aad(OUTBOX_AAD_ROW, id, aad), sealed), err,
           done);
    struct wire_reader r = wire_reader_of(buf_view(&plain));
    uint8_t flags = wire_read_u8(&r);
    struct bytes notice = wire_read_fixed(&r, sizeof row->notice);
    struct bytes ref = wire_read_vector(&r);
    TRY_OR(wire_reader_end(&r), err, done);
    row->notify = (flags & FLAG_NOTIFY) != 0;
    row->control = (flags & FLAG_CONTROL) != 0;
    row->quiet = (flags & FLAG_QUIET) != 0;
    memcpy(row->notice, notice.data, sizeof row->notice);
    row->ref_at = refs->len;
    row->ref_len = ref.len;
    buf_append_bytes(refs, ref);
    err = buf_check(refs);
done:
    buf_clear(&plain);
    return err;
}

struct err outbox_raise(struct store_txn *txn, const struct outbox *outbox)
{
    /* to the millisecond: two starts of one second must not begin alike */
    uint64_t now_ms = clock_unix_ms(outbox->clock);
    uint64_t most_ms =
        OUTBOX_NUMBER_MAX / OUTBOX_NUMBERS_PER_S / 8 * 7 * 1000; /* a clock gone wild */
    uint64_t number = (now_ms < most_ms ? now_ms : most_ms) * OUTBOX_NUMBERS_PER_S / 1000;
    struct stmt *s = stmt_use(txn, outbox->statements + OUTBOX_RAISE);
    stmt_bind_u64(s, 1, number);
    stmt_bind_u64(s, 2, OUTBOX_NUMBERS_GAP);
    stmt_bind_u64(s, 3, OUTBOX_NUMBERS_PER_S);
    return stmt_run(s, NULL);
}

void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->body_count; i++)
        buf_clear(&b->bodies[i].body);
    b->body_count = b->body_bytes = 0;
    b->count = 0;
    buf_clear(&b->refs);
}

struct bytes batch_ref(const struct batch *b, const struct batch_row *row)
{
    return bytes_of(b->refs.data + row->ref_at, row->ref_len);
}

struct bytes batch_body(const struct batch *b, const struct batch_row *row)
{
    return buf_view(&b->bodies[row->body].body);
}

struct body_open {
    const struct outbox *outbox;
    struct bytes aad;
    struct buf *body;
};

static struct err map_body(struct stmt *row, void *arg)
{
    struct body_open *o = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return at_rest_open(o->body, o->outbox->key, o->aad, sealed);
}

/* Rows of one payload lie beside each other, so the last body is nearly always the one. */
static struct err find_body(struct store_txn *txn, const struct outbox *outbox, struct batch *b,
                            struct batch_row *row)
{
    for (size_t i = b->body_count; i-- > 0;)
        if (b->bodies[i].payload == row->payload) {
            row->body = i;
            return ERR_OK;
        }
    struct batch_body *body = &b->bodies[b->body_count];
    uint8_t aad[OUTBOX_AAD_BYTES];
    struct body_open open = {outbox, outbox_aad(OUTBOX_AAD_BODY, row->payload, aad), &body->body};
    struct stmt *s = stmt_use(txn, outbox->statements + OUTBOX_GET_BODY);
    stmt_bind_u64(s, 1, row->payload);
    *body = (struct batch_body){.payload = row->payload};
    struct err err = stmt_first(s, map_body, &open);
    if (!err_is_ok(err)) {
        buf_clear(&body->body);
        return err;
    }
    row->body = b->body_count++;
    b->body_bytes += body->body.len;
    return ERR_OK;
}

/* Neither the memory nor the database failed: this row is what is wrong. */
static bool is_damage(struct err err)
{
    return err_class_of(err) == ERR_CLASS_CALLER; /* wire errors, CRYPTO_TAG, NOT_FOUND */
}

static struct err read_row(struct store_txn *txn, const struct outbox *outbox, struct stmt *s,
                           struct batch *b, bool *gap, bool *ret_full)
{
    struct batch_row row = {.outcome = QUEUE_LATER, .gap = *gap};
    uint64_t id = stmt_u64(s, 0);
    row.number = id & OUTBOX_NUMBER_MAX;
    row.payload = stmt_u64(s, 1);
    row.bytes = stmt_u64(s, 2);
    bool expired = stmt_u64(s, 3) + OUTBOX_DAYS < b->today;
    struct bytes sealed = stmt_blob(s, 4);
    TRY(stmt_row_check(s));
    *ret_full = b->count > 0 && expired != b->expired;
    if (*ret_full)
        return ERR_OK;
    size_t refs_len = b->refs.len;
    struct err err = row_open(outbox, id, sealed, &b->refs, &row);
    bool keep = true;
    if (err_is_ok(err) && b->application && row.control)
        keep = false;
    if (err_is_ok(err) && b->leave_out != NULL && !expired) {
        uint8_t prf[OUTBOX_PRF_BYTES];
        outbox_ref_prf(outbox, batch_ref(b, &row), prf);
        keep = keep && !b->leave_out(b->self, prf);
    }
    if (err_is_ok(err) && keep && !b->application && !expired)
        err = find_body(txn, outbox, b, &row);
    if (!err_is_ok(err) && !is_damage(err))
        return err;
    if (!err_is_ok(err)) {
        b->damaged++;
        row = (struct batch_row){.number = row.number,
                                 .payload = row.payload,
                                 .bytes = row.bytes,
                                 .gap = row.gap,
                                 .outcome = QUEUE_REFUSED};
    }
    if (!keep || row.ref_len == 0)
        b->refs.len = refs_len;
    b->last = row.number;
    *gap = !keep;
    if (keep) {
        b->expired = expired;
        b->rows[b->count++] = row;
    }
    return ERR_OK;
}

struct err batch_read(struct store_txn *txn, const struct outbox *outbox, struct batch *b)
{
    batch_clear(b);
    size_t most = b->most != 0 && b->most < BATCH_ROWS ? b->most : BATCH_ROWS;
    struct stmt *s = stmt_use(txn, outbox->statements + OUTBOX_ROWS);
    stmt_bind_u64(s, 1, outbox_row_id(b->domain, b->after));
    stmt_bind_u64(s, 2, outbox_row_id(b->domain + 1, 0));
    stmt_bind_u64(s, 3, BATCH_SCAN);
    bool gap = true, full = false, more = true;
    uint32_t seen = 0;
    b->last = b->after;
    b->expired = false;
    b->end = false;
    while (b->count < most && b->body_bytes < BATCH_BYTES) {
        struct err err = stmt_step(s, &more);
        if (err_is_ok(err) && more)
            err = read_row(txn, outbox, s, b, &gap, &full);
        if (!err_is_ok(err)) {
            batch_clear(b);
            return err;
        }
        if (!more || full)
            break;
        seen++;
    }
    b->end = !more && seen < BATCH_SCAN;
    return ERR_OK;
}

/* ---- taking away */

static struct err map_waiting(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err run_u64(struct store_txn *txn, unsigned statement, uint64_t value)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_u64(s, 1, value);
    return stmt_run(s, NULL);
}

/* So many rows of the payload are gone. */
static struct err release(struct store_txn *txn, const struct outbox *outbox, uint64_t payload,
                          uint64_t rows)
{
    uint64_t waiting = 0;
    struct stmt *s = stmt_use(txn, outbox->statements + OUTBOX_RELEASE);
    stmt_bind_u64(s, 1, rows);
    stmt_bind_u64(s, 2, payload);
    struct err err = stmt_first(s, map_waiting, &waiting);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* of a damaged file: nothing to release */
    TRY(err);
    if (waiting > 0)
        return ERR_OK;
    TRY(run_u64(txn, outbox->statements + OUTBOX_DROP_PAYLOAD, payload));
    return run_u64(txn, outbox->statements + OUTBOX_DROP_BODY, payload);
}

/* Rows first to last of the batch, which lie beside each other in the table. */
static struct err drop_run(struct store_txn *txn, const struct outbox *outbox,
                           const struct batch *b, size_t first, size_t last)
{
    uint64_t dropped = 0;
    struct stmt *s = stmt_use(txn, outbox->statements + OUTBOX_DROP);
    stmt_bind_u64(s, 1, outbox_row_id(b->domain, b->rows[first].number));
    stmt_bind_u64(s, 2, outbox_row_id(b->domain, b->rows[last].number));
    TRY(stmt_run(s, &dropped));
    if (dropped != last - first + 1)
        return ERR(INTERNAL); /* rows come and go by our hands alone */
    for (size_t i = first; i <= last;) {
        size_t j = i;
        while (j <= last && b->rows[j].payload == b->rows[i].payload)
            j++;
        TRY(release(txn, outbox, b->rows[i].payload, j - i));
        i = j;
    }
    return ERR_OK;
}

static struct err report_row(struct store_txn *txn, const struct batch_row *row, bool lost,
                             const struct batch_report *report)
{
    static const uint8_t none[16] = {0};
    enum queue_outcome why = lost ? QUEUE_LATER : row->outcome;
    if (why == QUEUE_OK || report->refused == NULL || memcmp(row->notice, none, sizeof none) == 0)
        return ERR_OK;
    return report->refused(txn, report->self, row->notice, why);
}

struct err batch_drop(struct store_txn *txn, const struct outbox *outbox, const struct batch *b,
                      bool lost, const struct batch_report *report)
{
    for (size_t i = 0; i < b->count;) {
        size_t j = i;
        while (j < b->count && (lost || b->rows[j].outcome != QUEUE_LATER) &&
               (j == i || !b->rows[j].gap)) {
            TRY(report_row(txn, &b->rows[j], lost, report));
            j++;
        }
        if (j > i)
            TRY(drop_run(txn, outbox, b, i, j - 1));
        i = j > i ? j : i + 1;
    }
    return ERR_OK;
}
