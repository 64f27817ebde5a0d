/* Leaving: our other devices are removed by a commit of ours (group_leave_begin), then our own leaf
 * asks to be (ProposeSelfRemove). Done when the server holds the proposal; over when somebody has
 * committed it.
 * Its body: client/core/epoch_request.h.
 */
#include "client/core/epoch_request.h"
#include "client/core/receive.h"
#include "client/core/roster.h"

enum leave_state { PROPOSE = 0, SENT = 1 };

/* ---- the verb */

static struct err remove_other_devices(struct core *c, struct db_txn *t,
                                       const struct open_chat *chat)
{
    uint8_t clients[WISH_REMOVE_MAX][16];
    size_t count = 0;
    uint64_t task;
    for (size_t i = 0; i < chat->roster->count && count < WISH_REMOVE_MAX; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        if (l->own_user && l->leaf != group_own_leaf(chat->group) && l->client_id_len > 16)
            memcpy(clients[count++], l->client_id + l->client_id_len - 16, 16);
    }
    if (count == 0)
        return ERR_OK;
    return group_wish(c, t, &chat->chat.id,
                      &(struct commit_wish){.remove_clients = (const uint8_t(*)[16])clients,
                                            .remove_client_count = count},
                      &task);
}

static bool is_alone(const struct open_chat *chat)
{
    for (size_t i = 0; i < chat->roster->count; i++)
        if (!chat->roster->leaves[i].own_user)
            return false;
    return true;
}

struct err group_leave_begin(struct core *c, struct db_txn *t, const struct hearth_id *id,
                             uint64_t *ret_task)
{
    struct open_chat *chat;
    struct buf body = BUF_INIT;
    uint8_t lane[16];
    TRY(chat_open(c, t, id, &chat));
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->chat.leaving || chat->group == NULL)
        return ERR(CLIENT_CHAT_STATE);
    if (chat->chat.state == HEARTH_CHAT_BROKEN) { /* the others will see that we don't answer */
        *ret_task = 0;
        return group_over(c, t, chat, "you left the group");
    }
    if (is_alone(chat) && group_we_are_admin(chat))
        return group_delete_begin(c, t, id, ret_task);
    TRY(remove_other_devices(c, t, chat));
    struct err err = epoch_request_begin(&body);
    chat_lane(id, CHAT_LANE, lane);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LEAVE, lane, id, buf_view(&body), ret_task);
    buf_clear(&body);
    return err;
}

/* ---- steps */

static struct err pack_request(const struct task *task, const struct open_chat *chat,
                               const struct buf *message, struct buf *packed)
{
    struct request_id id;
    struct group_access access;
    Hearth__V1__ProposeSelfRemoveRequest in = HEARTH__V1__PROPOSE_SELF_REMOVE_REQUEST__INIT;
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.proposal = pb_of(buf_view(message));
    return core_pack(&in.base, packed);
}

/* It is stored in our group, too, and waits there for whoever commits it. */
static struct err propose(struct core *c, struct db_txn *t, struct task *task,
                          struct open_chat *chat, struct epoch_request *r)
{
    struct buf proposal = BUF_INIT, message = BUF_INIT, packed = BUF_INIT;
    proposal_write(&proposal, &(struct proposal){.type = PROPOSAL_REMOVE,
                                                 .remove = group_own_leaf(chat->group)});
    struct err err = group_propose(chat->group, &chat->client, buf_view(&proposal),
                                   bytes_of(NULL, 0), &message, NULL);
    if (err_is_ok(err))
        err = pack_request(task, chat, &message, &packed);
    if (err_is_ok(err)) {
        task->state = SENT;
        err = epoch_request_keep(task, chat->group, &packed, r);
    }
    if (err_is_ok(err))
        err = chat_save(c, t, chat);
    buf_clear(&proposal);
    buf_clear(&message);
    buf_clear(&packed);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct epoch_request r;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(epoch_request_read(task, &r));
    *ret_next = TASK_NEXT_DONE;
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->group == NULL)
        return ERR_OK;
    *ret_next = TASK_NEXT_WAIT;
    if (task->state == PROPOSE && group_waits_on(c, task, chat, r.tries, r.epoch))
        return ERR_OK;
    task->not_before_ms = 0;
    if (task->state == PROPOSE) {
        if (chat->chat.state == HEARTH_CHAT_BROKEN || chat->chat.commit_task != 0)
            return ERR_OK;
        TRY(propose(c, t, task, chat, &r));
    }
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                             call, "ProposeSelfRemove", r.request);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct epoch_request r;
    uint64_t epoch;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(epoch_request_read(task, &r));
    switch (group_answer_of(answer, &epoch)) {
    case GROUP_ANSWER_OK:
        *ret_next = TASK_NEXT_DONE;
        if (chat->chat.state == HEARTH_CHAT_OVER)
            return ERR_OK;
        chat->chat.leaving = true;
        return chat_save(c, t, chat);
    case GROUP_ANSWER_STALE:
        return epoch_request_stale(c, task, chat, PROPOSE, &r, ret_next);
    default:
        return task_step_refused(c, task, answer, ret_next);
    }
}

const struct task_steps task_steps_LEAVE = {.prepare = prepare, .settle = settle};
