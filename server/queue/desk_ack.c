/* Acknowledgements and delivered marks of a desk's listeners, gathered. */
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/state.h"

struct mark {
    struct listener *l;
    uint64_t client, up_to, delivered_end;
    bool more;
};
struct marking {
    struct desk *desk;
    uint64_t now_s;
    size_t count;
    struct mark marks[DESK_ACK_LISTENERS];
};

static struct err run_mark(struct store_txn *txn, const struct queue *q, struct mark *mark,
                           uint64_t now_s)
{
    struct queue_state state;
    struct err err = queue_state_get(txn, q, mark->client, &state);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* deleted meanwhile */
    TRY(err);
    bool changed = false;
    err = queue_acknowledge(txn, q, &state, mark->up_to, mark->delivered_end, now_s, &changed,
                            &mark->more);
    uint64_t today = now_s / QUEUE_DAY_S;
    if (state.active_day < today) {
        state.active_day = today;
        changed = true;
    }
    if (err_is_ok(err) && changed)
        err = queue_state_set(txn, q, &state);
    queue_state_clear(&state);
    return err;
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct marking *m = arg;
    for (size_t i = 0; i < m->count; i++)
        TRY(run_mark(txn, m->desk->q, &m->marks[i], m->now_s));
    return ERR_OK;
}

static void push(struct listener *l)
{
    struct desk *desk = l->desk;
    if (l->ack_wanted)
        return;
    l->ack_wanted = true;
    l->next_ack = NULL;
    *desk->ack_last = l;
    desk->ack_last = &l->next_ack;
    desk->ack_count++;
    listener_ref(l);
}

/* Those that are waiting go together: when there are many, or some time after the first. */
static void wait_for_others(struct desk *desk)
{
    if (desk->ack_first == NULL)
        return;
    if (desk->ack_count < DESK_ACK_LISTENERS && desk->ack_timer != NULL) {
        if (!desk->ack_ticking)
            desk->ack_ticking = hearth_timer_set(desk->ack_timer, DESK_ACK_MS);
        if (desk->ack_ticking)
            return;
    }
    desk_ack(desk);
}

static void done(void *arg, struct err result)
{
    struct marking *m = arg;
    struct desk *desk = m->desk;
    bool well = err_is_ok(result), more = false;
    desk->acking = false;
    for (size_t i = 0; i < m->count; i++) {
        struct mark *mark = &m->marks[i];
        if (well && mark->l->marked_end < mark->delivered_end)
            mark->l->marked_end = mark->delivered_end;
        /* After a failure the recheck tries again; a listener that left has lost nothing: its items
         * come again. */
        if (mark->more || (!well && mark->l->call != NULL))
            push(mark->l);
        more = more || mark->more;
        listener_unref(mark->l);
    }
    bytes_wipe(m, sizeof *m); /* ME4 */
    free(m);
    if (well && more)
        desk_ack(desk);
    else if (well)
        wait_for_others(desk);
    queue_unref(desk->q);
}

static void fill(struct desk *desk, struct marking *m)
{
    while (m->count < DESK_ACK_LISTENERS && desk->ack_first != NULL) {
        struct listener *l = desk->ack_first;
        desk->ack_first = l->next_ack;
        l->ack_wanted = false;
        desk->ack_count--;
        m->marks[m->count++] = (struct mark){
            .l = l, .client = l->client, .up_to = l->ack_up_to, .delivered_end = l->next};
    }
    if (desk->ack_first == NULL)
        desk->ack_last = &desk->ack_first;
}

static void give_back(struct marking *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->marks[i].l->call != NULL)
            push(m->marks[i].l);
        listener_unref(m->marks[i].l);
    }
}

void desk_ack(struct desk *desk)
{
    if (desk->acking || desk->ack_first == NULL)
        return;
    struct marking *m = calloc(1, sizeof *m);
    if (m == NULL)
        return; /* the recheck tries again */
    m->desk = desk;
    m->now_s = queue_now_s(desk->q);
    fill(desk, m);
    struct store_work work = {.principal = 2,
                              .cost = (uint32_t)m->count,
                              .frees = true,
                              .run = run,
                              .done = done,
                              .arg = m};
    if (!err_is_ok(queue_write(desk->q, desk->inbox, &work))) {
        give_back(m);
        free(m);
        return;
    }
    queue_ref(desk->q);
    desk->acking = true;
}

void desk_acknowledge(struct listener *l)
{
    push(l);
    wait_for_others(l->desk);
}

/* ---- the last one of a listener that leaves: it asks no loop for anything, because its own may be
 * about to end */

struct leaving {
    struct queue *q;
    uint64_t now_s;
    struct mark mark;
};

static struct err run_leaving(struct store_txn *txn, void *arg)
{
    struct leaving *leaving = arg;
    return run_mark(txn, leaving->q, &leaving->mark, leaving->now_s);
}

static void leaving_done(void *arg, struct err result)
{
    struct leaving *leaving = arg;
    struct queue *q = leaving->q;
    (void)result; /* what failed is delivered again, or acknowledged later */
    bytes_wipe(leaving, sizeof *leaving); /* ME4 */
    free(leaving);
    queue_unref(q);
}

void desk_mark_last(const struct listener *l)
{
    struct leaving *leaving = malloc(sizeof *leaving);
    if (leaving == NULL)
        return;
    struct queue *q = l->desk->q;
    *leaving = (struct leaving){
        .q = q,
        .now_s = queue_now_s(q),
        .mark = {.client = l->client, .up_to = l->ack_up_to, .delivered_end = l->next}};
    struct store_work work = {.principal = 2,
                              .cost = 1,
                              .frees = true,
                              .run = run_leaving,
                              .done = leaving_done,
                              .arg = leaving};
    queue_ref(q);
    struct err err = queue_write(q, NULL, &work);
    if (!err_is_ok(err))
        leaving_done(leaving, err);
}
