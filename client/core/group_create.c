/* A new group: an id from our homeserver, then its first state.
 *
 *     RESERVE   ReserveGroupId
 *     CREATE    the MLS group of us alone, pending at the server; the request in the body
 *
 *     body: struct { opaque request<V>; }
 */
#include "client/core/event.h"
#include "client/core/group_data.h"
#include "client/core/homeserver.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "seal/key_set.h"
#include "wire/writer.h"

enum create_state { RESERVE = 0, CREATE = 1 };

static bool is_name(const char *name)
{
    return strlen(name) <= CHAT_NAME_MAX_BYTES;
}

struct err group_create_begin(struct core *c, struct db_txn *t, int kind, const char *name,
                              const struct hearth_id *contact, struct hearth_id *ret_chat,
                              uint64_t *ret_task)
{
    struct chat chat = {.kind = kind, .state = HEARTH_CHAT_STARTING, .notify = HEARTH_NOTIFY_ALL};
    struct hearth_id id;
    uint8_t lane[16];
    uint64_t task = 0;
    if (name != NULL && !is_name(name))
        return ERR(TOO_LARGE);
    TRY(core_random_id(c, &chat.id));
    id = chat.id;
    if (name != NULL)
        memcpy(chat.name, name, strlen(name) + 1);
    if (contact != NULL)
        chat.contact = *contact;
    struct err err = chat_add(c, t, &chat, NULL);
    chat_clear(&chat);
    TRY(err);
    chat_lane(&id, CHAT_LANE, lane);
    TRY(task_add(c, t, TASK_GROUP_CREATE, lane, &id, bytes_of(NULL, 0), &task));
    *ret_chat = id;
    *ret_task = task;
    return ERR_OK;
}

/* ---- RESERVE */

/* Keys of our homeserver are asked for beforehand, so that nothing is missing after the
 * reservation, which is good for ten minutes. */
static struct err prepare_reserve(struct core *c, struct db_txn *t, struct task_call *call,
                                  enum task_next *ret_next)
{
    struct homeserver home = {0};
    Hearth__V1__ReserveGroupIdRequest in = HEARTH__V1__RESERVE_GROUP_ID_REQUEST__INIT;
    struct err err = homeserver_get(c, t, c->account.domain, &home);
    homeserver_clear(&home);
    *ret_next = TASK_NEXT_WAIT;
    if (err.code == ERR_NOT_FOUND)
        return homeserver_want(c, t, c->account.domain);
    TRY(err);
    *ret_next = TASK_NEXT_CALL;
    memcpy(call->domain, c->account.domain, sizeof call->domain);
    call->anonymous = true;
    return task_call_request(call, "Delivery", "ReserveGroupId", &in.base);
}

static struct err take_id(struct chat *chat, const struct core *c,
                          const Hearth__V1__ReserveGroupIdResponse *out)
{
    struct domain_name name;
    TRY(domain_name_parse(bytes_of(out->group_id.data, out->group_id.len), &name));
    if (out->group_id.len > sizeof chat->group_id ||
        !bytes_equal(name.domain, bytes_str(c->account.domain)))
        return ERR(DOMAIN);
    memcpy(chat->group_id, out->group_id.data, out->group_id.len);
    chat->group_id_len = out->group_id.len;
    return ERR_OK;
}

static struct err choose_keys(struct core *c, struct db_txn *t, struct chat *chat)
{
    uint8_t key[STATE_KEY_BYTES];
    TRY(rng_fill(c->rng, key, sizeof key));
    chat->state_key_count = 0;
    chat_add_state_key(chat, key, 0);
    bytes_wipe(key, sizeof key);
    TRY(rng_fill(c->rng, chat->identity_key, sizeof chat->identity_key));
    TRY(rng_fill(c->rng, chat->user_pseudonym, sizeof chat->user_pseudonym));
    return chat_new_leaf(c, t, chat);
}

static struct err found(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    struct homeserver home = {0};
    struct mls_group *group = NULL;
    struct mls_group_config config = chat_group_config();
    struct buf list = BUF_INIT;
    TRY(homeserver_get(c, t, c->account.domain, &home));
    struct err err = group_context_first(c, &chat->chat, public_key_view(&home.sender_key), &list);
    homeserver_clear(&home);
    if (err_is_ok(err)) {
        struct extensions extensions = {buf_view(&list)};
        struct leaf_profile profile = chat_leaf_profile(buf_view(&chat->chat.credential));
        err = group_create(&chat->client, chat_suite(), &config, chat_group_id(&chat->chat),
                           &extensions, &profile, &group);
    }
    buf_clear(&list);
    TRY(err);
    chat_set_group(chat, &group);
    return ERR_OK;
}

static struct err pack_create(struct core *c, struct task *task, const struct open_chat *chat,
                              struct own_record *record, struct bytes reservation)
{
    struct request_id id;
    struct group_access access;
    struct buf info = BUF_INIT, packed = BUF_INIT;
    Hearth__V1__CreateGroupRequest in = HEARTH__V1__CREATE_GROUP_REQUEST__INIT;
    struct err err =
        group_make_info(chat->group, &chat->client, (struct group_info_options){true, true}, &info);
    (void)c;
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.reservation = pb_of(reservation);
    in.group_info = pb_of(buf_view(&info));
    in.creator = &record->message;
    if (err_is_ok(err)) {
        err = core_pack(&in.base, &packed);
    }
    if (err_is_ok(err)) {
        buf_clear(&task->body);
        wire_write_vector(&task->body, buf_view(&packed));
        err = buf_check(&task->body);
    }
    buf_clear(&info);
    buf_clear(&packed);
    return err;
}

static struct err settle_reserve(struct core *c, struct db_txn *t, struct task *task,
                                 struct open_chat *chat,
                                 const Hearth__V1__ReserveGroupIdResponse *out,
                                 enum task_next *ret_next)
{
    struct own_record record;
    struct err err = take_id(&chat->chat, c, out);
    if (!err_is_ok(err))
        return task_step_failed(c, task, err, ret_next);
    TRY(choose_keys(c, t, &chat->chat));
    TRY(found(c, t, chat));
    TRY(own_record_make(c, &chat->chat, NULL, &record));
    TRY(task_renew(c, task));
    err =
        pack_create(c, task, chat, &record, bytes_of(out->reservation.data, out->reservation.len));
    record.news.leaf = group_own_leaf(chat->group);
    if (err_is_ok(err))
        err = roster_news(c, t, chat, &record.news, core_now_ms(c) / 1000);
    own_record_clear(&record);
    TRY(err);
    task->state = CREATE;
    *ret_next = TASK_NEXT_AGAIN;
    return chat_save(c, t, chat);
}

/* ---- CREATE */

static struct err prepare_create(struct core *c, struct task *task, const struct open_chat *chat,
                                 struct task_call *call, enum task_next *ret_next)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes request = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                             call, "CreateGroup", request);
}

/* Are there further devices of ours? */
static bool has_devices(const struct core *c)
{
    struct key_set set;
    return c->account.key_set.len > 0 &&
           err_is_ok(key_set_parse(buf_view(&c->account.key_set), &set)) && set.client_count > 1;
}

static struct err settle_create(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    uint64_t task;
    if (chat->chat.kind != HEARTH_CHAT_DIRECT)
        chat->chat.state = HEARTH_CHAT_OPEN;
    TRY(chat_save(c, t, chat));
    if (chat->chat.kind == HEARTH_CHAT_GROUP)
        TRY(receive_event(c, t, chat, HEARTH_EVENT_CHAT_JOINED, 0, NULL));
    /* the connection group of a direct chat takes one user, but any of his devices: they follow */
    return has_devices(c)
               ? group_wish(c, t, &chat->chat.id, &(struct commit_wish){.add_devices = true}, &task)
               : ERR_OK;
}

/* ---- steps */

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, &task->subject, &chat));
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return task_step_failed(c, task, ERR(CLIENT_CHAT_STATE), ret_next);
    return task->state == RESERVE ? prepare_reserve(c, t, call, ret_next)
                                  : prepare_create(c, task, chat, call, ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, &task->subject, &chat));
    *ret_next = TASK_NEXT_DONE;
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    if (answer->status->code == HEARTH_OK)
        return task->state == RESERVE
                   ? settle_reserve(c, t, task, chat,
                                    (const Hearth__V1__ReserveGroupIdResponse *)answer->out,
                                    ret_next)
                   : settle_create(c, t, chat);
    if (task->state == CREATE && answer->status->code == HEARTH_FAILED_PRECONDITION) {
        task->state = RESERVE; /* the reservation had run out while we were away */
        chat_set_group(chat, NULL);
        TRY(chat_save(c, t, chat));
        *ret_next = TASK_NEXT_AGAIN;
        return task_renew(c, task);
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
    return group_over(c, t, chat, "the group could not be made");
}

const struct task_steps task_steps_GROUP_CREATE = {
    .prepare = prepare, .settle = settle, .failed = failed};
