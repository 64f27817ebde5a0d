/* From the queues of a desk to its streams. */
#include "hearth/v1/queue_rpc.h"
#include "seal/queue_ratchet.h"
#include "server/queue/desk.h"
#include "server/queue/job.h"

enum { PADDING_BYTES = 1024 + QUEUE_ITEM_OVERHEAD_BYTES };

/* What one queue had: the rows' numbers, lengths and bytes, one after the other. */
struct slot {
    struct listener *l;
    uint64_t client, from;
    struct buf items;
    size_t count;
    bool more, gone;
};
struct reading {
    struct desk *desk;
    size_t count;
    struct slot slots[DESK_READ_LISTENERS];
};
struct item_head {
    uint64_t number;
    size_t len;
};

/* ---- on a reader's thread */

static struct err read_items(struct stmt *s, struct slot *slot)
{
    bool row = false;
    TRY(stmt_step(s, &row));
    for (; row; slot->count++) {
        struct item_head head = {.number = queue_row_sequence(stmt_u64(s, 0))};
        struct bytes sealed = stmt_blob(s, 1);
        TRY(stmt_row_check(s));
        head.len = sealed.len;
        slot->more = slot->count == DESK_BATCH_ITEMS ||
                     (slot->count != 0 && slot->items.len + sealed.len > DESK_BATCH_BYTES);
        if (slot->more)
            break;
        buf_append(&slot->items, &head, sizeof head);
        buf_append_bytes(&slot->items, sealed);
        TRY(stmt_step(s, &row));
    }
    return buf_check(&slot->items);
}

static struct err read_slot(struct store_txn *txn, struct slot *slot)
{
    struct stmt *s = stmt_use(txn, SQL_ITEM_RANGE);
    stmt_bind_u64(s, 1, queue_row_key(slot->client, slot->from));
    stmt_bind_u64(s, 2, queue_row_key(slot->client, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, DESK_BATCH_ITEMS + 1);
    TRY(read_items(s, slot));
    if (slot->count != 0)
        return ERR_OK;
    s = stmt_use(txn, SQL_STATE_GET); /* is there still such a queue? */
    stmt_bind_u64(s, 1, slot->client);
    bool row = false;
    TRY(stmt_step(s, &row));
    slot->gone = !row;
    return ERR_OK;
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct reading *r = arg;
    for (size_t i = 0; i < r->count; i++)
        TRY(read_slot(txn, &r->slots[i]));
    return ERR_OK;
}

/* ---- on the loop */

/* ME1: what came within one tick is delivered together. */
static void arm_tick(struct desk *desk)
{
    uint32_t tick_ms = desk->desks->tick_ms;
    uint64_t now_ms = clock_monotonic_us(desk->q->env->clock) / 1000;
    if (desk->ticking)
        return;
    desk->ticking = hearth_timer_set(desk->tick, tick_ms - (uint32_t)(now_ms % tick_ms));
    if (!desk->ticking)
        desk_read(desk); /* no memory for it: at once */
}

static void on_writable(struct hearth_call *call, void *arg)
{
    struct listener *l = arg;
    (void)call;
    l->blocked = false;
    desk_look(l);
    desk_read(l->desk);
}

/* false: not now, or never again. */
static bool write_event(struct listener *l, const Hearth__V1__ListenResponse *event)
{
    int went = hearth_queue_listen_write(l->call, event);
    if (went == 0 && l->call != NULL) {
        l->blocked = l->hot = true;
        hearth_call_on_writable(l->call, on_writable, l);
    }
    return went > 0 && l->call != NULL;
}

static bool write_item(struct listener *l, uint64_t number, struct bytes sealed)
{
    Hearth__V1__QueueItem item = HEARTH__V1__QUEUE_ITEM__INIT;
    Hearth__V1__ListenResponse event = HEARTH__V1__LISTEN_RESPONSE__INIT;
    item.sequence = number;
    item.sealed = (ProtobufCBinaryData){sealed.len, (uint8_t *)(uintptr_t)sealed.data};
    event.event_case = HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM;
    event.item = &item;
    l->next = number + 1; /* also when the stream ends here: it may have arrived */
    return write_event(l, &event);
}

static bool write_items(struct listener *l, const struct slot *slot)
{
    size_t at = 0;
    for (size_t i = 0; i < slot->count; i++) {
        struct item_head head;
        memcpy(&head, slot->items.data + at, sizeof head);
        at += sizeof head;
        struct bytes sealed = bytes_of(slot->items.data + at, head.len);
        at += head.len;
        if (head.number >= l->next && !write_item(l, head.number, sealed))
            return false;
    }
    return true;
}

static void write_drained(struct listener *l)
{
    Hearth__V1__ListenDrained drained = HEARTH__V1__LISTEN_DRAINED__INIT;
    Hearth__V1__ListenResponse event = HEARTH__V1__LISTEN_RESPONSE__INIT;
    drained.up_to = l->next == 0 ? 0 : l->next - 1;
    event.event_case = HEARTH__V1__LISTEN_RESPONSE__EVENT_DRAINED;
    event.drained = &drained;
    l->drained = true;
    (void)write_event(l, &event);
}

/* As long as the item of a short message. */
static void write_padding(struct listener *l)
{
    static uint8_t nothing[PADDING_BYTES];
    Hearth__V1__QueueItem item = HEARTH__V1__QUEUE_ITEM__INIT;
    Hearth__V1__ListenResponse event = HEARTH__V1__LISTEN_RESPONSE__INIT;
    item.sequence = l->next == 0 ? 0 : l->next - 1;
    item.sealed = (ProtobufCBinaryData){sizeof nothing, nothing};
    event.event_case = HEARTH__V1__LISTEN_RESPONSE__EVENT_PADDING;
    event.padding = &item;
    (void)write_event(l, &event);
}

static void deliver(struct listener *l, const struct slot *slot, struct err result)
{
    l->reading = false;
    if (!desk_check(l))
        return;
    if (!err_is_ok(result)) /* the recheck tries again */
        return;
    if (slot->gone) {
        desk_end_listener(l, ERR(FRONT_UNAUTHENTICATED));
        return;
    }
    if (!write_items(l, slot))
        return;
    if (slot->more || l->hot)
        desk_look(l);
    else if (!l->drained)
        write_drained(l);
    else if (l->desk->desks->cover && slot->count == 0)
        write_padding(l);
    if (l->desk->desks->cover && l->call != NULL)
        arm_tick(l->desk);
}

static void done(void *arg, struct err result)
{
    struct reading *r = arg;
    struct desk *desk = r->desk;
    desk->reads--;
    for (size_t i = 0; i < r->count; i++) {
        deliver(r->slots[i].l, &r->slots[i], result);
        listener_unref(r->slots[i].l);
        buf_clear(&r->slots[i].items);
    }
    bytes_wipe(r, sizeof *r); /* ME4 */
    free(r);
    if (err_is_ok(result) && desk->count != 0)
        desk_read(desk);
    queue_unref(desk->q);
}

static void push_ready(struct listener *l)
{
    struct desk *desk = l->desk;
    l->ready = true;
    l->next_ready = NULL;
    *desk->ready_last = l;
    desk->ready_last = &l->next_ready;
    listener_ref(l);
}

static struct listener *pop_ready(struct desk *desk)
{
    struct listener *l = desk->ready_first;
    desk->ready_first = l->next_ready;
    if (desk->ready_first == NULL)
        desk->ready_last = &desk->ready_first;
    l->ready = false;
    return l;
}

void desk_look_at_all(struct desk *desk)
{
    for (struct listener *l = desk->all, *next; l != NULL; l = next) {
        next = l->next_on_desk; /* ending one does not end another */
        if (desk_check(l) && l->drained && !l->ready && !l->reading && !l->blocked)
            push_ready(l);
    }
    if (desk->count != 0)
        arm_tick(desk);
}

void desk_look(struct listener *l)
{
    if (l->call == NULL || !l->started || l->ready)
        return;
    if (l->desk->desks->cover && l->drained) {
        arm_tick(l->desk); /* looks at it */
        return;
    }
    if (l->reading || l->blocked) {
        l->hot = true;
        return;
    }
    push_ready(l);
    arm_tick(l->desk);
}

/* Fills a job from the list; false: nobody left. */
static bool fill(struct desk *desk, struct reading *r)
{
    while (r->count < DESK_READ_LISTENERS && desk->ready_first != NULL) {
        struct listener *l = pop_ready(desk);
        if (l->call == NULL) {
            listener_unref(l);
            continue;
        }
        l->reading = true;
        l->hot = false;
        r->slots[r->count++] = (struct slot){.l = l, .client = l->client, .from = l->next};
    }
    return r->count != 0;
}

static void give_back(struct reading *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct listener *l = r->slots[i].l;
        l->reading = false;
        if (l->call != NULL)
            push_ready(l);
        listener_unref(l);
    }
}

void desk_read(struct desk *desk)
{
    while (desk->reads < DESK_READS && desk->ready_first != NULL) {
        struct reading *r = calloc(1, sizeof *r);
        if (r == NULL)
            return; /* the recheck tries again */
        r->desk = desk;
        if (!fill(desk, r)) {
            free(r);
            return;
        }
        struct store_work work = {
            .principal = 1, .cost = (uint32_t)r->count, .run = run, .done = done, .arg = r};
        if (!err_is_ok(queue_read(desk->q, desk->inbox, &work))) {
            give_back(r);
            free(r);
            return;
        }
        queue_ref(desk->q);
        desk->reads++;
    }
}
