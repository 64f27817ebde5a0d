/* The witness's part (transparency.md 7): a peer's newest checkpoint, once a look at its log went
 * well (logs.c), is cosigned and brought to it. Any size will do: that it is a growth of what was
 * cosigned before is all that a cosignature says.
 *
 *     PROOF     from what was cosigned last, which may be another size than the look began with:
 *               what an operator lets a look forget is never forgotten here
 *     STORE     in one transaction: is that still what was cosigned last? then this is
 * (witnessed.c) SIGN      only once that is durable BRING     AddCosignature; who has not named us
 * is asked again after a window
 *
 * What fails is quiet and tried with the next look: a peer does without. At the end of the process
 * what was stored and not signed is signed by a later life, if it is still the newest.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hearth/v1/transparency_rpc.h"
#include "server/federation/inside.h"
#include "tlog/checkpoint.h"
#include "tlog/log_verify.h"

enum { BRING_MS = 10000 };

struct cosigning {
    struct witnessing job;  /* first */
    struct cosigning *next; /* of those that are stored */
    struct peer *peer;      /* held */
    struct kt_view view;
    struct err result; /* of the job */
};

static struct hearth_call_options options_of(void)
{
    return (struct hearth_call_options){.deadline_ms = BRING_MS, .no_retry = true};
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
        log->cosigned = c->view.size;
    else if (status->code == HEARTH_PERMISSION_DENIED)
        log->cosign_again_us = federation_now_us(f) + 1000 * c->view.config.window_ms;
    drop(c);
    federation_unlock(f);
}

static struct err witness_key(const struct front_env *env, char name[NOTE_NAME_MAX_BYTES + 1],
                              struct note_key *ret_key)
{
    struct public_key key;
    int len = snprintf(name, NOTE_NAME_MAX_BYTES + 1, "%s/witness", env->domain);
    if (len < 0 || len > NOTE_NAME_MAX_BYTES)
        return ERR(DOMAIN);
    TRY(keeper_public(env->keeper, KEEPER_WITNESS, &key));
    return note_key_make(bytes_of(name, (size_t)len), NOTE_COSIGNATURE, public_key_view(&key),
                         ret_key);
}

struct err federation_witness_key(const struct front_env *env, struct buf *b)
{
    char name[NOTE_NAME_MAX_BYTES + 1];
    struct note_key key;
    TRY(witness_key(env, name, &key));
    note_key_write(b, &key);
    return buf_check(b);
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
    const struct front_env *env = c->peer->federation->env;
    const uint64_t time_s = clock_unix_ms(env->clock) / 1000;
    char name[NOTE_NAME_MAX_BYTES + 1];
    struct note_key key;
    struct note note;
    struct signature signature;
    struct buf message = BUF_INIT;
    TRY(note_parse(bytes_of(c->view.note, c->view.note_len), &note));
    TRY(check_text(c, note.text));
    TRY(witness_key(env, name, &key));
    note_cosigned_text(&message, note.text, time_s);
    struct err err = buf_check(&message);
    if (err_is_ok(err))
        err = keeper_sign(env->keeper, KEEPER_WITNESS, false, bytes_of(NULL, 0), buf_view(&message),
                          &signature);
    buf_clear(&message);
    return err_is_ok(err) ? note_cosign_write(line, &key, time_s, signature_view(&signature)) : err;
}

static void bring(struct cosigning *c)
{
    Hearth__V1__AddCosignatureRequest in = HEARTH__V1__ADD_COSIGNATURE_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    struct buf line = BUF_INIT;
    bool under_way = false;
    if (c->peer->channel != NULL && err_is_ok(sign(c, &line))) {
        in.size = c->view.size;
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
            continue;
        }
        /* it was cosigned in an earlier life, up to a size that is known now */
        struct peer *peer = c->peer;
        const struct kt_view view = c->view;
        const bool again = c->result.code == ERR_TLOG_CONSISTENCY && c->job.found.size > 0;
        federation_lock(f);
        peer->refs++;
        drop(c);
        federation_unlock(f);
        if (again)
            witness_begin(peer, &view);
        federation_lock(f);
        peer_put(peer);
        federation_unlock(f);
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

/* Under the lock. */
static bool is_wanted(const struct peer *peer, const struct kt_view *view)
{
    const struct federation *f = peer->federation;
    const struct peer_log *log = peer->log;
    return !f->stopped && log->evidence.len == 0 && !log->cosigning && view->note_len > 0 &&
           view->size != log->cosigned && log->cosign_again_us <= federation_now_us(f);
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
        c->job.next = (struct witness_state){view->size, view->root};
        peer->refs++;
        peer->log->cosigning = true;
    }
    federation_unlock(f);
    if (!wanted)
        free(c);
    else if (c->job.old.size == 0 || c->job.old.size == c->job.next.size)
        store(c); /* of the same size: only with the same root, which it looks at */
    else if (c->job.old.size < c->job.next.size)
        ask_growth(c);
    else
        end(c);
}
