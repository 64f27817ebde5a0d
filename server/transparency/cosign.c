/* Cosignatures (C2SP tlog-cosignature): lines of witnesses that the operator named, over notes of
 * ours, kept beside them and handed out with them. A line is its own proof, so who brings it does
 * not matter. */
#include <stdlib.h>

#include "server/transparency/service.h"

static struct err map_note(struct stmt *row, void *arg)
{
    struct bytes note = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    buf_append_bytes(arg, note);
    return buf_check(arg);
}

static struct err map_line(struct stmt *row, void *arg)
{
    return map_note(row, arg);
}

struct err kt_note(struct store_txn *txn, uint64_t size, struct buf *note)
{
    struct stmt *s = stmt_use(txn, CHECKPOINT_NOTE);
    stmt_bind_u64(s, 1, size);
    TRY(stmt_first(s, map_note, note));
    s = stmt_use(txn, COSIGNATURE_LIST);
    stmt_bind_u64(s, 1, size);
    return stmt_each(s, map_line, note);
}

static struct err map_size(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err run_cosigned(struct store_txn *txn, void *note)
{
    uint64_t size = 0;
    TRY(stmt_first(stmt_use(txn, COSIGNATURE_NEWEST), map_size, &size));
    return kt_note(txn, size, note);
}

struct err transparency_cosigned(struct transparency *t, struct buf *note)
{
    return store_call_read(t->store, run_cosigned, note);
}

struct cosign {
    struct transparency *t;
    struct hearth_call *call; /* NULL: cancelled */
    struct buf line;          /* of the request, which goes with the call */
    uint64_t size;
};

static void cosign_free(struct cosign *c)
{
    buf_clear(&c->line);
    free(c);
}

/* The line's witness, or NULL: none of ours. A note has the log's line first. */
static const struct note_key *witness_of(const struct transparency *t, const struct note *note)
{
    const struct note_line *line = &note->lines[note->line_count - 1];
    for (size_t i = 0; i < t->options.witness_count; i++) {
        const struct note_key *key = &t->options.witnesses[i];
        if (bytes_equal(key->name, line->name) && memcmp(key->id, line->id, NOTE_KEY_ID_BYTES) == 0)
            return key;
    }
    return NULL;
}

static struct err check(const struct cosign *c, struct bytes whole, struct note *note,
                        struct bytes *ret_name)
{
    uint64_t time_s;
    TRY(note_parse(whole, note));
    if (note->line_count != 2)
        return ERR(TLOG_NOTE);
    const struct note_key *key = witness_of(c->t, note);
    if (key == NULL)
        return ERR(FRONT_FORBIDDEN);
    TRY(note_verify_cosignature(note, key, &time_s));
    uint64_t now_s = clock_unix_ms(c->t->env->clock) / 1000;
    if (time_s > now_s + c->t->options.log->config.max_ahead_ms / 1000)
        return ERR(TLOG_FUTURE);
    *ret_name = key->name;
    return ERR_OK;
}

static struct err run_cosign(struct store_txn *txn, void *arg)
{
    const struct cosign *c = arg;
    struct buf whole = BUF_INIT;
    struct note note;
    struct bytes name = {NULL, 0};
    struct stmt *s = stmt_use(txn, CHECKPOINT_NOTE);
    stmt_bind_u64(s, 1, c->size);
    struct err err = stmt_first(s, map_note, &whole);
    buf_append_bytes(&whole, buf_view(&c->line));
    if (err_is_ok(err))
        err = buf_check(&whole);
    if (err_is_ok(err))
        err = check(c, buf_view(&whole), &note, &name);
    if (err_class_of(err) == ERR_CLASS_PEER) /* a line that is none: the caller's doing */
        err = ERR(TLOG_COSIGNATURE);
    if (err_is_ok(err)) {
        s = stmt_use(txn, COSIGNATURE_PUT);
        stmt_bind_u64(s, 1, c->size);
        stmt_bind_blob(s, 2, name);
        stmt_bind_blob(s, 3, buf_view(&c->line));
        err = stmt_run(s, NULL);
    }
    buf_clear(&whole);
    return err;
}

static void done(void *arg, struct err result)
{
    struct cosign *c = arg;
    static const Hearth__V1__AddCosignatureResponse out =
        HEARTH__V1__ADD_COSIGNATURE_RESPONSE__INIT;
    if (c->call != NULL && err_is_ok(result))
        hearth_transparency_add_cosignature_reply(c->call, &out);
    else if (c->call != NULL)
        (void)front_fail(c->call, result);
    cosign_free(c);
}

/* Also at the server's end, which waits for no job. */
static void on_cancel(struct hearth_call *call, void *arg)
{
    struct cosign *c = arg;
    c->call = NULL;
    (void)hearth_call_fail(call, HEARTH_CANCELLED, "cancelled");
}

enum hearth_code transparency_add_cosignature(struct hearth_call *call,
                                              const Hearth__V1__AddCosignatureRequest *in,
                                              Hearth__V1__AddCosignatureResponse *out, void *self)
{
    struct transparency *t = self;
    struct inbox *inbox = NULL;
    (void)out;
    if (t->options.witness_count == 0)
        return front_fail(call, ERR(FRONT_FORBIDDEN));
    struct cosign *c = calloc(1, sizeof *c);
    if (c == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    *c = (struct cosign){.t = t, .call = call, .size = in->size};
    buf_append(&c->line, in->cosignature.data, in->cosignature.len);
    const struct store_work work = {.principal = front_caller(call)->principal,
                                    .cost = 4,
                                    .run = run_cosign,
                                    .done = done,
                                    .arg = c};
    struct err err = buf_check(&c->line);
    if (err_is_ok(err))
        err = front_inbox(t->env->front, hearth_call_loop(call), &inbox);
    if (err_is_ok(err))
        err = store_submit(t->store, inbox, &work);
    if (err_is_ok(err)) {
        hearth_call_on_cancel(call, on_cancel, c);
        return HEARTH_LATER;
    }
    cosign_free(c);
    return front_fail(call, err);
}
