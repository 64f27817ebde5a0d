#include "client/core/core.h"

#include <stdlib.h>

#include "client/core/chat.h"
#include "client/core/link.h"
#include "client/core/op.h"
#include "client/core/queue.h"
#include "client/core/renew.h"
#include "client/core/task.h"

enum { SOON_IDLE_MS = 3600 * 1000 };

/* From the loop: what steps have asked for. */
static void soon(void *arg)
{
    struct core *c = arg;
    (void)hearth_timer_set(c->soon, SOON_IDLE_MS); /* stays set, so that setting it can't fail */
    if (c->kick_tasks) {
        c->kick_tasks = false;
        tasks_kick(c);
    }
    ops_tell(c);
    if (c->tell_events) {
        c->tell_events = false;
        if (c->on_event != NULL)
            c->on_event(c->handle, c->on_event_arg);
    }
}

/* ---- steps */

struct step {
    struct core *core;
    struct err (*run)(struct core *c, struct db_txn *t, void *arg);
    void *arg;
};

static struct err step_run(struct db_txn *t, void *arg)
{
    struct step *step = arg;
    return step->run(step->core, t, step->arg);
}

static struct err reload(struct db_txn *t, void *arg)
{
    struct core *c = arg;
    struct account account = {0};
    struct err err = account_read(t, &account);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    account_clear(&c->account);
    c->account = account;
    return ERR_OK;
}

struct err core_step(struct core *c, struct err (*run)(struct core *c, struct db_txn *t, void *arg),
                     void *arg)
{
    if (c->in_step)
        return ERR(WRONG_STATE);
    c->in_step = true;
    struct step step = {.core = c, .run = run, .arg = arg};
    struct err err = db_step(c->db, step_run, &step);
    c->in_step = false;
    if (err_is_ok(err) && c->after_step != NULL)
        c->after_step(c, c->after_step_arg);
    if (c->tasks != NULL)
        tasks_step_ended(c, err_is_ok(err));
    if (!err_is_ok(err)) {
        chat_forget(c);
        struct err again = db_step(c->db, reload, c);
        (void)again; /* the file is gone, and nothing will be kept any more */
    }
    if (c->kick_tasks || c->tell_events)
        (void)hearth_timer_set(c->soon, 0);
    return err;
}

struct err core_look(struct core *c, struct err (*run)(struct core *c, struct db_txn *t, void *arg),
                     void *arg)
{
    if (c->in_step)
        return ERR(WRONG_STATE);
    c->in_step = true;
    struct step step = {.core = c, .run = run, .arg = arg};
    struct err err = db_step(c->db, step_run, &step);
    c->in_step = false;
    return err;
}

/* ---- open and close */

static struct err core_begin(struct core *c, const struct core_options *options)
{
    c->own_loop = options->loop == NULL;
    c->loop = c->own_loop ? hearth_loop_new(NULL) : options->loop;
    if (c->loop == NULL)
        return ERR(NO_MEMORY);
    struct api_options api = options->api;
    api.loop = c->loop;
    api.clock = c->clock;
    api.rng = c->rng;
    TRY(api_new(&api, &c->api));
    c->soon = hearth_timer_new(c->loop, soon, c);
    if (c->soon == NULL || !hearth_timer_set(c->soon, SOON_IDLE_MS))
        return ERR(NO_MEMORY);
    TRY(db_open(&options->db, &c->db));
    TRY(db_step(c->db, reload, c));
    TRY(tasks_open(c));
    return upkeep_begin(c);
}

struct err core_open(const struct core_options *options, struct core **ret_core)
{
    struct core *c = calloc(1, sizeof *c);
    if (c == NULL)
        return ERR(NO_MEMORY);
    c->clock = options->db.clock;
    c->rng = options->db.rng;
    c->opened_ms = core_now_ms(c);
    struct err err = core_begin(c, options);
    if (!err_is_ok(err)) {
        core_close(c);
        return err;
    }
    *ret_core = c;
    return ERR_OK;
}

void core_close(struct core *c)
{
    if (c == NULL)
        return;
    upkeep_end(c);
    queue_stop(c);
    link_stop(c);
    tasks_close(c);
    ops_close(c);
    api_free(c->api);
    chat_forget(c);
    hearth_timer_free(c->soon);
    db_close(c->db);
    account_clear(&c->account);
    if (c->own_loop && c->loop != NULL)
        hearth_loop_free(c->loop);
    bytes_wipe(c, sizeof *c);
    free(c);
}

struct err core_random_id(struct core *c, struct hearth_id *ret_id)
{
    return rng_fill(c->rng, ret_id->bytes, sizeof ret_id->bytes);
}

void core_purpose(const char *what, struct bytes id, uint8_t ret_purpose[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 purpose "), bytes_str(what), id), &d);
    memcpy(ret_purpose, d.data, 16);
}

ProtobufCBinaryData core_out(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

struct err core_pack(const ProtobufCMessage *message, struct buf *out)
{
    uint8_t *room = buf_extend(out, protobuf_c_message_get_packed_size(message));
    if (room != NULL)
        (void)protobuf_c_message_pack(message, room);
    return buf_check(out);
}
