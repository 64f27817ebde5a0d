/* The witness's part (transparency.md 7): after a look at a peer's log that went well (logs.c) the
 * checkpoint of its newest window's first epoch, D, is cosigned and brought to it: the size D+1 is
 * what clients and other witnesses ask for.
 *
 *     WINDOW    which entry D is: a search of one of the log's own labels proves it, and the root
 *               of size D+1 with it
 *     NOTE      the checkpoint that the log signed of that size
 *     PROOF     from what was cosigned last, which may be another size than the look began with:
 *               what an operator lets a look forget is never forgotten here
 *     STORE     in one transaction: is that still what was cosigned last? then this is
 *               (witnessed.c)
 *     SIGN      only once that is durable
 *     BRING     AddCosignature; who has not named us is asked again after a window
 *
 * What fails is quiet and tried with the next look: a peer does without. At the end of the process
 * what was stored and not signed is signed by a later life, if it is still the newest.
 */
#include <stdlib.h>

#include "hearth/v1/transparency_rpc.h"
#include "seal/system_keys.h"
#include "server/federation/inside.h"
#include "tlog/checkpoint.h"
#include "tlog/log_verify.h"

enum { CALL_WITNESS_MS = 10000 };

struct cosigning {
    struct witnessing job;           /* first */
    struct cosigning *next;          /* of those that are stored */
    struct peer *peer;               /* held */
    struct kt_view view;             /* as the look left it, and then with the newest window */
    uint8_t note[KT_NOTE_MAX_BYTES]; /* of D+1, with the log's own signature alone */
    size_t note_len;
    bool again;        /* what was cosigned last was read from the store once */
    struct err result; /* of the job */
};

static struct hearth_call_options options_of(void)
{
    return (struct hearth_call_options){.deadline_ms = CALL_WITNESS_MS, .no_retry = true};
}

/* Under the lock. */
static void drop(struct cosigning *c)
{
    c->peer->log->cosigning = false;
    peer_put(c->peer);
    free(c);
}

static void end(struct cosigning *c)
{
    struct federation *f = c->peer->federation;
    federation_lock(f);
    drop(c);
    federation_unlock(f);
}

/* ---- sign and bring */

static void on_brought(const struct hearth_status *status,
                       const Hearth__V1__AddCosignatureResponse *out, void *arg)
{
    struct cosigning *c = arg;
    struct federation *f = c->peer->federation;
    struct peer_log *log = c->peer->log;
    federation_lock(f);
    if (out != NULL)
        log->cosigned = c->job.next.size;
    else if (status->code == HEARTH_PERMISSION_DENIED)
        log->cosign_again_us = federation_now_us(f) + 1000 * c->view.config.window_ms;
    drop(c);
    federation_unlock(f);
}

/* What was stored, and nothing else, is what the text says. */
static struct err check_text(const struct cosigning *c, struct bytes text)
{
    struct checkpoint checkpoint;
    TRY(checkpoint_parse(text, &checkpoint));
    return checkpoint.size == c->job.next.size &&
                   hash_value_equal(&checkpoint.root, &c->job.next.root) &&
                   bytes_equal(checkpoint.origin, kt_config_origin(&c->view.config))
               ? ERR_OK
               : ERR(TLOG_CHECKPOINT);
}

static struct err sign(const struct cosigning *c, struct buf *line)
{
    struct note note;
    TRY(note_parse(bytes_of(c->note, c->note_len), &note));
    TRY(check_text(c, note.text));
    TRY(witness_line(c->peer->federation->env, note.text, line));
    federation_lock(c->peer->federation);
    witness_publish(c->peer->log, bytes_of(c->note, c->note_len), buf_view(line));
    federation_unlock(c->peer->federation);
    return ERR_OK;
}

static void bring(struct cosigning *c)
{
    Hearth__V1__AddCosignatureRequest in = HEARTH__V1__ADD_COSIGNATURE_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    struct buf line = BUF_INIT;
    bool under_way = false;
    if (c->peer->channel != NULL && err_is_ok(sign(c, &line))) {
        in.size = c->job.next.size;
        in.cosignature = (ProtobufCBinaryData){line.len, line.data};
        under_way = hearth_transparency_add_cosignature_start(c->peer->channel, &options, &in,
                                                              on_brought, c) != NULL;
    }
    buf_clear(&line);
    if (!under_way)
        end(c);
}

/* ---- store */

/* On a thread of the store, which may outlive the loop: the loop takes it from the list. */
static void on_stored(void *arg, struct err result)
{
    struct cosigning *c = arg;
    struct federation *f = c->peer->federation;
    federation_lock(f);
    c->result = result;
    c->peer->log->witnessed = err_is_ok(result) ? c->job.next : c->job.found;
    c->next = f->stored;
    f->stored = c;
    federation_unlock(f);
}

static void store(struct cosigning *c)
{
    struct err err = witnessed_submit(c->peer->federation, kt_config_origin(&c->view.config),
                                      on_stored, &c->job);
    if (!err_is_ok(err))
        end(c);
}

/* ---- proof */

static struct err growth(const struct cosigning *c, const Hearth__V1__GetConsistencyResponse *in)
{
    uint8_t room[LOG_PATH_MAX * HASH_VALUE_BYTES];
    struct hash_run run;
    TRY(peer_log_proof(in, room, &run));
    return log_verify_consistency(c->job.old.size, c->job.next.size, &c->job.old.root,
                                  &c->job.next.root, &run);
}

static void on_growth(const struct hearth_status *status,
                      const Hearth__V1__GetConsistencyResponse *out, void *arg)
{
    struct cosigning *c = arg;
    (void)status;
    if (out != NULL && err_is_ok(growth(c, out)))
        store(c);
    else
        end(c);
}

static void ask_growth(struct cosigning *c)
{
    Hearth__V1__GetConsistencyRequest in = HEARTH__V1__GET_CONSISTENCY_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    in.old_size = c->job.old.size;
    in.new_size = c->job.next.size;
    if (c->peer->channel == NULL || hearth_transparency_get_consistency_start(
                                        c->peer->channel, &options, &in, on_growth, c) == NULL)
        end(c);
}

/* From what was cosigned last, as far as we know. */
static void prove(struct cosigning *c)
{
    if (c->job.old.size == 0 || c->job.old.size == c->job.next.size)
        store(c); /* of the same size: only with the same root, which it looks at */
    else if (c->job.old.size < c->job.next.size)
        ask_growth(c);
    else
        end(c);
}

/* ---- what was stored, on the loop again */

static struct cosigning *take_stored(struct federation *f)
{
    federation_lock(f);
    struct cosigning *c = f->stored;
    if (c != NULL)
        f->stored = c->next;
    federation_unlock(f);
    return c;
}

void witness_turn(struct federation *f)
{
    struct cosigning *c;
    while (!f->stopped && (c = take_stored(f)) != NULL) {
        if (err_is_ok(c->result)) {
            bring(c);
        } else if (c->result.code == ERR_TLOG_CONSISTENCY && c->job.found.size > 0 && !c->again) {
            /* it was cosigned in an earlier life, up to a size that is known now */
            c->again = true;
            c->job.old = c->job.found;
            prove(c);
        } else {
            end(c);
        }
    }
}

void witness_clear(struct federation *f)
{
    federation_lock(f);
    while (f->stored != NULL) {
        struct cosigning *c = f->stored;
        f->stored = c->next;
        drop(c);
    }
    federation_unlock(f);
}

/* ---- the note of the newest window */

static struct err take_note(struct cosigning *c, struct bytes note)
{
    struct note_key key;
    struct checkpoint checkpoint;
    struct buf kept = {.limit = sizeof c->note};
    TRY(kt_config_log_key(&c->view.config, &key));
    TRY(checkpoint_open(note, &key, &checkpoint));
    if (checkpoint.size != c->job.next.size)
        return ERR(TLOG_CHECKPOINT);
    if (!hash_value_equal(&checkpoint.root, &c->job.next.root))
        return ERR(TLOG_FORK);
    struct err err = checkpoint_keep(&kept, note, &key);
    if (err_is_ok(err)) {
        memcpy(c->note, kept.data, kept.len);
        c->note_len = kept.len;
    }
    buf_clear(&kept);
    return err;
}

/* It signed another root for this size than the one below what it shows now. */
static void say_other_root(struct cosigning *c)
{
    federation_lock(c->peer->federation);
    peer_say(c->peer->log->why, err_text(ERR(TLOG_FORK)), "its window's first checkpoint");
    federation_unlock(c->peer->federation);
}

static void on_note(const struct hearth_status *status,
                    const Hearth__V1__GetCheckpointResponse *out, void *arg)
{
    struct cosigning *c = arg;
    (void)status;
    struct err err = out == NULL
                         ? ERR(FEDERATION_PEER)
                         : take_note(c, bytes_of(out->checkpoint.data, out->checkpoint.len));
    if (err.code == ERR_TLOG_FORK)
        say_other_root(c);
    if (err_is_ok(err))
        prove(c);
    else
        end(c);
}

static void ask_note(struct cosigning *c)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    in.size = c->job.next.size;
    if (c->peer->channel == NULL || hearth_transparency_get_checkpoint_start(
                                        c->peer->channel, &options, &in, on_note, c) == NULL)
        end(c);
}

/* ---- which entry the window begins with */

static struct kt_query query_of(const struct cosigning *c, const struct buf *label)
{
    return (struct kt_query){.label = buf_view(label),
                             .now_ms = clock_unix_ms(c->peer->federation->env->clock),
                             .opaque_value = true};
}

/* Under the lock. */
static bool is_new(const struct cosigning *c)
{
    const struct peer_log *log = c->peer->log;
    return !c->peer->federation->stopped && log->evidence.len == 0 &&
           log->cosigned != c->job.next.size;
}

static struct err take_window(struct cosigning *c, struct bytes response)
{
    struct buf label = BUF_INIT;
    struct kt_result *result = calloc(1, sizeof *result);
    system_label_write(&label, system_label_of(HEARTH__V1__KEY_USE__KEY_USE_FEDERATION));
    const struct kt_query query = query_of(c, &label);
    struct err err = result != NULL ? buf_check(&label) : ERR(NO_MEMORY);
    if (err_is_ok(err))
        err = kt_verify_search(&c->view, &query, response, result);
    const struct kt_dist *dist = err_is_ok(err) ? kt_view_newest_dist(&c->view) : NULL;
    if (err_is_ok(err) && (dist == NULL || !dist->has_log_root))
        err = ERR(TLOG_DISTINGUISHED);
    if (err_is_ok(err))
        c->job.next = (struct witness_state){dist->index + 1, dist->log_root};
    buf_clear(&label);
    free(result);
    return err;
}

static void on_window(const struct hearth_status *status, const Hearth__V1__LookupResponse *out,
                      void *arg)
{
    struct cosigning *c = arg;
    (void)status;
    bool wanted =
        out != NULL && err_is_ok(take_window(c, bytes_of(out->search.data, out->search.len)));
    federation_lock(c->peer->federation);
    wanted = wanted && is_new(c);
    federation_unlock(c->peer->federation);
    if (wanted)
        ask_note(c);
    else
        end(c);
}

static void ask_window(struct cosigning *c)
{
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    struct buf label = BUF_INIT, request = BUF_INIT;
    system_label_write(&label, system_label_of(HEARTH__V1__KEY_USE__KEY_USE_FEDERATION));
    const struct kt_query query = query_of(c, &label);
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = kt_search_request(&request, &c->view, &query);
    in.search = (ProtobufCBinaryData){request.len, request.data};
    const bool asked =
        err_is_ok(err) && c->peer->channel != NULL &&
        hearth_transparency_lookup_start(c->peer->channel, &options, &in, on_window, c) != NULL;
    buf_clear(&label);
    buf_clear(&request);
    if (!asked)
        end(c);
}

/* Under the lock. */
static bool is_wanted(const struct peer *peer, const struct kt_view *view)
{
    const struct federation *f = peer->federation;
    const struct peer_log *log = peer->log;
    return !f->stopped && log->evidence.len == 0 && !log->cosigning && view->note_len > 0 &&
           log->cosign_again_us <= federation_now_us(f);
}

void witness_begin(struct peer *peer, const struct kt_view *view)
{
    struct federation *f = peer->federation;
    struct cosigning *c = calloc(1, sizeof *c);
    if (c == NULL)
        return;
    federation_lock(f);
    const bool wanted = is_wanted(peer, view);
    if (wanted) {
        c->peer = peer;
        c->view = *view;
        c->job.old = peer->log->witnessed;
        peer->refs++;
        peer->log->cosigning = true;
    }
    federation_unlock(f);
    if (wanted)
        ask_window(c);
    else
        free(c);
}
