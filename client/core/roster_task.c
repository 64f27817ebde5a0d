/* TASK_ROSTER: comes back to the leaves of a chat that are pending. At most one of a chat. */
#include "client/core/roster.h"
#include "client/core/task.h"

enum { WAIT_LEAST_MS = 2000, WAIT_MOST_MS = 10 * 60 * 1000 };

/* Half as long again as it has lasted: the newest of them counts. */
static uint64_t wait_ms(const struct core *c, const struct roster *r)
{
    uint64_t now = core_now_ms(c), wait = WAIT_MOST_MS;
    for (size_t i = 0; i < r->count; i++) {
        const struct roster_leaf *l = &r->leaves[i];
        if (l->state != ROSTER_PENDING)
            continue;
        uint64_t since = l->news_ms > c->opened_ms ? l->news_ms : c->opened_ms;
        uint64_t lasts = now > since ? now - since : 0;
        wait = lasts / 2 < wait ? lasts / 2 : wait;
        if (lasts < ROSTER_PATIENCE_MS && ROSTER_PATIENCE_MS - lasts < wait)
            wait = ROSTER_PATIENCE_MS - lasts;
    }
    return wait < WAIT_LEAST_MS ? WAIT_LEAST_MS : wait;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    (void)call;
    *ret_next = TASK_NEXT_DONE;
    struct err err = chat_open(c, t, &task->subject, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (chat->group == NULL || chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    TRY(roster_retry_pending(c, t, chat));
    TRY(chat_save(c, t, chat));
    if (roster_pending(chat->roster) == 0)
        return ERR_OK;
    task->not_before_ms = core_now_ms(c) + wait_ms(c, chat->roster);
    *ret_next = TASK_NEXT_WAIT;
    return ERR_OK;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c;
    (void)t;
    (void)task;
    (void)answer;
    *ret_next = TASK_NEXT_DONE; /* it makes no calls */
    return ERR_OK;
}

const struct task_steps task_steps_ROSTER = {.prepare = prepare, .settle = settle};
