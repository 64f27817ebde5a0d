/* TASK_LOG_PROVE: our own proof, for one group (log_proof.h).
 *
 *     subject the chat
 *     body    struct { uint64 not_before_ms; }    0: as soon as may be; else what was said was
 *             provisional, and is said again in the next window
 *     state   so often it was too early
 *
 * In a lane of each chat, and another where it waits for a window.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/group.h"
#include "client/core/log_inside.h"
#include "client/core/log_proof.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "hearth/v1/transparency.pb-c.h"
#include "seal/key_set.h"

enum { SOON_MS = 1000, SOON_TRIES = 30 };

static void prove_lane(const struct hearth_id *chat, bool later, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str(later ? "Hearth 1 log prove later" : "Hearth 1 log prove"),
                         bytes_of(chat->bytes, sizeof chat->bytes)),
              &d);
    memcpy(ret_lane, d.data, 16);
}

static struct err leave(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                        uint64_t not_before_ms)
{
    uint8_t lane[16];
    bool there;
    struct buf body = BUF_INIT;
    prove_lane(chat, not_before_ms != 0, lane);
    TRY(task_in_lane(c, t, lane, TASK_LOG_PROVE, &there));
    if (there)
        return ERR_OK;
    wire_write_u64(&body, not_before_ms);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_PROVE, lane, chat, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

struct err log_proof_due(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    bool joined = chat->chat.state == HEARTH_CHAT_OPEN;
    if (chat->chat.kind != HEARTH_CHAT_GROUP || chat->chat.state == HEARTH_CHAT_OVER ||
        (joined && roster_users(chat->roster) > PROOF_USERS_MAX))
        return ERR_OK;
    return leave(c, t, &chat->chat.id, 0);
}

struct everywhere {
    struct core *core;
    struct db_txn *t;
};

static struct err due_in(void *arg, struct open_chat *chat)
{
    const struct everywhere *e = arg;
    return chat->chat.kind == HEARTH_CHAT_GROUP && chat->chat.state == HEARTH_CHAT_OPEN &&
                   roster_users(chat->roster) > 1
               ? leave(e->core, e->t, &chat->chat.id, 0)
               : ERR_OK;
}

struct err log_proof_due_all(struct core *c, struct db_txn *t)
{
    struct everywhere e = {c, t};
    return chat_each(c, t, due_in, &e);
}

/* ---- ours */

struct own {
    struct log log;
    struct log_label *label; /* NULL: not searched for yet */
    uint32_t version;        /* of the KeySet that we go by */
};

static void own_end(struct own *own)
{
    log_clear(&own->log);
    log_label_free(own->label);
}

static struct err own_begin(struct core *c, struct db_txn *t, struct own *own)
{
    struct buf label = BUF_INIT;
    *own = (struct own){.version = 0};
    struct key_set *set = malloc(sizeof *set);
    struct err err =
        set != NULL ? key_set_parse(buf_view(&c->account.key_set), set) : ERR(NO_MEMORY);
    if (err_is_ok(err))
        own->version = set->version;
    free(set);
    TRY(err);
    TRY(log_get(t, c->account.domain, &own->log));
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, buf_view(&c->account.user_id));
    err = buf_check(&label);
    if (err_is_ok(err))
        err = log_label_get(t, c->account.domain, buf_view(&label), &own->label);
    buf_clear(&label);
    if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err_is_ok(err))
        own_end(own);
    return err;
}

static bool kept_is_good(struct core *c, const struct own *own)
{
    const struct kt_view *view = &own->log.view;
    const struct kt_dist *newest = kt_view_newest_dist(view);
    struct kt_proof *proof = malloc(sizeof *proof);
    bool good = proof != NULL && newest != NULL &&
                err_is_ok(kt_proof_parse(buf_view(&own->label->proof), proof)) &&
                proof->dist_index == newest->index && proof->version == own->version &&
                kt_window(&view->config, core_now_ms(c)) ==
                    kt_window(&view->config, newest->entry.timestamp);
    free(proof);
    return good;
}

static struct err say(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                      const struct own *own, enum proof_form form, struct bytes proof)
{
    struct buf body = BUF_INIT;
    uint8_t id[16];
    uint64_t task;
    wire_write_vector(&body, buf_view(&own->label->label));
    wire_write_u8(&body, (uint8_t)form);
    wire_write_vector(&body, proof);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = rng_fill(c->rng, id, sizeof id);
    if (err_is_ok(err)) {
        const struct content content = {.kind = CONTENT_LOG_PROOF,
                                        .id = id,
                                        .sent_ms = core_now_ms(c),
                                        .body = buf_view(&body)};
        err = send_in_lane(c, t, chat, CHAT_LANE_KEYS, &content, 0, &task);
    }
    buf_clear(&body);
    return err;
}

/* ---- the task */

static struct err again(struct core *c, struct task *task, enum task_next *ret_next)
{
    *ret_next = task->state < SOON_TRIES ? TASK_NEXT_WAIT : TASK_NEXT_DONE;
    task->state++;
    task->not_before_ms = core_now_ms(c) + SOON_MS;
    return ERR_OK;
}

static struct err ask(const struct own *own, struct task_call *call)
{
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    struct buf request = BUF_INIT;
    struct kt_view view;
    const struct kt_query query = {.label = buf_view(&own->label->label)};
    TRY(log_config_view(&own->log.view.config, &view));
    struct err err = kt_search_request(&request, &view, &query);
    in.search = core_out(buf_view(&request));
    (void)snprintf(call->domain, sizeof call->domain, "%s", own->log.domain);
    call->anonymous = true;
    if (err_is_ok(err))
        err = task_call_request(call, "Transparency", "Lookup", &in.base);
    buf_clear(&request);
    return err;
}

static struct err prepare_with(struct core *c, struct db_txn *t, struct task *task,
                               const struct own *own, struct task_call *call,
                               enum task_next *ret_next)
{
    const struct log_label *l = own->label;
    *ret_next = TASK_NEXT_DONE;
    if (own->log.state == LOG_UNLOGGED || own->log.distrusted || (l != NULL && l->bad))
        return ERR_OK; /* there is nothing to prove, or nothing good */
    if (own->log.state != LOG_HELD || l == NULL || l->checked_ms == 0)
        return again(c, task, ret_next);
    if (kept_is_good(c, own))
        return say(c, t, &task->subject, own, PROOF_AT_DIST, buf_view(&l->proof));
    *ret_next = TASK_NEXT_CALL;
    return ask(own, call);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct own own;
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    uint64_t not_before_ms = wire_read_u64(&r);
    TRY(wire_reader_end(&r));
    *ret_next = TASK_NEXT_DONE;
    struct err err = chat_open(c, t, &task->subject, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (chat->chat.kind != HEARTH_CHAT_GROUP || chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    if (core_now_ms(c) < not_before_ms) {
        task->not_before_ms = not_before_ms;
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    /* nothing of ours goes to who may be put there by the homeserver */
    if (chat->chat.state != HEARTH_CHAT_OPEN || chat->group == NULL || !roster_opened(c, t, chat))
        return again(c, task, ret_next);
    TRY(own_begin(c, t, &own));
    err = prepare_with(c, t, task, &own, call, ret_next);
    own_end(&own);
    return err;
}

/* In the first half of the next window, when everybody has seen its first entry. */
static uint64_t next_window_ms(struct core *c, const struct log *log)
{
    uint64_t window_ms = log->view.config.window_ms;
    return (kt_window(&log->view.config, core_now_ms(c)) + 1) * window_ms + window_ms / 4;
}

static struct err say_found(struct core *c, struct db_txn *t, const struct task *task,
                            struct own *own, struct bytes response, const struct kt_view *view,
                            const struct kt_result *result)
{
    struct log_label *l = own->label;
    struct search_response *parsed = malloc(sizeof *parsed);
    struct buf proof = BUF_INIT;
    struct kt_result checked;
    const struct kt_query query = {.label = buf_view(&l->label)};
    if (parsed == NULL)
        return ERR(NO_MEMORY);
    struct err err = search_response_parse(response, parsed);
    if (err_is_ok(err))
        err = kt_proof_of_search(&proof, kt_config_origin(&view->config), buf_view(&l->label),
                                 parsed, &result->known);
    bool provisional = err.code == ERR_TLOG_UNKNOWN;
    free(parsed);
    if (provisional && response.len <= PROOF_MAX_BYTES) {
        err = say(c, t, &task->subject, own, PROOF_BY_SEARCH, response);
        if (err_is_ok(err))
            err = leave(c, t, &task->subject, next_window_ms(c, &own->log));
    } else if (err_is_ok(err)) {
        err = kt_verify_proof(view, &query, buf_view(&proof), &checked);
    }
    if (err_is_ok(err) && !provisional) {
        err = say(c, t, &task->subject, own, PROOF_AT_DIST, buf_view(&proof));
        if (err_is_ok(err))
            err = buf_replace(&l->proof, &proof);
        if (err_is_ok(err))
            err = log_label_put(t, l);
    }
    buf_clear(&proof);
    return err;
}

static struct err settle_with(struct core *c, struct db_txn *t, struct task *task, struct own *own,
                              struct bytes response, enum task_next *ret_next)
{
    struct kt_view view;
    struct kt_result result;
    const struct kt_query query = {.label = buf_view(&own->label->label), .now_ms = core_now_ms(c)};
    TRY(log_config_view(&own->log.view.config, &view));
    struct err err = kt_verify_search(&view, &query, response, &result);
    enum err_class class = err_class_of(err);
    if (!err_is_ok(err) && (class == ERR_CLASS_PEER || class == ERR_CLASS_CALLER))
        return ERR_OK; /* who monitors our label has the alarm (log_ask.c) */
    TRY(err);
    if (!result.known.exists || result.known.version != own->version)
        return again(c, task, ret_next); /* a change is under way */
    return say_found(c, t, task, own, response, &view, &result);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    const Hearth__V1__LookupResponse *in = (const void *)answer->out;
    struct own own;
    *ret_next = TASK_NEXT_DONE;
    if (in == NULL)
        return ERR_OK; /* refused: who wants to know looks us up */
    TRY(own_begin(c, t, &own));
    struct err err = own.label != NULL && own.log.state == LOG_HELD
                         ? settle_with(c, t, task, &own, core_in(in->search), ret_next)
                         : ERR_OK;
    own_end(&own);
    return err;
}

const struct task_steps task_steps_LOG_PROVE = {.prepare = prepare, .settle = settle};
