/* Commits: a wish from fetching KeyPackages to the new epoch, through lost races (group.h).
 *
 *     FETCH    KeyPackages of each contact, then of our own devices, one call each
 *     BUILD    the commit, pending in the group, and its request, in the body: one step
 *     SENT     OK: the new epoch; another was faster: catch up, BUILD
 *
 * chat.commit_task names the task while its commit may have been accepted.
 */
#include "client/core/commit_body.h"
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "seal/contact_token.h"
#include "wire/writer.h"

enum commit_state { FETCH = 0, BUILD = 1, SENT = 2 };
enum {
    COVER_LEAST_MS = 500,
    COVER_SPREAD_MS = 3000,
    GET_PACKAGES_MAX_BYTES = 131072,
    ADDED_MAX = 1024
};

static struct err put_body(struct task *task, const struct commit_body *body)
{
    buf_clear(&task->body);
    return commit_body_write(body, &task->body);
}

/* ---- wishes */

static struct err check_contact(struct core *c, struct db_txn *t, const struct hearth_id *id)
{
    struct contact contact = {0};
    TRY(contact_get(c, t, id, &contact));
    bool has = contact.has_package && contact.user_id.len > 0;
    contact_clear(&contact);
    return has ? ERR_OK : ERR(CLIENT_NO_PACKAGE);
}

static bool has_member(const struct roster *r, const uint8_t pseudonym[16])
{
    for (size_t i = 0; i < r->count; i++)
        if (memcmp(r->leaves[i].user_pseudonym, pseudonym, 16) == 0)
            return true;
    return false;
}

/* Rights and existence, told at once where the group is there to ask. */
static struct err check_wish(struct core *c, struct db_txn *t, const struct open_chat *chat,
                             const struct commit_wish *wish)
{
    bool needs_admin = wish->add_count > 0 || wish->promote != NULL || wish->demote != NULL ||
                       wish->rename != NULL;
    for (size_t i = 0; i < wish->add_count; i++)
        TRY(check_contact(c, t, &wish->add[i]));
    if (chat->group == NULL)
        return ERR_OK; /* we found it */
    for (size_t i = 0; i < wish->remove_count; i++) {
        if (!has_member(chat->roster, wish->remove[i]))
            return ERR(NOT_FOUND);
        needs_admin |= memcmp(wish->remove[i], chat->chat.user_pseudonym, 16) != 0;
    }
    if ((wish->promote != NULL && !has_member(chat->roster, wish->promote)) ||
        (wish->demote != NULL && !has_member(chat->roster, wish->demote)))
        return ERR(NOT_FOUND);
    return needs_admin && !group_we_are_admin(chat) ? ERR(CLIENT_NOT_ADMIN) : ERR_OK;
}

static struct err add_wish(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                           enum chat_lane lane, const struct commit_wish *wish, uint64_t *ret_task)
{
    struct commit_body body;
    struct buf b = BUF_INIT;
    uint8_t name[16];
    TRY(commit_body_of(wish, &body));
    struct err err = commit_body_write(&body, &b);
    chat_lane(chat, lane, name);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_COMMIT, name, chat, buf_view(&b), ret_task);
    commit_body_clear(&body);
    buf_clear(&b);
    return err;
}

struct err group_wish(struct core *c, struct db_txn *t, const struct hearth_id *id,
                      const struct commit_wish *wish, uint64_t *ret_task)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, id, &chat));
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->chat.leaving)
        return ERR(CLIENT_CHAT_STATE);
    TRY(check_wish(c, t, chat, wish));
    return add_wish(c, t, id, CHAT_LANE, wish, ret_task);
}

/* At most one at a time beside what people want: any commit covers the proposals that wait. */
static struct err add_beside(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                             const struct commit_wish *wish)
{
    uint8_t lane[16];
    bool there;
    uint64_t task;
    chat_lane(chat, CHAT_LANE_COVER, lane);
    TRY(task_in_lane(c, t, lane, TASK_COMMIT, &there));
    return there ? ERR_OK : add_wish(c, t, chat, CHAT_LANE_COVER, wish, &task);
}

struct err group_cover(struct core *c, struct db_txn *t, const struct hearth_id *chat)
{
    return add_beside(c, t, chat, &(struct commit_wish){.cover = true});
}

struct err group_fresh_leaf(struct core *c, struct db_txn *t, const struct hearth_id *chat)
{
    return add_beside(c, t, chat, &(struct commit_wish){.update = true});
}

/* ---- FETCH */

static struct err fetch_call(struct core *c, struct task *task, const char *domain,
                             size_t domain_len, const uint8_t *queue_user_id, const uint8_t *token,
                             struct task_call *call)
{
    struct request_id id;
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    (void)c;
    if (domain_len > DOMAIN_MAX_BYTES)
        return ERR(DOMAIN);
    memcpy(call->domain, domain, domain_len);
    call->domain[domain_len] = '\0';
    call->anonymous = true;
    request_id_of(task, &id);
    in.idempotency = &id.message;
    in.queue_user_id = pb_of(bytes_of(queue_user_id, 16));
    in.contact_token = pb_of(bytes_of(token, CONTACT_TOKEN_BYTES));
    return task_call_request(call, "Queue", "GetKeyPackages", &in.base);
}

static struct err fetch_contact(struct core *c, struct db_txn *t, struct task *task,
                                const struct hearth_id *id, struct task_call *call)
{
    struct contact contact = {0};
    struct domain_name user;
    TRY(contact_get(c, t, id, &contact));
    struct err err = contact.has_package ? domain_name_parse(buf_view(&contact.user_id), &user)
                                         : ERR(CLIENT_NO_PACKAGE);
    if (err_is_ok(err))
        err = fetch_call(c, task, (const char *)user.domain.data, user.domain.len,
                         contact.queue_user_id, contact.contact_token, call);
    contact_clear(&contact);
    return err;
}

/* Our own devices by a token of our own: contact id zeros, which nobody else has. */
static struct err fetch_own(struct core *c, struct task *task, struct task_call *call)
{
    static const uint8_t self[CONTACT_ID_BYTES];
    uint8_t token[CONTACT_TOKEN_BYTES];
    contact_token_make(c->account.user.contact_key, self, token);
    struct err err = fetch_call(c, task, c->account.domain, strlen(c->account.domain),
                                c->account.user.queue_user_id, token, call);
    bytes_wipe(token, sizeof token);
    return err;
}

/* COVER commits come from all members: a moment later each, so that one is the first. */
static struct err delay(struct core *c, struct task *task, struct commit_body *body,
                        bool *ret_waits)
{
    uint16_t random;
    *ret_waits = false;
    if (!body->cover)
        return ERR_OK;
    if (body->not_before_ms == 0) {
        TRY(rng_fill(c->rng, &random, sizeof random));
        body->not_before_ms = core_now_ms(c) + COVER_LEAST_MS + random % COVER_SPREAD_MS;
        TRY(put_body(task, body));
    }
    task->not_before_ms = body->not_before_ms;
    *ret_waits = core_now_ms(c) < body->not_before_ms;
    return ERR_OK;
}

static struct err prepare_fetch(struct core *c, struct db_txn *t, struct task *task,
                                struct open_chat *chat, struct commit_body *body,
                                struct task_call *call, enum task_next *ret_next)
{
    bool waits;
    TRY(delay(c, task, body, &waits));
    *ret_next = waits ? TASK_NEXT_WAIT : TASK_NEXT_CALL;
    if (waits)
        return ERR_OK;
    while (body->fetched_count < body->add_count &&
           chat_has_contact(chat, &body->add[body->fetched_count]))
        body->fetched_count++; /* is in already: nothing is fetched */
    TRY(put_body(task, body));
    if (body->fetched_count < body->add_count)
        return fetch_contact(c, t, task, &body->add[body->fetched_count], call);
    if (body->add_devices && body->fetched_count == body->add_count)
        return fetch_own(c, task, call);
    task->state = BUILD;
    *ret_next = TASK_NEXT_AGAIN;
    return task_renew(c, task);
}

static struct err settle_fetch(struct core *c, struct task *task, struct commit_body *body,
                               const struct task_answer *answer, enum task_next *ret_next)
{
    if (answer->status->code != HEARTH_OK) {
        return task_step_refused(c, task, answer, ret_next);
    }
    size_t len = protobuf_c_message_get_packed_size(answer->out);
    if (len > GET_PACKAGES_MAX_BYTES || body->fetched_count == FETCHED_MAX)
        return ERR(TOO_LARGE);
    struct buf *out = &body->fetched[body->fetched_count++];
    uint8_t *room = buf_extend(out, len);
    if (room != NULL)
        (void)protobuf_c_message_pack(answer->out, room);
    TRY(buf_check(out));
    TRY(put_body(task, body));
    *ret_next = TASK_NEXT_AGAIN;
    return task_renew(c, task);
}

/* ---- BUILD */

/* Can a commit be made now? */
static bool must_wait(const struct task *task, const struct open_chat *chat)
{
    return chat->group == NULL || chat->chat.state == HEARTH_CHAT_BROKEN ||
           (chat->chat.commit_task != 0 && chat->chat.commit_task != task->number);
}

static struct err send_call(struct core *c, const struct open_chat *chat,
                            const struct commit_body *body, struct task_call *call,
                            enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                             call, "Commit", buf_view(&body->request));
}

static struct err prepare_build(struct core *c, struct db_txn *t, struct task *task,
                                struct open_chat *chat, struct commit_body *body,
                                struct task_call *call, enum task_next *ret_next)
{
    enum commit_built built;
    *ret_next = TASK_NEXT_WAIT;
    if (group_waits_on(c, task, chat, body->tries, body->epoch))
        return ERR_OK;
    task->not_before_ms = 0;
    if (must_wait(task, chat))
        return ERR_OK;
    struct err err = commit_build(c, t, task, chat, body, &built);
    if (!err_is_ok(err))
        return err_class_of(err) == ERR_CLASS_OURS ? err : task_step_failed(c, task, err, ret_next);
    if (built == COMMIT_WAITS)
        return put_body(task, body);
    if (built == COMMIT_UNMAKABLE)
        return task_step_failed(c, task, ERR(CLIENT_MEMBER_KEYS), ret_next);
    if (built == COMMIT_NOTHING) {
        *ret_next = TASK_NEXT_DONE;
        return ERR_OK;
    }
    chat->chat.commit_task = task->number;
    if (body->fresh_leaf)
        memcpy(chat->chat.tag_next, body->leaf.tag, sizeof chat->chat.tag_next);
    task->state = SENT;
    TRY(put_body(task, body));
    TRY(chat_save(c, t, chat));
    return send_call(c, chat, body, call, ret_next);
}

/* ---- SENT */

static void wake_lanes(struct core *c, const struct hearth_id *chat)
{
    static const enum chat_lane lanes[] = {CHAT_LANE, CHAT_LANE_COVER, CHAT_LANE_KEYS};
    uint8_t lane[16];
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        chat_lane(chat, lanes[i], lane);
        task_wake(c, lane);
    }
}

/* Ours it isn't, or not any more. Saves; what was held is looked at again. */
static struct err give_up_commit(struct core *c, struct db_txn *t, struct open_chat *chat,
                                 uint64_t task)
{
    if (chat->chat.commit_task != task)
        return ERR_OK;
    if (chat->group != NULL)
        group_drop_pending(chat->group);
    chat->chat.commit_task = 0;
    memset(chat->chat.tag_next, 0, sizeof chat->chat.tag_next);
    TRY(chat_save(c, t, chat));
    wake_lanes(c, &chat->chat.id);
    return held_replay(c, t, chat);
}

static struct err settle_stale(struct core *c, struct db_txn *t, struct task *task,
                               struct open_chat *chat, struct commit_body *body,
                               uint64_t server_epoch, enum task_next *ret_next)
{
    TRY(give_up_commit(c, t, chat, task->number));
    bool moved = chat->group != NULL && group_epoch(chat->group) > body->epoch;
    body->tries = moved ? 0 : body->tries + 1;
    task->state = BUILD;
    TRY(put_body(task, body));
    TRY(task_renew(c, task));
    *ret_next = TASK_NEXT_AGAIN;
    if (moved && (server_epoch == 0 || group_epoch(chat->group) >= server_epoch))
        return ERR_OK;
    if (body->tries < GROUP_STALE_MAX)
        return group_catch_up(c, task, body->tries, ret_next);
    uint64_t resync;
    TRY(group_resync_begin(c, t, &chat->chat.id, &resync));
    return task_step_failed(c, task, ERR(CLIENT_LOST_STEP), ret_next);
}

/* The records that went with the commit, for our own roster. */
static struct err take_records(struct core *c, struct db_txn *t, struct open_chat *chat,
                               const Hearth__V1__CommitRequest *request, const uint32_t *leaves,
                               size_t count, uint64_t accepted_s)
{
    for (size_t i = 0; i < request->n_joiners && i < count; i++) {
        const Hearth__V1__LeafRecord *r = request->joiners[i]->leaf;
        struct leaf_news news = {.leaf = leaves[i],
                                 .user_pseudonym = r->user_pseudonym.data,
                                 .wrapped_identity_key = bytes_of(r->wrapped_identity_key.data,
                                                                  r->wrapped_identity_key.len),
                                 .wrapped_profile_key = bytes_of(r->wrapped_profile_key.data,
                                                                 r->wrapped_profile_key.len)};
        TRY(roster_news(c, t, chat, &news, accepted_s));
    }
    if (request->own_leaf == NULL)
        return ERR_OK;
    struct leaf_news own = {.leaf = group_own_leaf(chat->group),
                            .user_pseudonym = request->own_leaf->user_pseudonym.data,
                            .wrapped_identity_key =
                                bytes_of(request->own_leaf->wrapped_identity_key.data,
                                         request->own_leaf->wrapped_identity_key.len)};
    return roster_news(c, t, chat, &own, accepted_s);
}

static void take_leaf(struct chat *chat, struct commit_body *body)
{
    if (!body->fresh_leaf)
        return;
    chat_retire_tag(chat);
    chat_leaf_move(chat, &body->leaf);
}

static struct err enter(struct core *c, struct db_txn *t, struct open_chat *chat,
                        struct commit_body *body, const Hearth__V1__CommitRequest *request,
                        const Hearth__V1__CommitResponse *out)
{
    const struct staged_commit *staged = group_pending(chat->group);
    uint32_t added[ADDED_MAX];
    size_t count = 0;
    if (staged == NULL)
        return ERR(INTERNAL);
    for (uint32_t i = 0; i < staged->added.count && count < ADDED_MAX; i++)
        added[count++] = staged->added.at[i] / 2;
    TRY(group_merge_pending(chat->group));
    chat_committed(&chat->chat, group_epoch(chat->group), group_own_leaf(chat->group));
    chat->chat.commit_task = 0;
    memset(chat->chat.tag_next, 0, sizeof chat->chat.tag_next);
    take_leaf(&chat->chat, body);
    if (out->state_key.len == STATE_KEY_BYTES)
        chat_add_state_key(&chat->chat, out->state_key.data, group_epoch(chat->group));
    if (body->rotates) {
        chat_add_identity_key(&chat->chat, body->identity_key, body->epoch + 1);
        TRY(group_tell_identity_key(c, t, chat));
    }
    TRY(take_records(c, t, chat, request, added, count, out->accepted_at));
    TRY(identity_key_renew(c, t, chat));
    return receive_new_epoch(c, t, chat);
}

static struct err settle_ok(struct core *c, struct db_txn *t, struct open_chat *chat,
                            struct commit_body *body, const Hearth__V1__CommitResponse *out)
{
    Hearth__V1__CommitRequest *request =
        hearth__v1__commit_request__unpack(NULL, body->request.len, body->request.data);
    if (request == NULL)
        return ERR(NO_MEMORY);
    struct err err = enter(c, t, chat, body, request, out);
    hearth__v1__commit_request__free_unpacked(request, NULL);
    TRY(err);
    TRY(chat_save(c, t, chat));
    wake_lanes(c, &chat->chat.id);
    return held_replay(c, t, chat);
}

static struct err settle_sent(struct core *c, struct db_txn *t, struct task *task,
                              struct open_chat *chat, struct commit_body *body,
                              const struct task_answer *answer, enum task_next *ret_next)
{
    uint64_t epoch;
    switch (group_answer_of(answer, &epoch)) {
    case GROUP_ANSWER_OK:
        *ret_next = TASK_NEXT_DONE;
        if (chat->group == NULL)
            return ERR_OK;
        if (chat->chat.commit_task != task->number || group_pending(chat->group) == NULL) {
            TRY(give_up_commit(c, t, chat, task->number));
            return receive_broken(c, t, chat, group_epoch(chat->group) + 1, NULL,
                                  "the homeserver accepted two commits of one epoch");
        }
        return settle_ok(c, t, chat, body, (const Hearth__V1__CommitResponse *)answer->out);
    case GROUP_ANSWER_STALE:
        return settle_stale(c, t, task, chat, body, epoch, ret_next);
    default:
        return task_step_refused(c, task, answer, ret_next);
    }
}

/* ---- steps */

static struct err prepare_with(struct core *c, struct db_txn *t, struct task *task,
                               struct commit_body *body, struct task_call *call,
                               enum task_next *ret_next)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, &task->subject, &chat));
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return task_step_failed(c, task, ERR(CLIENT_CHAT_STATE), ret_next);
    switch (task->state) {
    case FETCH:
        return prepare_fetch(c, t, task, chat, body, call, ret_next);
    case BUILD:
        return prepare_build(c, t, task, chat, body, call, ret_next);
    default:
        return send_call(c, chat, body, call, ret_next);
    }
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct commit_body body;
    TRY(commit_body_read(buf_view(&task->body), &body));
    struct err err = prepare_with(c, t, task, &body, call, ret_next);
    commit_body_clear(&body);
    return err;
}

static struct err settle_with(struct core *c, struct db_txn *t, struct task *task,
                              struct commit_body *body, const struct task_answer *answer,
                              enum task_next *ret_next)
{
    struct open_chat *chat;
    if (task->state == FETCH)
        return settle_fetch(c, task, body, answer, ret_next);
    TRY(chat_open(c, t, &task->subject, &chat));
    return settle_sent(c, t, task, chat, body, answer, ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct commit_body body;
    TRY(commit_body_read(buf_view(&task->body), &body));
    struct err err = settle_with(c, t, task, &body, answer, ret_next);
    commit_body_clear(&body);
    return err;
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
    return give_up_commit(c, t, chat, task->number);
}

const struct task_steps task_steps_COMMIT = {
    .prepare = prepare, .settle = settle, .failed = failed};
