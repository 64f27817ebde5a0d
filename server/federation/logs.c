/* The logs of peers, as their users are shown them (transparency.md 11): once in half a window each
 * peer's log must be a growth of what we had verified of it, and of what another of our peers has.
 *
 *     CONFIG       entry 0, once: what it says is pinned, and names the peer
 *     NEWEST       its newest checkpoint; it is shown the one that we have
 *     CONSISTENCY  ... extends that
 *     OTHER        what another peer was shown of this log, if it has looked at it
 *     JOINED       ... is part of ours
 *     AGAIN        either of those failed: its checkpoint of the size of what we hold. Another root
 *                  than what it signed before is evidence, for anybody
 *
 * What went well is cosigned (witness.c). A log that forked is told to the operator and looked at
 * no more, until he has named the peer's root once more (federation_accept_root). What fails
 * otherwise is told as long as it does: a peer may have no log, be down, or come back from a
 * backup.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hearth/v1/transparency_rpc.h"
#include "server/federation/inside.h"
#include "tlog/checkpoint.h"
#include "tlog/evidence.h"
#include "tlog/log_verify.h"

enum {
    LOOKS_AT_ONCE = 4,
    LOOK_MS = 10000,
    LOOK_LEAST_S = 2,
    LOOK_MOST_S = 3 * 3600,
    FAILED_S = 10,
    FAILED_DOUBLED = 9
};

struct look {
    struct reach reach; /* first; of whom is asked at the time */
    struct peer *peer;  /* held: whose log */
    struct peer *other; /* held: who is asked what it has seen; or NULL */
    struct kt_view view;
    struct buf note;    /* newest, or what another was shown */
    struct buf held;    /* what `again` must agree with: a note that it signed before */
    uint64_t size;      /* of that */
    struct err why;     /* what led to `again` */
    unsigned forgotten; /* as peer_log_forgotten() when it began */
};

static struct hearth_call_options options_of(void)
{
    return (struct hearth_call_options){.deadline_ms = LOOK_MS, .no_retry = true};
}

static uint64_t pause_s(const struct kt_view *view)
{
    uint64_t s = view->config.window_ms / 2000;
    return s < LOOK_LEAST_S ? LOOK_LEAST_S : s > LOOK_MOST_S ? LOOK_MOST_S : s;
}

static void end(struct look *l, struct err err, const char *text)
{
    struct federation *f = l->peer->federation;
    struct peer_log *log = l->peer->log;
    federation_lock(f);
    log->looking = false;
    log->why[0] = '\0';
    if (!err_is_ok(err))
        peer_say(log->why, err_text(err), text);
    log->failures = err_is_ok(err)                   ? 0
                    : log->failures < FAILED_DOUBLED ? log->failures + 1
                                                     : FAILED_DOUBLED;
    uint64_t wait_s =
        err_is_ok(err) ? pause_s(&log->view) : (uint64_t)FAILED_S << (log->failures - 1);
    log->due_us = federation_now_us(f) + 1000000 * wait_s;
    f->looks--;
    federation_unlock(f);
    if (err_is_ok(err))
        witness_begin(l->peer, &l->view);
    federation_lock(f);
    if (l->other != NULL)
        peer_put(l->other);
    peer_put(l->peer);
    federation_unlock(f);
    buf_clear(&l->note);
    buf_clear(&l->held);
    free(l);
}

/* An answer of none: of a peer that is not there, or that says no. */
static void end_status(struct look *l, const struct hearth_status *status)
{
    end(l, ERR(FEDERATION_PEER), status->message);
}

/* Its channel may have gone while somebody else was asked. */
static void ask_checkpoint(struct look *l, const Hearth__V1__GetCheckpointRequest *in,
                           hearth_transparency_get_checkpoint_done *on_done)
{
    const struct hearth_call_options options = options_of();
    if (l->peer->channel == NULL || hearth_transparency_get_checkpoint_start(
                                        l->peer->channel, &options, in, on_done, l) == NULL)
        end(l, ERR(FEDERATION_PEER), NULL);
}

static void ask_proof(struct look *l, uint64_t old_size, uint64_t new_size,
                      hearth_transparency_get_consistency_done *on_done)
{
    Hearth__V1__GetConsistencyRequest in = HEARTH__V1__GET_CONSISTENCY_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    in.old_size = old_size;
    in.new_size = new_size;
    if (l->peer->channel == NULL || hearth_transparency_get_consistency_start(
                                        l->peer->channel, &options, &in, on_done, l) == NULL)
        end(l, ERR(FEDERATION_PEER), NULL);
}

struct err peer_log_proof(const Hearth__V1__GetConsistencyResponse *in,
                          uint8_t room[LOG_PATH_MAX * HASH_VALUE_BYTES], struct hash_run *ret_run)
{
    if (in->n_hashes > LOG_PATH_MAX)
        return ERR(WIRE_LIMIT);
    for (size_t i = 0; i < in->n_hashes; i++) {
        if (in->hashes[i].len != HASH_VALUE_BYTES)
            return ERR(WIRE_VALUE);
        memcpy(room + i * HASH_VALUE_BYTES, in->hashes[i].data, HASH_VALUE_BYTES);
    }
    *ret_run = (struct hash_run){room, in->n_hashes};
    return ERR_OK;
}

/* ---- it signed two logs */

static void convict(struct look *l, struct buf *evidence)
{
    struct federation *f = l->peer->federation;
    char line[DOMAIN_MAX_BYTES + 80];
    federation_lock(f);
    const bool forgotten = l->peer->log->forgotten != l->forgotten;
    if (!forgotten) {
        buf_clear(&l->peer->log->evidence);
        l->peer->log->evidence = *evidence;
        *evidence = BUF_INIT;
        kept_log_save(l->peer);
    }
    federation_unlock(f);
    if (forgotten) { /* meanwhile the operator has said to begin anew */
        end(l, ERR_OK, NULL);
        return;
    }
    metrics_add(front_metrics(f->env->front), METRIC_PEER_LOGS_FORKED, 1);
    (void)snprintf(line, sizeof line, "level=error event=peer_log_forked peer=%s", l->peer->domain);
    front_log(f->env->front, line);
    end(l, ERR(TLOG_FORK), NULL);
}

static void on_again(const struct hearth_status *status,
                     const Hearth__V1__GetCheckpointResponse *out, void *arg)
{
    struct look *l = arg;
    struct buf evidence = BUF_INIT;
    if (out == NULL) {
        end(l, l->why, status->message);
        return;
    }
    struct err err = evidence_roots(&evidence, &l->view.config, buf_view(&l->held),
                                    bytes_of(out->checkpoint.data, out->checkpoint.len));
    if (err_is_ok(err))
        convict(l, &evidence);
    else
        end(l, l->why, "no two signatures of it contradict each other");
    buf_clear(&evidence);
}

/* note: what it signed before, of this size. */
static void ask_again(struct look *l, struct bytes note, uint64_t size, struct err why)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    l->why = why;
    buf_append_bytes(&l->held, note);
    in.size = size;
    struct err err = buf_check(&l->held);
    if (err_is_ok(err))
        ask_checkpoint(l, &in, on_again);
    else
        end(l, err, NULL);
}

/* ---- its log and another's view of it */

/* ERR_TLOG_CONSISTENCY: not one log. old: the smaller one. */
static struct err joined(const Hearth__V1__GetConsistencyResponse *in, const struct checkpoint *old,
                         const struct kt_view *view)
{
    uint8_t room[LOG_PATH_MAX * HASH_VALUE_BYTES];
    struct hash_run run;
    TRY(peer_log_proof(in, room, &run));
    return log_verify_consistency(old->size, view->size, &old->root, &view->root, &run);
}

static struct err open_note(const struct look *l, struct checkpoint *ret)
{
    struct note_key key;
    TRY(kt_config_log_key(&l->view.config, &key));
    return checkpoint_open(buf_view(&l->note), &key, ret);
}

static void on_joined(const struct hearth_status *status,
                      const Hearth__V1__GetConsistencyResponse *out, void *arg)
{
    struct look *l = arg;
    struct checkpoint c = {.size = 0};
    if (out == NULL) {
        end_status(l, status);
        return;
    }
    struct err err = open_note(l, &c);
    if (err_is_ok(err))
        err = joined(out, &c, &l->view);
    if (err_is_ok(err))
        end(l, ERR_OK, NULL);
    else
        ask_again(l, buf_view(&l->note), c.size, err);
}

/* What is larger than ours waits for the next look. */
static void on_witnessed(const struct hearth_status *status,
                         const Hearth__V1__GetWitnessedResponse *out, void *arg)
{
    struct look *l = arg;
    struct checkpoint c;
    (void)status;
    if (out == NULL) {
        end(l, ERR_OK, NULL); /* it has not looked, or is not there */
        return;
    }
    l->note.len = 0;
    buf_append(&l->note, out->checkpoint.data, out->checkpoint.len);
    struct err err = buf_check(&l->note);
    if (!err_is_ok(err) || !err_is_ok(open_note(l, &c)) || c.size > l->view.size) {
        end(l, err, NULL); /* a note that is none says nothing against the log */
        return;
    }
    if (c.size == l->view.size && !hash_value_equal(&c.root, &l->view.root)) {
        ask_again(l, buf_view(&l->note), c.size, ERR(TLOG_FORK));
        return;
    }
    ask_proof(l, c.size, l->view.size, on_joined);
}

static void other_ready(struct reach *reach, struct peer *other, struct err result)
{
    struct look *l = (struct look *)(void *)reach;
    Hearth__V1__GetWitnessedRequest in;
    struct hearth_call_options options = options_of();
    options.signer = signer_of(&other->signing);
    hearth__v1__get_witnessed_request__init(&in);
    in.domain = l->peer->domain;
    if (!err_is_ok(result) || hearth_federation_get_witnessed_start(other->channel, &options, &in,
                                                                    on_witnessed, l) == NULL)
        end(l, ERR_OK, NULL);
}

/* Under the lock: the next one that is somebody else, known, and has a log with us. */
static struct peer *next_other(struct federation *f, const struct peer *peer)
{
    for (size_t n = 0; n < PEER_SLOTS; n++) {
        size_t slot = ++f->gossip_slot % PEER_SLOTS;
        for (struct peer *p = f->slots[slot]; p != NULL; p = p->next)
            if (p != peer && p->known && peer_has_key(p) &&
                policy_admits(f->policy, bytes_str(p->domain)))
                return p;
    }
    return NULL;
}

static void ask_other(struct look *l)
{
    struct federation *f = l->peer->federation;
    federation_lock(f);
    l->other = next_other(f, l->peer);
    if (l->other != NULL)
        l->other->refs++;
    federation_unlock(f);
    if (l->other == NULL) {
        end(l, ERR_OK, NULL);
        return;
    }
    l->reach = (struct reach){.ready = other_ready};
    peer_reach(l->other, &l->reach);
}

/* ---- its newest checkpoint */

static void keep(struct look *l)
{
    struct federation *f = l->peer->federation;
    federation_lock(f);
    peer_log_keep(l->peer, &l->view, l->forgotten);
    federation_unlock(f);
}

static struct err extends(struct kt_view *next, struct bytes note,
                          const Hearth__V1__GetConsistencyResponse *in)
{
    uint8_t room[LOG_PATH_MAX * HASH_VALUE_BYTES];
    struct hash_run run;
    TRY(peer_log_proof(in, room, &run));
    return kt_view_head(next, note, &run);
}

static void on_consistency(const struct hearth_status *status,
                           const Hearth__V1__GetConsistencyResponse *out, void *arg)
{
    struct look *l = arg;
    struct kt_view next = l->view;
    if (out == NULL) {
        end_status(l, status);
        return;
    }
    struct err err = extends(&next, buf_view(&l->note), out);
    if (err_is_ok(err)) {
        l->view = next;
        keep(l);
        ask_other(l);
    } else if (l->view.note_len > 0) {
        ask_again(l, bytes_of(l->view.note, l->view.note_len), l->view.size, err);
    } else {
        end(l, err, NULL);
    }
}

static void on_newest(const struct hearth_status *status,
                      const Hearth__V1__GetCheckpointResponse *out, void *arg)
{
    struct look *l = arg;
    struct checkpoint c;
    struct bytes held = bytes_of(l->view.note, l->view.note_len);
    if (out == NULL && (is_unreached(status->code) || held.len == 0)) {
        end_status(l, status);
        return;
    }
    if (out == NULL) { /* it does not know what it has signed before */
        ask_again(l, held, l->view.size, ERR(TLOG_SHRUNK));
        return;
    }
    l->note.len = 0;
    buf_append(&l->note, out->checkpoint.data, out->checkpoint.len);
    struct err err = buf_check(&l->note);
    if (err_is_ok(err))
        err = open_note(l, &c);
    if (err_is_ok(err) && held.len > 0 &&
        (c.size < l->view.size ||
         (c.size == l->view.size && !hash_value_equal(&c.root, &l->view.root))))
        ask_again(l, held, l->view.size, c.size < l->view.size ? ERR(TLOG_SHRUNK) : ERR(TLOG_FORK));
    else if (err_is_ok(err))
        ask_proof(l, l->view.size, c.size, on_consistency);
    else
        end(l, err, NULL);
}

static void ask_newest(struct look *l)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    in.known = (ProtobufCBinaryData){l->view.note_len, l->view.note};
    ask_checkpoint(l, &in, on_newest);
}

/* ---- its configuration */

/* DOMAIN/kt/N */
static bool names(const struct kt_config *config, const char *domain)
{
    struct bytes origin = kt_config_origin(config);
    size_t len = strlen(domain);
    return origin.len > len + 4 && memcmp(origin.data, domain, len) == 0 &&
           memcmp(origin.data + len, "/kt/", 4) == 0;
}

struct err peer_log_config(const struct peer *peer, struct bytes tile, struct kt_view *ret_view)
{
    struct wire_reader r = wire_reader_of(tile);
    struct bytes config = wire_read_vector16(&r);
    struct kt_view view;
    TRY(wire_reader_end(&r));
    TRY(kt_view_init(config, &view));
    if (!names(&view.config, peer->domain))
        return ERR(TLOG_CONFIG);
    *ret_view = view;
    return ERR_OK;
}

static void on_config(const struct hearth_status *status, const Hearth__V1__GetTileResponse *out,
                      void *arg)
{
    struct look *l = arg;
    if (out == NULL) {
        end_status(l, status);
        return;
    }
    struct err err = peer_log_config(l->peer, bytes_of(out->tile.data, out->tile.len), &l->view);
    if (err_is_ok(err))
        ask_newest(l);
    else
        end(l, err, NULL);
}

static void ready(struct reach *reach, struct peer *peer, struct err result)
{
    struct look *l = (struct look *)(void *)reach;
    Hearth__V1__GetTileRequest in = HEARTH__V1__GET_TILE_REQUEST__INIT;
    const struct hearth_call_options options = options_of();
    if (!err_is_ok(result)) {
        end(l, result, NULL);
        return;
    }
    federation_lock(peer->federation); /* the operator may have it forgotten at any time */
    bool known = peer->log->has_view;
    if (known)
        l->view = peer->log->view;
    l->forgotten = peer_log_forgotten(peer);
    federation_unlock(peer->federation);
    if (known) {
        ask_newest(l);
        return;
    }
    in.width = 1;
    in.entries = true;
    if (hearth_transparency_get_tile_start(peer->channel, &options, &in, on_config, l) == NULL)
        end(l, ERR(NO_MEMORY), NULL);
}

/* ---- what is kept of it */

unsigned peer_log_forgotten(const struct peer *peer)
{
    return peer->log != NULL ? peer->log->forgotten : 0;
}

void peer_log_keep(struct peer *peer, const struct kt_view *view, unsigned forgotten)
{
    if (peer->log == NULL)
        peer->log = calloc(1, sizeof *peer->log);
    if (peer->log == NULL || peer->log->forgotten != forgotten ||
        (peer->log->has_view && view->size < peer->log->view.size))
        return;
    peer->log->view = *view;
    peer->log->has_view = true;
    kept_log_save(peer);
}

void peer_log_forget(struct peer *peer)
{
    if (peer->log == NULL)
        return;
    peer->log->has_view = false;
    buf_clear(&peer->log->evidence);
    peer->log->forgotten++;
    peer->log->due_us = 0;
    kept_log_save(peer);
}

/* ---- who is due */

/* Under the lock. */
static bool is_due(struct peer *p)
{
    struct federation *f = p->federation;
    if (!p->known || !peer_has_key(p) || !policy_admits(f->policy, bytes_str(p->domain)))
        return false;
    if (p->log == NULL)
        p->log = calloc(1, sizeof *p->log);
    return p->log != NULL && !p->log->looking && p->log->evidence.len == 0 &&
           p->log->due_us <= federation_now_us(f);
}

static struct peer *next_due(struct federation *f)
{
    for (size_t n = 0; n < PEER_SLOTS; n++) {
        for (struct peer *p = f->slots[f->look_slot % PEER_SLOTS]; p != NULL; p = p->next)
            if (is_due(p))
                return p;
        f->look_slot++;
    }
    return NULL;
}

static bool begin(struct federation *f)
{
    struct look *l = NULL;
    federation_lock(f);
    struct peer *peer = !f->stopped && f->looks < LOOKS_AT_ONCE ? next_due(f) : NULL;
    if (peer != NULL)
        l = calloc(1, sizeof *l);
    if (l != NULL) {
        l->reach.ready = ready;
        l->peer = peer;
        peer->refs++;
        peer->log->looking = true;
        f->looks++;
    }
    federation_unlock(f);
    if (l != NULL)
        peer_reach(peer, &l->reach);
    return l != NULL;
}

static void on_loop(void *arg)
{
    witness_turn(arg);
    while (begin(arg))
        continue;
}

void federation_watch_logs(struct federation *f)
{
    (void)hearth_loop_post(f->options.loop, on_loop, f); /* else next time */
}

/* ---- what others are told */

enum hearth_code logs_get_witnessed(struct hearth_call *call,
                                    const Hearth__V1__GetWitnessedRequest *in,
                                    Hearth__V1__GetWitnessedResponse *out, void *federation)
{
    struct federation *f = federation;
    uint8_t *note = NULL;
    if (!front_caller(call)->verified)
        return front_fail(call, ERR(FRONT_UNAUTHENTICATED));
    federation_lock(f);
    const struct peer *peer = peer_find(f, bytes_str(in->domain));
    const struct kt_view *view =
        peer != NULL && peer->log != NULL && peer->log->has_view ? &peer->log->view : NULL;
    size_t len = view != NULL ? view->note_len : 0;
    if (len > 0)
        note = hearth_call_alloc(call, len);
    if (note != NULL) {
        memcpy(note, view->note, len);
        out->checkpoint = (ProtobufCBinaryData){len, note};
    }
    federation_unlock(f);
    return note != NULL ? HEARTH_OK : front_fail(call, len > 0 ? ERR(NO_MEMORY) : ERR(NOT_FOUND));
}
