/* Rows of log.h.
 *
 *     struct { uint8 version = 1; uint8 state; uint64 asked_ms; uint8 distrusted; uint8 overdue;
 *              uint64 doubted_ms, watched_ms; opaque view<V>; Seen seen<V>; } Log
 *         Seen: struct { opaque note<V>; opaque dist<V>; }
 *         view: as lib/tlog/view_row.c has it, and so Dist; empty unless HELD
 *     struct { uint8 version = 1; opaque domain<V>; opaque label<V>; uint8 roles; uint64 task;
 *              uint64 checked_ms; uint8 bad; Known known; uint8 continuity; opaque opening[16];
 *              opaque commitment[32]; opaque value<V>; opaque response<V>; uint64 behind_ms;
 *              Dist watched; Lookup own<V>;
 *              optional from here on, since older rows end here: uint32 receipt_version;
 *              uint8 receipt_shown; uint64 skip_looked; opaque receipt<V>; opaque receipt_value<V>;
 *              optional: uint64 awaited_ms; opaque proof<V>;
 * } Label Known: struct { uint8 exists; uint32 version; uint64 epoch; uint64 dist_index; uint8
 * pending; Lookup lookups<V>; } Lookup: struct { uint32 version; uint8 present; opaque index[32];
 * opaque commitment[32]; uint64 epoch; }
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/log.h"

enum { ROW_VERSION = 1 };

/* ---- pieces */

static void write_lookups(struct buf *b, const struct kt_lookup *lookups, size_t count)
{
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < count; i++) {
        wire_write_u32(b, lookups[i].version);
        wire_write_present(b, lookups[i].present);
        wire_write_fixed(b, bytes_of(lookups[i].index, INDEX_BYTES));
        wire_write_fixed(b, hash_value_view(&lookups[i].commitment));
        wire_write_u64(b, lookups[i].epoch);
    }
    wire_vector_end(b, mark);
}

static void read_lookups(struct wire_reader *r, struct kt_lookup *lookups, size_t most,
                         size_t *ret_count)
{
    struct wire_reader list = wire_reader_of(wire_read_vector(r));
    size_t count = 0;
    for (; wire_reader_more(&list) && count < most; count++) {
        lookups[count].version = wire_read_u32(&list);
        lookups[count].present = wire_read_present(&list);
        tlog_read_into(&list, lookups[count].index, INDEX_BYTES);
        hash_value_read(&list, &lookups[count].commitment);
        lookups[count].epoch = wire_read_u64(&list);
    }
    if (!err_is_ok(wire_reader_end(&list)))
        wire_reader_fail(r, ERR_WIRE_VALUE);
    *ret_count = count;
}

static void write_known(struct buf *b, const struct kt_known *known)
{
    wire_write_present(b, known->exists);
    wire_write_u32(b, known->version);
    wire_write_u64(b, known->epoch);
    wire_write_u64(b, known->dist_index);
    wire_write_present(b, known->pending);
    write_lookups(b, known->lookups, known->count);
}

static void read_known(struct wire_reader *r, struct kt_known *known)
{
    known->exists = wire_read_present(r);
    known->version = wire_read_u32(r);
    known->epoch = wire_read_u64(r);
    known->dist_index = wire_read_u64(r);
    known->pending = wire_read_present(r);
    read_lookups(r, known->lookups, LADDER_MAX, &known->count);
}

static struct err put(struct db_txn *t, enum db_kind kind, struct bytes id, struct buf *b)
{
    struct err err = buf_check(b);
    if (err_is_ok(err))
        err = db_put(t, kind, id, buf_view(b));
    buf_clear(b);
    return err;
}

/* ---- logs */

void log_clear(struct log *log)
{
    for (size_t i = 0; i < LOG_SEEN_MAX; i++) {
        buf_clear(&log->seen[i].note);
        buf_clear(&log->seen[i].dist);
    }
    *log = (struct log){0};
}

void log_write(struct buf *b, const struct log *log)
{
    wire_write_u8(b, ROW_VERSION);
    wire_write_vector(b, bytes_str(log->domain));
    wire_write_u8(b, (uint8_t)log->state);
    wire_write_u64(b, log->asked_ms);
    wire_write_present(b, log->distrusted);
    wire_write_present(b, log->overdue);
    wire_write_u64(b, log->doubted_ms);
    wire_write_u64(b, log->watched_ms);
    size_t mark = wire_vector_begin(b);
    if (log->state == LOG_HELD)
        kt_view_write(b, &log->view);
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    for (size_t i = 0; i < log->seen_count; i++) {
        wire_write_vector(b, buf_view(&log->seen[i].note));
        wire_write_vector(b, buf_view(&log->seen[i].dist));
    }
    wire_vector_end(b, mark);
}

struct err log_put(struct db_txn *t, const struct log *log)
{
    struct buf b = BUF_INIT;
    log_write(&b, log);
    return put(t, DB_LOG, bytes_str(log->domain), &b);
}

static struct err read_seen(struct bytes in, struct log *log)
{
    struct wire_reader r = wire_reader_of(in);
    for (; wire_reader_more(&r) && log->seen_count < LOG_SEEN_MAX; log->seen_count++) {
        struct log_seen *seen = &log->seen[log->seen_count];
        buf_append_bytes(&seen->note, wire_read_vector(&r));
        buf_append_bytes(&seen->dist, wire_read_vector(&r));
        TRY(buf_check(&seen->note));
        TRY(buf_check(&seen->dist));
    }
    return wire_reader_end(&r);
}

static struct err read_row(struct bytes in, struct log *log)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes domain = wire_read_vector(&r);
    uint8_t state = wire_read_u8(&r);
    log->asked_ms = wire_read_u64(&r);
    log->distrusted = wire_read_present(&r);
    log->overdue = wire_read_present(&r);
    log->doubted_ms = wire_read_u64(&r);
    log->watched_ms = wire_read_u64(&r);
    struct bytes view = wire_read_vector(&r), seen = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (state > LOG_HELD || domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(log->domain, sizeof log->domain, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    log->state = (enum log_state)state;
    if (log->state == LOG_HELD)
        TRY(kt_view_read(view, &log->view));
    return read_seen(seen, log);
}

static struct err stored(struct err err)
{
    return err_class_of(err) == ERR_CLASS_PEER || err_class_of(err) == ERR_CLASS_CALLER
               ? ERR(STORE_CORRUPT)
               : err;
}

struct err log_read(struct bytes in, struct log *ret_log)
{
    *ret_log = (struct log){0};
    struct err err = stored(read_row(in, ret_log));
    if (!err_is_ok(err))
        log_clear(ret_log);
    return err;
}

struct err log_get(struct db_txn *t, const char *domain, struct log *ret_log)
{
    struct buf value = BUF_INIT;
    *ret_log = (struct log){0};
    struct err err = db_get(t, DB_LOG, bytes_str(domain), &value);
    if (err_is_ok(err))
        err = log_read(buf_view(&value), ret_log);
    else if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    buf_clear(&value);
    if (!err_is_ok(err))
        log_clear(ret_log);
    else
        (void)snprintf(ret_log->domain, sizeof ret_log->domain, "%s", domain);
    return err;
}

struct each {
    const char *domain;
    struct err (*log)(void *arg, const struct log *log);
    struct err (*label)(void *arg, struct log_label *label);
    void *arg;
};

static struct err each_log(void *arg, struct bytes id, struct bytes value)
{
    const struct each *e = arg;
    struct log log = {0};
    (void)id;
    struct err err = log_read(value, &log);
    if (err_is_ok(err))
        err = e->log(e->arg, &log);
    log_clear(&log);
    return err;
}

struct err log_each(struct core *c, struct db_txn *t,
                    struct err (*fn)(void *arg, const struct log *log), void *arg)
{
    struct each e = {.log = fn, .arg = arg};
    (void)c;
    return db_each(t, DB_LOG, each_log, &e);
}

/* ---- labels */

struct err log_label_new(const char *domain, struct bytes label, struct log_label **ret_label)
{
    struct log_label *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR(NO_MEMORY);
    (void)snprintf(l->domain, sizeof l->domain, "%s", domain);
    buf_append_bytes(&l->label, label);
    if (!err_is_ok(buf_check(&l->label))) {
        log_label_free(l);
        return ERR(NO_MEMORY);
    }
    *ret_label = l;
    return ERR_OK;
}

void log_label_free(struct log_label *label)
{
    if (label == NULL)
        return;
    buf_clear(&label->label);
    buf_clear(&label->value);
    buf_clear(&label->response);
    buf_clear(&label->receipt);
    buf_clear(&label->receipt_value);
    buf_clear(&label->proof);
    free(label);
}

static void write_id(struct buf *b, const char *domain, struct bytes label)
{
    wire_write_vector(b, bytes_str(domain));
    buf_append_bytes(b, label);
}

void log_label_write(struct buf *b, const struct log_label *l)
{
    wire_write_u8(b, ROW_VERSION);
    wire_write_vector(b, bytes_str(l->domain));
    wire_write_vector(b, buf_view(&l->label));
    wire_write_u8(b, l->roles);
    wire_write_u64(b, l->task);
    wire_write_u64(b, l->checked_ms);
    wire_write_present(b, l->bad);
    write_known(b, &l->known);
    wire_write_u8(b, (uint8_t)l->continuity);
    wire_write_fixed(b, bytes_of(l->opening, OPENING_BYTES));
    wire_write_fixed(b, hash_value_view(&l->commitment));
    wire_write_vector(b, buf_view(&l->value));
    wire_write_vector(b, buf_view(&l->response));
    wire_write_u64(b, l->behind_ms);
    kt_dist_write(b, &l->watched);
    write_lookups(b, l->own, l->own_count);
    wire_write_u32(b, l->receipt_version);
    wire_write_present(b, l->receipt_shown);
    wire_write_u64(b, l->skip_looked);
    wire_write_vector(b, buf_view(&l->receipt));
    wire_write_vector(b, buf_view(&l->receipt_value));
    wire_write_u64(b, l->awaited_ms);
    wire_write_vector(b, buf_view(&l->proof));
}

struct err log_label_put(struct db_txn *t, const struct log_label *l)
{
    struct buf b = BUF_INIT, id = BUF_INIT;
    log_label_write(&b, l);
    write_id(&id, l->domain, buf_view(&l->label));
    struct err err = buf_check(&id);
    if (err_is_ok(err))
        err = put(t, DB_LOG_LABEL, buf_view(&id), &b);
    buf_clear(&b);
    buf_clear(&id);
    return err;
}

static struct err read_label(struct bytes in, struct log_label *l)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes domain = wire_read_vector(&r);
    buf_append_bytes(&l->label, wire_read_vector(&r));
    l->roles = wire_read_u8(&r);
    l->task = wire_read_u64(&r);
    l->checked_ms = wire_read_u64(&r);
    l->bad = wire_read_present(&r);
    read_known(&r, &l->known);
    l->continuity = (enum kt_continuity)wire_read_u8(&r);
    tlog_read_into(&r, l->opening, OPENING_BYTES);
    hash_value_read(&r, &l->commitment);
    buf_append_bytes(&l->value, wire_read_vector(&r));
    buf_append_bytes(&l->response, wire_read_vector(&r));
    l->behind_ms = wire_read_u64(&r);
    kt_dist_read(&r, &l->watched);
    read_lookups(&r, l->own, LOG_OWN_MAX, &l->own_count);
    if (wire_reader_more(&r)) {
        l->receipt_version = wire_read_u32(&r);
        l->receipt_shown = wire_read_present(&r);
        l->skip_looked = wire_read_u64(&r);
        buf_append_bytes(&l->receipt, wire_read_vector(&r));
        buf_append_bytes(&l->receipt_value, wire_read_vector(&r));
    }
    if (wire_reader_more(&r)) {
        l->awaited_ms = wire_read_u64(&r);
        buf_append_bytes(&l->proof, wire_read_vector(&r));
    }
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(l->domain, sizeof l->domain, "%.*s", (int)domain.len, (const char *)domain.data);
    TRY(buf_check(&l->label));
    TRY(buf_check(&l->value));
    TRY(buf_check(&l->receipt));
    TRY(buf_check(&l->receipt_value));
    TRY(buf_check(&l->proof));
    return buf_check(&l->response);
}

struct err log_label_read(struct bytes value, struct log_label **ret_label)
{
    struct log_label *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR(NO_MEMORY);
    struct err err = stored(read_label(value, l));
    if (!err_is_ok(err)) {
        log_label_free(l);
        return err;
    }
    *ret_label = l;
    return ERR_OK;
}

struct err log_label_get(struct db_txn *t, const char *domain, struct bytes label,
                         struct log_label **ret_label)
{
    struct buf id = BUF_INIT, value = BUF_INIT;
    write_id(&id, domain, label);
    struct err err = buf_check(&id);
    if (err_is_ok(err))
        err = db_get(t, DB_LOG_LABEL, buf_view(&id), &value);
    if (err_is_ok(err))
        err = log_label_read(buf_view(&value), ret_label);
    buf_clear(&id);
    buf_clear(&value);
    return err;
}

static struct err each_label(void *arg, struct bytes id, struct bytes value)
{
    const struct each *e = arg;
    struct log_label *l;
    (void)id;
    TRY(log_label_read(value, &l));
    struct err err =
        e->domain == NULL || strcmp(e->domain, l->domain) == 0 ? e->label(e->arg, l) : ERR_OK;
    log_label_free(l);
    return err;
}

struct err log_label_each(struct db_txn *t, const char *domain,
                          struct err (*fn)(void *arg, struct log_label *label), void *arg)
{
    struct each e = {.domain = domain, .label = fn, .arg = arg};
    return db_each(t, DB_LOG_LABEL, each_label, &e);
}

/* ---- evidence */

struct err log_evidence_put(struct db_txn *t, struct bytes file, uint64_t *ret_number)
{
    return db_append(t, DB_LOG_EVIDENCE, bytes_of(NULL, 0), file, ret_number);
}

struct err log_evidence_get(struct db_txn *t, uint64_t number, struct buf *file)
{
    return db_list_get(t, DB_LOG_EVIDENCE, bytes_of(NULL, 0), number, file);
}
