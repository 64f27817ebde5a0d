/* Asking a handle for a connection: TASK_CONNECT, behind the creation of the group that waits for
 * the answer, in the lane of its chat.
 *
 * One stream does all: fetch a package, verify it, make the offer, which is written down (a step of
 * its own) before it is left. An attempt that broke off may have left one: all can be answered.
 *
 * A package is not believed before the log has shown its key, and a stream is among the dearest of
 * calls: it stays open while the log is asked, and another one is begun only where that takes long.
 *
 *     body    struct { opaque contact[16]; }
 *     state   how often the log was waited for in vain, where that costs tokens
 */
#include <stdlib.h>

#include "client/core/chat.h"
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/log.h"
#include "client/core/offer.h"
#include "client/core/task.h"
#include "client/core/token.h"
#include "hearth/v1/auth_rpc.h"
#include "wire/writer.h"

enum { LOG_LOOK_MS = 2000, LOG_PATIENCE_MS = 10 * 60 * 1000 };
enum { LOG_COSTLY_MS = 30 * 1000, LOG_LATER_MOST = 3 };
enum { HOLD_LOOK_MS = 200, HOLD_MOST_MS = 20 * 1000 }; /* a stream may last 30 s */

/* ---- the stream */

/* Between the stream and settle. */
struct verdict {
    ProtobufCMessage base; /* never looked at */
    struct err err;
    bool later; /* the log is being asked: once more then */
};

struct asking {
    struct core *core;
    uint64_t task;
    struct hearth_id contact;
    char domain[DOMAIN_MAX_BYTES + 1];
    uint8_t hash[HANDLE_HASH_BYTES];
    struct hearth_client_call *call; /* NULL: ended, or not begun */
    struct buf package, key_set;     /* that an offer is made for */
    struct buf sealed;
    struct buf tokens; /* what it is paid with */
    bool offered, stored;
    bool later;                 /* the log has not answered yet */
    struct hearth_timer *again; /* looks whether it has; NULL: none needed */
    uint32_t held_ms;
    bool stopped;   /* the task is gone */
    struct err err; /* ours, or what did not verify */
};

static void asking_free(struct asking *a)
{
    hearth_timer_free(a->again);
    buf_clear(&a->package);
    buf_clear(&a->key_set);
    buf_clear(&a->sealed);
    buf_clear(&a->tokens);
    free(a);
}

static void asking_end(struct asking *a, const struct hearth_status *status)
{
    static const struct hearth_status ok;
    struct verdict verdict = {.err = a->err};
    struct core *c = a->core;
    uint64_t task = a->task;
    bool stored = a->stored, judged = !err_is_ok(a->err) || a->later, stopped = a->stopped;
    verdict.later = a->later;
    asking_free(a);
    if (stopped)
        return;
    if (judged || stored) {
        task_stream_done(c, task, &ok, &verdict.base);
    } else if (status->code == HEARTH_OK) { /* it went without a word */
        const struct hearth_status none = {.code = HEARTH_UNAVAILABLE};
        task_stream_done(c, task, &none, NULL);
    } else {
        task_stream_done(c, task, status, NULL);
    }
}

static struct err offer_for(struct core *c, struct db_txn *t, struct asking *a,
                            const struct connection_package *package, struct contact *contact)
{
    struct asked asked = {0};
    struct open_chat *chat;
    TRY(chat_open(c, t, &contact->chat, &chat));
    if (chat->group == NULL || chat->chat.state == HEARTH_CHAT_OVER)
        return ERR(CLIENT_CHAT_STATE);
    const struct offer_group group = {chat_group_id(&chat->chat), chat->chat.state_keys[0],
                                      chat->chat.identity_key};
    TRY(asked_read(buf_view(&contact->pending), &asked));
    struct err err = offer_make(c, t, contact, &asked, &group, package, &a->sealed);
    if (err_is_ok(err)) {
        buf_clear(&contact->pending);
        asked_write(&contact->pending, &asked);
        err = buf_check(&contact->pending);
    }
    asked_clear(&asked);
    return err;
}

/* The handle's key is the one that everybody is shown (MitM2). */
static struct err ask_log(struct core *c, struct db_txn *t, const struct asking *a, bool *ret_later)
{
    enum log_says says;
    TRY(log_says_of(c, t, a->domain, buf_view(&a->key_set), 0, LOG_FRESH_MS, &says));
    *ret_later = says == LOG_SAYS_LATER || says == LOG_SAYS_BEHIND;
    if (says != LOG_SAYS_OTHER && says != LOG_SAYS_NEWER)
        return ERR_OK;
    return ERR(CLIENT_LOG);
}

static struct err make_offer(struct core *c, struct db_txn *t, void *arg)
{
    struct asking *a = arg;
    struct connection_package package;
    struct contact contact = {0};
    bool later;
    TRY(offer_check_package(a->hash, buf_view(&a->package), buf_view(&a->key_set),
                            core_now_ms(c) / 1000, &package));
    TRY(ask_log(c, t, a, &later));
    a->later = later;
    if (later)
        return ERR_OK;
    TRY(contact_get(c, t, &a->contact, &contact));
    struct err err = ERR_OK;
    if (contact.state == HEARTH_CONTACT_ASKED) {
        err = offer_for(c, t, a, &package, &contact);
        if (err_is_ok(err))
            err = contact_put(c, t, &contact);
        if (err_is_ok(err))
            err = devices_tell_contact(c, t, &contact);
    } else { /* meanwhile; the task sees what became of it when it is prepared again */
        a->later = true;
        a->held_ms = HOLD_MOST_MS;
    }
    contact_clear(&contact);
    return err;
}

static void write_offer(struct asking *a)
{
    Hearth__V1__ConnectRequest in = HEARTH__V1__CONNECT_REQUEST__INIT;
    Hearth__V1__ConnectionOffer offer = HEARTH__V1__CONNECTION_OFFER__INIT;
    offer.sealed = pb_of(buf_view(&a->sealed));
    in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_OFFER;
    in.offer = &offer;
    (void)hearth_client_call_write(a->call, &in.base);
    hearth_client_call_half_close(a->call);
    a->offered = true;
}

static bool look_again(struct asking *a)
{
    a->held_ms += HOLD_LOOK_MS;
    return a->later && a->held_ms <= HOLD_MOST_MS && a->again != NULL &&
           hearth_timer_set(a->again, HOLD_LOOK_MS);
}

/* With a package: an offer, as soon as the log has shown its key. */
static void go_on(struct asking *a)
{
    a->err = core_step(a->core, make_offer, a);
    if (err_is_ok(a->err) && !a->later)
        write_offer(a);
    else if (!err_is_ok(a->err) || !look_again(a))
        hearth_client_call_cancel(a->call);
}

static void on_look(void *arg)
{
    go_on(arg);
}

static struct err keep_package(struct asking *a, const Hearth__V1__ConnectionPackage *package)
{
    buf_append_bytes(&a->package, bytes_of(package->package.data, package->package.len));
    buf_append_bytes(&a->key_set, bytes_of(package->key_set.data, package->key_set.len));
    TRY(buf_check(&a->package));
    TRY(buf_check(&a->key_set));
    a->again = hearth_timer_new(a->core->loop, on_look, a);
    return a->again != NULL ? ERR_OK : ERR(NO_MEMORY);
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct asking *a = arg;
    const Hearth__V1__ConnectResponse *in = (const void *)item;
    if (a->stopped)
        return;
    if (a->offered || !err_is_ok(a->err)) {
        a->stored = a->stored || in->step_case == HEARTH__V1__CONNECT_RESPONSE__STEP_STORED;
        return;
    }
    if (in->step_case != HEARTH__V1__CONNECT_RESPONSE__STEP_PACKAGE || in->package == NULL ||
        a->again != NULL) {
        hearth_client_call_cancel(call);
        return;
    }
    a->err = keep_package(a, in->package);
    if (err_is_ok(a->err))
        go_on(a);
    else
        hearth_client_call_cancel(call);
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct asking *a = arg;
    (void)call;
    a->call = NULL;
    asking_end(a, status);
}

static const struct hearth_stream_events events = {.on_message = on_message, .on_done = on_done};

struct find {
    const struct hearth_id *id;
    struct asking *asking;
    struct bytes local;
    char handle[HANDLE_TEXT_MAX_BYTES + 1];
    bool has_hash;
};

static struct err find_contact(struct core *c, struct db_txn *t, void *arg)
{
    struct find *find = arg;
    struct contact contact = {0};
    struct asked asked = {0};
    TRY(contact_get(c, t, find->id, &contact));
    struct err err = contact.state == HEARTH_CONTACT_ASKED ? ERR_OK : ERR(CLIENT_CONTACT);
    if (err_is_ok(err))
        err = asked_read(buf_view(&contact.pending), &asked);
    if (err_is_ok(err)) {
        memcpy(find->handle, contact.handle, sizeof find->handle);
        find->has_hash = asked.has_hash;
        memcpy(find->asking->hash, asked.handle_hash, sizeof asked.handle_hash);
    }
    asked_clear(&asked);
    contact_clear(&contact);
    return err;
}

static struct err keep_hash(struct core *c, struct db_txn *t, void *arg)
{
    const struct find *find = arg;
    struct contact contact = {0};
    struct asked asked = {0};
    TRY(contact_get(c, t, find->id, &contact));
    struct err err = contact.state == HEARTH_CONTACT_ASKED ? ERR_OK : ERR(CLIENT_CONTACT);
    if (err_is_ok(err))
        err = asked_read(buf_view(&contact.pending), &asked);
    if (err_is_ok(err)) {
        asked.has_hash = true;
        memcpy(asked.handle_hash, find->asking->hash, sizeof asked.handle_hash);
        buf_clear(&contact.pending);
        asked_write(&contact.pending, &asked);
        err = buf_check(&contact.pending);
    }
    if (err_is_ok(err))
        err = contact_put(c, t, &contact);
    asked_clear(&asked);
    contact_clear(&contact);
    return err;
}

/* Argon2id takes a tenth of a second, which no transaction should; and most who are asked take
 * several attempts, until the log has answered and tokens are there. */
static struct err prepare_asking(struct asking *a)
{
    struct find find = {.id = &a->contact, .asking = a};
    struct bytes local, domain;
    TRY(core_step(a->core, find_contact, &find));
    TRY(handle_split(find.handle, &local, &domain));
    memcpy(a->domain, domain.data, domain.len);
    if (find.has_hash)
        return ERR_OK;
    TRY(handle_hash(local, domain, a->hash));
    return core_step(a->core, keep_hash, &find);
}

static struct err open_stream(struct asking *a)
{
    Hearth__V1__ConnectRequest in = HEARTH__V1__CONNECT_REQUEST__INIT;
    Hearth__V1__FetchConnectionPackage fetch = HEARTH__V1__FETCH_CONNECTION_PACKAGE__INIT;
    const struct api_to to = {.domain = a->domain, .tokens = buf_view(&a->tokens)};
    TRY(buf_check(&a->tokens));
    TRY(prepare_asking(a));
    TRY(api_open(a->core->api, &to, api_endpoint("Auth", "Connect"), &events, a, &a->call));
    fetch.handle_hash = pb_of(bytes_of(a->hash, sizeof a->hash));
    in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_FETCH;
    in.fetch = &fetch;
    (void)hearth_client_call_write(a->call, &in.base);
    return ERR_OK;
}

static void stream(struct core *c, struct task *task, void **ret_handle)
{
    const struct hearth_status memory = {.code = HEARTH_UNAVAILABLE};
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL) {
        task_stream_done(c, task->number, &memory, NULL);
        return;
    }
    a->core = c;
    a->task = task->number;
    a->contact = task->subject;
    buf_append_bytes(&a->tokens, buf_view(&task->payment.tokens));
    a->err = open_stream(a);
    if (err_is_ok(a->err)) {
        *ret_handle = a;
    } else {
        if (err_retry(a->err))
            a->err = ERR_OK; /* and so no verdict */
        asking_end(a, &memory);
    }
}

static void stream_stop(struct core *c, void *handle)
{
    struct asking *a = handle;
    (void)c;
    a->stopped = true;
    hearth_timer_free(a->again);
    a->again = NULL;
    hearth_client_call_cancel(a->call); /* on_done frees it */
}

/* ---- the task */

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct contact contact = {0};
    struct open_chat *chat;
    struct bytes local, domain = {NULL, 0};
    if (task->state > 0 && task->not_before_ms > core_now_ms(c)) { /* woken by something else */
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    TRY(contact_get(c, t, &task->subject, &contact));
    struct err err = chat_open(c, t, &contact.chat, &chat);
    bool gone = contact.state != HEARTH_CONTACT_ASKED;
    if (err_is_ok(err) && !gone)
        err = handle_split(contact.handle, &local, &domain);
    if (err_is_ok(err) && !gone)
        err = task_call_stream(call, domain, "Auth", "Connect");
    contact_clear(&contact);
    TRY(err);
    if (gone) { /* accepted, refused or given up meanwhile, by what an attempt had left */
        *ret_next = TASK_NEXT_DONE;
        return ERR_OK;
    }
    if (chat->group == NULL || chat->chat.state == HEARTH_CHAT_OVER)
        return ERR(CLIENT_CHAT_STATE);
    *ret_next = TASK_NEXT_STREAM;
    return ERR_OK;
}

static struct err costs_tokens(struct core *c, struct db_txn *t, const struct hearth_id *id,
                               bool *ret_costs)
{
    struct token_facts facts = {0};
    struct contact contact = {0};
    struct bytes local, domain;
    char name[DOMAIN_MAX_BYTES + 1] = "";
    TRY(contact_get(c, t, id, &contact));
    struct err err = handle_split(contact.handle, &local, &domain);
    if (err_is_ok(err)) {
        memcpy(name, domain.data, domain.len);
        err = token_facts_get(t, name, &facts);
    }
    contact_clear(&contact);
    *ret_costs = facts.on;
    token_facts_clear(&facts);
    return err;
}

/* Woken when the log has answered; but where the stream costs, ever later, since it was kept open
 * for long already. */
static struct err wait_for_log(struct core *c, struct db_txn *t, struct task *task,
                               enum task_next *ret_next)
{
    uint64_t now = core_now_ms(c), wait_ms = LOG_LOOK_MS;
    bool costs;
    TRY(costs_tokens(c, t, &task->subject, &costs));
    if (costs) {
        wait_ms = (uint64_t)LOG_COSTLY_MS << task->state;
        task->state += task->state < LOG_LATER_MOST;
    }
    *ret_next = TASK_NEXT_WAIT;
    task->not_before_ms = now + wait_ms;
    if (now > task->made_ms + LOG_PATIENCE_MS) {
        task_fail_err(c, task, ERR(CLIENT_LOG));
        *ret_next = TASK_NEXT_FAILED;
    }
    return ERR_OK;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_FAILED;
    if (answer->status->code != HEARTH_OK) {
        struct hearth_error error;
        core_error_of_status(answer->status, &error);
        task_fail(c, task, &error);
        return ERR_OK;
    }
    const struct verdict *verdict = (const void *)answer->out;
    struct err err = verdict->err;
    if (err_is_ok(err) && verdict->later)
        return wait_for_log(c, t, task, ret_next);
    if (err_is_ok(err))
        *ret_next = TASK_NEXT_DONE;
    else
        task_fail_err(c, task, err);
    return err.code == ERR_CLIENT_LOG
               ? log_alarm(c, t, &task->subject, 0,
                           "the homeserver hands out another key for this handle than its log "
                           "shows to everybody")
               : ERR_OK;
}

/* Nobody has the offer, or nobody who could be believed: nothing of it stays. */
static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    (void)error;
    return contact_give_up(c, t, &task->subject);
}

const struct task_steps task_steps_CONNECT = {
    .prepare = prepare,
    .settle = settle,
    .stream = stream,
    .stream_stop = stream_stop,
    .failed = failed,
};
