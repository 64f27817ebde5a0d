/* Joining by Welcome.
 *
 * The step of the item makes the chat (STARTING), with the leaf of the KeyPackage, so that what
 * comes for the group meanwhile finds it and waits; the task fetches the tree and joins, when no
 * other chat is in the group (join_line.c).
 *
 *     body: struct { uint8 version = 1; opaque ref<V>, bundle<V>, welcome<V>; uint64 epoch;
 *                    uint8 last_resort; }
 */
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/group_data.h"
#include "client/core/key_package.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "mls/member/group_save.h"
#include "seal/request_auth.h"
#include "seal/welcome_keys.h"
#include "wire/writer.h"

enum { BODY_VERSION = 1, DOUBTS_MAX = 8, DOUBT_MS = 10000, LINE_LOOK_MS = 60000 };
static const uint64_t line_ms = (uint64_t)14 * 24 * 3600 * 1000; /* a removal comes by then */

struct join_body {
    struct bytes ref, welcome; /* views into the task's body */
    struct key_package_bundle bundle;
    uint64_t epoch;
    bool last_resort;
};

static struct err read_body(struct bytes in, struct join_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct join_body body = {0};
    if (wire_read_u8(&r) != BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    body.ref = wire_read_vector(&r);
    struct bytes bundle = wire_read_vector(&r);
    body.welcome = wire_read_vector(&r);
    body.epoch = wire_read_u64(&r);
    body.last_resort = wire_read_present(&r);
    TRY(wire_reader_end(&r));
    TRY(key_package_bundle_read(bundle, &body.bundle));
    *ret_body = body;
    return ERR_OK;
}

/* ---- the item */

static struct err refuse_welcome(struct core *c, struct db_txn *t)
{
    return event_tell(c, t,
                      &(struct hearth_event){.kind = HEARTH_EVENT_UNVERIFIED,
                                             .result = HEARTH_UNVERIFIED,
                                             .text = "an invitation to a group did not hold"});
}

static bool is_ours(struct err err)
{
    return err.code == ERR_NO_MEMORY || err.code == ERR_IO || err.code == ERR_INTERNAL;
}

/* What the Welcome says, beside MLS. */
static struct err read_news(const struct welcome_news *news, struct chat *chat)
{
    struct extensions extensions = {buf_view(&news->extensions)};
    struct bytes data;
    struct welcome_keys keys;
    struct domain_name name;
    if (!extensions_find(&extensions, WELCOME_KEYS_EXTENSION_TYPE, &data))
        return ERR(WIRE_VALUE);
    TRY(welcome_keys_read(data, &keys));
    if (news->group_id.len > sizeof chat->group_id || news->epoch == 0)
        return ERR(WIRE_VALUE);
    TRY(domain_name_parse(buf_view(&news->group_id), &name));
    memcpy(chat->group_id, news->group_id.data, news->group_id.len);
    chat->group_id_len = news->group_id.len;
    chat_add_state_key(chat, keys.state_key, news->epoch - 1);
    memcpy(chat->identity_key, keys.identity_key, sizeof chat->identity_key);
    chat->joined_epoch = news->epoch;
    bytes_wipe(&keys, sizeof keys);
    return extensions_find(&extensions, IDENTITY_HISTORY_EXTENSION_TYPE, &data)
               ? identity_history_read(data, chat)
               : ERR_OK;
}

static struct err add_task(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                           const struct own_key_package *p, struct bytes welcome, uint64_t epoch)
{
    struct buf body = BUF_INIT, bundle = BUF_INIT;
    uint8_t lane[16];
    uint64_t task;
    struct err err = key_package_bundle_write(&bundle, &p->bundle);
    wire_write_u8(&body, BODY_VERSION);
    wire_write_vector(&body, digest_view(&p->ref));
    wire_write_vector(&body, buf_view(&bundle));
    wire_write_vector(&body, welcome);
    wire_write_u64(&body, epoch);
    wire_write_present(&body, p->last_resort);
    if (err_is_ok(err))
        err = buf_check(&body);
    chat_lane(chat, CHAT_LANE, lane);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_JOIN, lane, chat, buf_view(&body), &task);
    buf_clear(&body);
    buf_clear(&bundle);
    return err;
}

static struct err start(struct core *c, struct db_txn *t, struct own_key_package *p,
                        struct bytes welcome, const struct welcome_news *news)
{
    struct chat chat = {
        .kind = HEARTH_CHAT_GROUP, .state = HEARTH_CHAT_STARTING, .notify = HEARTH_NOTIFY_ALL};
    bool room;
    uint8_t tag[QUEUE_TAG_BYTES];
    struct err err = core_random_id(c, &chat.id);
    struct hearth_id id = chat.id;
    memcpy(tag, p->leaf.tag, sizeof tag);
    chat_leaf_move(&chat, &p->leaf);
    if (err_is_ok(err))
        err = read_news(news, &chat);
    if (err_is_ok(err))
        err = join_room(c, t, &chat, &room);
    if (err_is_ok(err) && room) {
        err = chat_add(c, t, &chat, NULL);
        if (err_is_ok(err))
            err = add_task(c, t, &id, p, welcome, news->epoch);
        if (err_is_ok(err))
            err = key_package_used(c, t, tag);
    }
    chat_clear(&chat);
    return err;
}

static struct err open_welcome(struct core *c, struct db_txn *t, struct own_key_package *p,
                               struct bytes sealed)
{
    struct key_package kp;
    struct delivery_item item;
    struct welcome_news news = {0};
    struct buf scratch = BUF_INIT;
    struct mls_client client = {
        .rng = c->rng, .signer = &p->leaf.leaf_key, .policy = mls_policy_at(core_now_ms(c) / 1000)};
    struct err err = key_package_parse(buf_view(&p->bundle.key_package), &kp);
    if (err_is_ok(err))
        err = fan_out_open_joiner(&chat_suite()->hpke, secret_view(&p->bundle.init_key),
                                  kp.init_key, sealed, &scratch, &item);
    if (err_is_ok(err) && item.kind != DELIVERY_WELCOME)
        err = ERR(WIRE_VALUE);
    if (err_is_ok(err))
        err = welcome_peek(&client, &p->bundle, item.body, NULL, &news);
    if (err_is_ok(err))
        err = start(c, t, p, item.body, &news);
    welcome_news_clear(&news);
    buf_clear(&scratch);
    return err;
}

struct err join_welcome(struct core *c, struct db_txn *t, const struct queue_item *item)
{
    struct own_key_package p = {0};
    struct err err = key_package_by_tag(c, t, item->tag, &p);
    if (err.code == ERR_NOT_FOUND)
        return refuse_welcome(c, t); /* used already, or older than its lifetime */
    TRY(err);
    err = open_welcome(c, t, &p, item->body);
    own_key_package_clear(&p);
    if (err_is_ok(err) || is_ours(err))
        return err;
    return refuse_welcome(c, t);
}

/* ---- the task */

/* Is it this one's turn? A chat that is in the group and follows it must be over first; one that
 * can't follow goes when this one holds. Else it waits, or has no use any more. */
static struct err take_turn(struct core *c, struct db_txn *t, struct task *task,
                            struct open_chat *chat, bool *ret_turn, enum task_next *ret_next)
{
    struct open_chat *standing;
    uint64_t now = core_now_ms(c);
    TRY(join_standing(c, t, chat_group_id(&chat->chat), &standing));
    bool stale = standing != NULL && join_is_stale(standing, chat->chat.joined_epoch);
    *ret_turn = standing == NULL || (!stale && standing->chat.state == HEARTH_CHAT_BROKEN);
    if (*ret_turn)
        return ERR_OK;
    *ret_next = TASK_NEXT_DONE;
    if (stale || now >= task->made_ms + line_ms) {
        chat->chat.group_id_len = 0; /* it never was in that group */
        return group_over(c, t, chat, NULL);
    }
    task->not_before_ms = now + LINE_LOOK_MS;
    *ret_next = TASK_NEXT_WAIT;
    return ERR_OK;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct join_body body;
    struct group_access access;
    bool turn;
    Hearth__V1__GetWelcomeInfoRequest in = HEARTH__V1__GET_WELCOME_INFO_REQUEST__INIT;
    TRY(chat_open(c, t, &task->subject, &chat));
    *ret_next = TASK_NEXT_DONE;
    if (chat->chat.state != HEARTH_CHAT_STARTING)
        return ERR_OK;
    TRY(take_turn(c, t, task, chat, &turn, ret_next));
    if (!turn)
        return ERR_OK;
    TRY(read_body(buf_view(&task->body), &body));
    group_access_of(&chat->chat, &access);
    in.group = &access.message;
    in.epoch = body.epoch;
    struct err err = group_call_unsigned(c, &chat->chat, call, "GetWelcomeInfo", &in.base);
    call->caller = REQUEST_JOINER;
    buf_append_bytes(&call->caller_id, body.ref);
    if (err_is_ok(err))
        err = buf_check(&call->caller_id);
    if (err_is_ok(err))
        err = sig_key_init(chat_suite()->sig, secret_view(&chat->chat.leaf_key.private_key),
                           &call->caller_key);
    key_package_bundle_clear(&body.bundle);
    *ret_next = TASK_NEXT_CALL;
    return err;
}

/* Our user pseudonym was given to us by who added us. */
static struct err own_row(struct core *c, struct db_txn *t, struct open_chat *chat,
                          const Hearth__V1__GetWelcomeInfoResponse *out)
{
    const struct public_group *g = group_public(chat->group);
    struct leaf_node node;
    size_t n = 0;
    for (uint32_t i = 0; i < group_own_leaf(chat->group); i++)
        n += public_group_leaf(g, i, &node);
    if (n >= out->n_leaves || out->leaves[n]->user_pseudonym.len != PSEUDONYM_BYTES)
        return ERR(WIRE_VALUE);
    memcpy(chat->chat.user_pseudonym, out->leaves[n]->user_pseudonym.data, PSEUDONYM_BYTES);
    return group_records(c, t, chat, out->leaves, out->n_leaves, UINT32_MAX, UINT32_MAX);
}

/* A direct chat or that of our devices says so itself; whose it is the roster knows. */
static struct err take_kind(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    static const struct hearth_id nobody;
    char name[CHAT_NAME_MAX_BYTES + 1];
    int kind;
    bool all_own = true;
    struct err err = group_read_data(chat, name, &kind);
    if (!err_is_ok(err))
        return err.code == ERR_NOT_FOUND ? ERR_OK : err;
    memcpy(chat->chat.name, name, sizeof name);
    for (size_t i = 0; i < chat->roster->count; i++)
        all_own &= chat->roster->leaves[i].own_user;
    if (kind == CHAT_KIND_DEVICES && all_own) {
        chat->chat.kind = kind;
        if (memcmp(c->account.devices_chat.bytes, nobody.bytes, 16) != 0)
            return ERR_OK;
        c->account.devices_chat = chat->chat.id;
        return account_write(&c->account, t);
    }
    if (kind != HEARTH_CHAT_DIRECT)
        return ERR_OK;
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        if (l->own_user || memcmp(l->contact.bytes, nobody.bytes, 16) == 0)
            continue;
        struct contact contact = {0};
        chat->chat.kind = kind;
        chat->chat.contact = l->contact;
        TRY(contact_get(c, t, &l->contact, &contact));
        bool first = memcmp(contact.chat.bytes, nobody.bytes, 16) == 0;
        contact.chat = first ? chat->chat.id : contact.chat;
        err = first ? contact_put(c, t, &contact) : ERR_OK;
        contact_clear(&contact);
        return err;
    }
    return ERR_OK;
}

static struct err enter(struct core *c, struct db_txn *t, struct open_chat *chat,
                        const struct join_body *body, const Hearth__V1__GetWelcomeInfoResponse *out)
{
    struct mls_group *group = NULL;
    struct mls_group_config config = chat_group_config();
    uint64_t task;
    TRY(group_join(&chat->client, &config, &body->bundle, body->welcome,
                   bytes_of(out->ratchet_tree.data, out->ratchet_tree.len), NULL, &group));
    chat_set_group(chat, &group);
    if (!bytes_equal(group_public(chat->group)->context.group_id, chat_group_id(&chat->chat)))
        return ERR(MLS_GROUP_ID);
    TRY(own_row(c, t, chat, out));
    TRY(roster_prune(c, t, chat));
    TRY(take_kind(c, t, chat));
    TRY(join_make_way(c, t, chat));
    chat->chat.state = HEARTH_CHAT_OPEN;
    TRY(chat_save(c, t, chat));
    if (chat->chat.kind != CHAT_KIND_DEVICES)
        TRY(receive_event(c, t, chat, HEARTH_EVENT_CHAT_JOINED, 0, NULL));
    if (body->last_resort) /* others may have used the same package */
        TRY(group_wish(c, t, &chat->chat.id, &(struct commit_wish){.update = true}, &task));
    return held_replay(c, t, chat);
}

/* What a server or member made wrong ends the chat; nothing of it may stay in memory. */
static struct err settle_ok(struct core *c, struct db_txn *t, struct task *task,
                            struct open_chat *chat, const struct task_answer *answer,
                            enum task_next *ret_next)
{
    struct join_body body;
    bool turn;
    TRY(take_turn(c, t, task, chat, &turn, ret_next)); /* another may have come first */
    if (!turn)
        return ERR_OK;
    TRY(read_body(buf_view(&task->body), &body));
    struct err err =
        enter(c, t, chat, &body, (const Hearth__V1__GetWelcomeInfoResponse *)answer->out);
    key_package_bundle_clear(&body.bundle);
    *ret_next = TASK_NEXT_DONE;
    if (err_is_ok(err) || is_ours(err))
        return err;
    task_fail_err(c, task, err);
    *ret_next = TASK_NEXT_FAILED;
    return ERR_OK;
}

static bool is_doubtful(enum hearth_code code)
{
    return code == HEARTH_NOT_FOUND || code == HEARTH_UNAUTHENTICATED ||
           code == HEARTH_FAILED_PRECONDITION || code == HEARTH_ABORTED;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, &task->subject, &chat));
    *ret_next = TASK_NEXT_DONE;
    if (chat->chat.state != HEARTH_CHAT_STARTING)
        return ERR_OK;
    if (answer->status->code == HEARTH_OK)
        return settle_ok(c, t, task, chat, answer, ret_next);
    /* The invitation is good for this once: a server that is not itself is given hours. The state
     * counts. */
    if (is_doubtful(answer->status->code) && task->state < DOUBTS_MAX) {
        task->state++;
        task->not_before_ms = core_now_ms(c) + ((uint64_t)DOUBT_MS << task->state);
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    return task_step_refused(c, task, answer, ret_next);
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct open_chat *chat;
    (void)error;
    struct err err = chat_open(c, t, &task->subject, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    TRY(receive_event(c, t, chat, HEARTH_EVENT_UNVERIFIED, 0,
                      "an invitation to a group did not hold"));
    return group_over(c, t, chat, NULL);
}

const struct task_steps task_steps_JOIN = {.prepare = prepare, .settle = settle, .failed = failed};
