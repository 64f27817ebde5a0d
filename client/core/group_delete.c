/* Deleting a group: an admin's commit that removes everybody else, which nobody merges.
 * Its body: client/core/epoch_request.h.
 */
#include <stdlib.h>

#include "client/core/epoch_request.h"
#include "client/core/receive.h"
#include "client/core/roster.h"

enum delete_state { BUILD = 0, SENT = 1 };

struct err group_delete_begin(struct core *c, struct db_txn *t, const struct hearth_id *id,
                              uint64_t *ret_task)
{
    struct open_chat *chat;
    struct buf body = BUF_INIT;
    uint8_t lane[16];
    TRY(chat_open(c, t, id, &chat));
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->group == NULL)
        return ERR(CLIENT_CHAT_STATE);
    if (!group_we_are_admin(chat))
        return ERR(CLIENT_NOT_ADMIN);
    struct err err = epoch_request_begin(&body);
    chat_lane(id, CHAT_LANE, lane);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_DELETE, lane, id, buf_view(&body), ret_task);
    buf_clear(&body);
    return err;
}

/* ---- the commit */

/* Removes of all others by value but those that wait to be covered. */
static struct err commit_removal(struct open_chat *chat, struct commit_output *ret_output)
{
    const struct public_group *g = group_public(chat->group);
    uint32_t width = g->tree.width;
    struct buf *proposals = calloc(width + 1, sizeof *proposals);
    struct bytes *views = calloc(width + 1, sizeof *views);
    struct err err = proposals != NULL && views != NULL ? ERR_OK : ERR(NO_MEMORY);
    struct leaf_node leaf;
    size_t count = 0;
    for (uint32_t i = 0; i < width && err_is_ok(err); i++) {
        if (i == group_own_leaf(chat->group) || !public_group_leaf(g, i, &leaf) ||
            public_group_remove_pending(g, i))
            continue;
        proposal_write(&proposals[count], &(struct proposal){.type = PROPOSAL_REMOVE, .remove = i});
        err = buf_check(&proposals[count]);
        views[count] = buf_view(&proposals[count]);
        count++;
    }
    if (err_is_ok(err))
        err = group_commit(chat->group, &chat->client,
                           &(struct commit_options){
                               .proposals = views, .proposal_count = count, .force_path = true},
                           ret_output);
    for (uint32_t i = 0; proposals != NULL && i < width; i++)
        buf_clear(&proposals[i]);
    free(proposals);
    free(views);
    return err;
}

static struct err pack_request(const struct task *task, const struct open_chat *chat,
                               const struct buf *commit, struct buf *packed)
{
    struct request_id id;
    struct group_access access;
    Hearth__V1__DeleteGroupRequest in = HEARTH__V1__DELETE_GROUP_REQUEST__INIT;
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = pb_of(buf_view(commit));
    return core_pack(&in.base, packed);
}

static struct err build(struct task *task, struct open_chat *chat, struct epoch_request *r)
{
    struct commit_output output = {0};
    struct buf packed = BUF_INIT;
    TRY(commit_removal(chat, &output));
    group_drop_pending(chat->group); /* there is no epoch after it */
    struct err err = pack_request(task, chat, &output.commit, &packed);
    if (err_is_ok(err)) {
        task->state = SENT;
        err = epoch_request_keep(task, chat->group, &packed, r);
    }
    commit_output_clear(&output);
    buf_clear(&packed);
    return err;
}

/* ---- steps */

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
    if (task->state == BUILD) {
        *ret_next = TASK_NEXT_WAIT;
        if (group_waits_on(c, task, chat, r.tries, r.epoch))
            return ERR_OK;
        task->not_before_ms = 0;
        if (chat->chat.state == HEARTH_CHAT_BROKEN || chat->chat.commit_task != 0)
            return ERR_OK;
        if (!group_we_are_admin(chat))
            return task_step_failed(c, task, ERR(CLIENT_NOT_ADMIN), ret_next);
        TRY(build(task, chat, &r));
    }
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                             call, "DeleteGroup", r.request);
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
        return group_over(c, t, chat, "you deleted the group");
    case GROUP_ANSWER_STALE:
        return epoch_request_stale(c, task, chat, BUILD, &r, ret_next);
    default:
        return task_step_refused(c, task, answer, ret_next);
    }
}

const struct task_steps task_steps_DELETE = {.prepare = prepare, .settle = settle};
