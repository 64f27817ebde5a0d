/* TASK_LOG_MEET: members of one homeserver whom we don't know are given a moment to prove
 * themselves; then those who did not are looked up (log_proof.h).
 *
 *     body    opaque domain<V>
 */
#include <stdio.h>

#include "client/core/log_inside.h"
#include "client/core/log_proof.h"
#include "client/core/task.h"

static void meet_lane(const char *domain, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 log meet"), bytes_str(domain)), &d);
    memcpy(ret_lane, d.data, 16);
}

static struct err wait_for(struct core *c, struct db_txn *t, const char *domain)
{
    uint8_t lane[16];
    bool there;
    struct buf body = BUF_INIT;
    meet_lane(domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_LOG_MEET, &there));
    if (there) {
        task_wake(c, lane);
        return ERR_OK;
    }
    wire_write_vector(&body, bytes_str(domain));
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_MEET, lane, NULL, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

struct err log_proof_await(struct core *c, struct db_txn *t, const char *domain, struct bytes label)
{
    struct log_label *l = NULL;
    struct err err = log_label_get(t, domain, label, &l);
    if (err.code == ERR_NOT_FOUND)
        err = log_label_new(domain, label, &l);
    TRY(err);
    bool waits = l->awaited_ms != 0 || (l->task != 0 && tasks_has(c, l->task));
    if (!waits) {
        l->awaited_ms = core_now_ms(c);
        l->roles |= LOG_CONTACT;
        err = log_label_put(t, l);
    }
    log_label_free(l);
    TRY(err);
    return waits ? ERR_OK : wait_for(c, t, domain);
}

struct waiting {
    uint64_t now_ms, next_ms; /* next_ms: when the next one's time is over; 0: nobody waits */
    struct buf over;          /* opaque label<V> each */
};

static struct err look_at(void *arg, struct log_label *l)
{
    struct waiting *w = arg;
    if (l->awaited_ms == 0)
        return ERR_OK;
    uint64_t until = l->awaited_ms + PROOF_PATIENCE_MS;
    if (w->now_ms >= until || w->now_ms < l->awaited_ms)
        wire_write_vector(&w->over, buf_view(&l->label));
    else if (w->next_ms == 0 || until < w->next_ms)
        w->next_ms = until;
    return buf_check(&w->over);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes name = wire_read_vector(&r);
    struct waiting w = {.now_ms = core_now_ms(c)};
    (void)call;
    TRY(wire_reader_end(&r));
    if (name.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(domain, sizeof domain, "%.*s", (int)name.len, (const char *)name.data);
    TRY(log_proof_retry(c, t, domain));
    struct err err = log_label_each(t, domain, look_at, &w);
    if (err_is_ok(err) && w.over.len > 0)
        err = log_search_many(c, t, domain, buf_view(&w.over));
    buf_clear(&w.over);
    *ret_next = w.next_ms != 0 ? TASK_NEXT_WAIT : TASK_NEXT_DONE;
    task->not_before_ms = w.next_ms;
    return err;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c, (void)t, (void)task, (void)answer;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

const struct task_steps task_steps_LOG_MEET = {.prepare = prepare, .settle = settle};
