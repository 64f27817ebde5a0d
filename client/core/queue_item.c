/* One item of the queue: ratchet, number and all that the item changes are one transaction. */
#include <stdio.h>

#include "client/core/event.h"
#include "client/core/publish.h"
#include "client/core/queue_inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 2, ROW_VERSION_HEADLESS = 1, GAP_MOST = 10000 };
static const struct bytes no_id = {NULL, 0};

struct err queue_row_get(struct db_txn *t, struct queue_row *ret_row)
{
    struct buf value = BUF_INIT;
    struct queue_row row = {0};
    struct err err = db_get(t, DB_QUEUE, no_id, &value);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&value));
        uint8_t version = wire_read_u8(&r);
        if (version != ROW_VERSION && version != ROW_VERSION_HEADLESS)
            wire_reader_fail(&r, ERR_WIRE_VALUE);
        struct bytes chain = wire_read_fixed(&r, sizeof row.ratchet.chain);
        row.ratchet.sequence = wire_read_u64(&r);
        row.failing = wire_read_present(&r);
        struct bytes head = {0};
        row.ratchet.head_lost = version == ROW_VERSION_HEADLESS;
        if (version == ROW_VERSION) {
            head = wire_read_fixed(&r, sizeof row.ratchet.head);
            row.ratchet.head_lost = wire_read_present(&r);
        }
        err = err_is_ok(wire_reader_end(&r)) ? ERR_OK : ERR(STORE_CORRUPT);
        if (err_is_ok(err)) {
            memcpy(row.ratchet.chain, chain.data, sizeof row.ratchet.chain);
            if (head.len > 0)
                memcpy(row.ratchet.head, head.data, sizeof row.ratchet.head);
            *ret_row = row;
        }
    }
    buf_clear(&value);
    bytes_wipe(&row, sizeof row);
    return err;
}

struct err queue_row_put(struct db_txn *t, const struct queue_row *row)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_fixed(&b, bytes_of(row->ratchet.chain, sizeof row->ratchet.chain));
    wire_write_u64(&b, row->ratchet.sequence);
    wire_write_present(&b, row->failing);
    wire_write_fixed(&b, bytes_of(row->ratchet.head, sizeof row->ratchet.head));
    wire_write_present(&b, row->ratchet.head_lost);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_QUEUE, no_id, buf_view(&b));
    buf_clear(&b);
    return err;
}

struct err queue_begin(struct core *c, struct db_txn *t)
{
    const struct queue_row row = {0};
    (void)c;
    return queue_row_put(t, &row);
}

static struct err next_run(struct core *c, struct db_txn *t, void *arg)
{
    struct queue_row row;
    (void)c;
    TRY(queue_row_get(t, &row));
    *(uint64_t *)arg = row.ratchet.sequence;
    bytes_wipe(&row, sizeof row);
    return ERR_OK;
}

struct err queue_next(struct core *c, uint64_t *ret_sequence)
{
    return core_look(c, next_run, ret_sequence);
}

/* ---- what an item says */

static struct err tell(struct core *c, struct db_txn *t, enum hearth_event_kind kind,
                       uint64_t count, const char *text)
{
    struct hearth_event event = {.kind = kind,
                                 .message = count,
                                 .result =
                                     kind == HEARTH_EVENT_LOSS ? HEARTH_FAILED : HEARTH_UNVERIFIED,
                                 .text = text};
    return event_tell(c, t, &event);
}

static struct err take_gap(struct core *c, struct db_txn *t, struct bytes body)
{
    struct wire_reader r = wire_reader_of(body);
    uint64_t items = wire_read_u64(&r);
    (void)wire_read_u64(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        items = 0;
    return tell(c, t, HEARTH_EVENT_LOSS, items, "our queue was full: items did not fit");
}

static struct err take_opened(struct core *c, struct db_txn *t, uint64_t sequence,
                              const struct queue_item *item)
{
    switch (item->kind) {
    case QUEUE_ITEM_DELIVERY:
        return receive_item(c, t, sequence, item);
    case QUEUE_ITEM_GAP:
        return take_gap(c, t, item->body);
    case QUEUE_ITEM_LAST_RESORT:
        return key_package_publish(c, t);
    case QUEUE_ITEM_REFRESH:
    case QUEUE_ITEM_DUMMY:
    default:
        return ERR_OK; /* or of a newer server */
    }
}

struct taking {
    const Hearth__V1__QueueItem *item;
    bool pass_over; /* it can't be processed: not again */
};

/* Numbers that never came: the chain moves over them; a refresh among them is lost with all that
 * follows until the next. */
static struct err skip_missing(struct core *c, struct db_txn *t, struct queue_row *row,
                               uint64_t until)
{
    uint64_t missing = until - row->ratchet.sequence;
    for (uint64_t n = 0; n < missing && n < GAP_MOST; n++)
        TRY(queue_ratchet_skip(&row->ratchet));
    row->ratchet.sequence = until;
    row->ratchet.head_lost = true;
    return tell(c, t, HEARTH_EVENT_LOSS, missing, "the homeserver left out items of our queue");
}

static bool is_ours(struct err err)
{
    enum err_class class = err_class_of(err);
    return class == ERR_CLASS_OURS || class == ERR_CLASS_LATER;
}

/* Opens what is next. What does not open is told once for all that follow each other. */
static struct err open_one(struct core *c, struct db_txn *t, const struct taking *taking,
                           struct queue_row *row)
{
    struct bytes sealed = core_in(taking->item->sealed);
    uint64_t sequence = row->ratchet.sequence;
    struct queue_item item;
    struct buf scratch = BUF_INIT;
    if (sealed.len == 0) {
        TRY(queue_ratchet_skip(&row->ratchet));
        return tell(c, t, HEARTH_EVENT_LOSS, 1, "an item waited too long in our queue");
    }
    if (taking->pass_over) {
        TRY(queue_ratchet_skip(&row->ratchet));
        return tell(c, t, HEARTH_EVENT_LOSS, 1, "an item could not be processed");
    }
    struct err err =
        queue_ratchet_open(&row->ratchet, secret_view(&c->account.queue_private),
                           public_key_view(&c->account.queue_public), sealed, &scratch, &item);
    if (err_is_ok(err)) {
        row->failing = false;
        if (item.astray)
            err = tell(c, t, HEARTH_EVENT_WITHHELD, sequence,
                       "the homeserver changed our queue: what it hands out does not follow on "
                       "what it handed out before");
        if (err_is_ok(err))
            err = take_opened(c, t, sequence, &item);
    } else if (!is_ours(err)) {
        err = queue_ratchet_skip(&row->ratchet);
        if (err_is_ok(err) && !row->failing)
            err = tell(c, t, HEARTH_EVENT_UNVERIFIED, sequence, "items of our queue do not open");
        row->failing = true;
    }
    buf_clear(&scratch);
    return err;
}

static struct err take_run(struct core *c, struct db_txn *t, void *arg)
{
    const struct taking *taking = arg;
    struct queue_row row;
    TRY(queue_row_get(t, &row));
    struct err err = ERR_OK;
    if (taking->item->sequence >= row.ratchet.sequence) {
        if (taking->item->sequence > row.ratchet.sequence)
            err = skip_missing(c, t, &row, taking->item->sequence);
        if (err_is_ok(err))
            err = open_one(c, t, taking, &row);
        if (err_is_ok(err))
            err = queue_row_put(t, &row);
    }
    bytes_wipe(&row, sizeof row);
    return err;
}

/* A fault that may pass (memory, disk) keeps the item for the next time; one that will not must not
 * stop everything behind it. */
struct err queue_take(struct core *c, const Hearth__V1__QueueItem *item)
{
    struct taking taking = {.item = item};
    struct err err = core_step(c, take_run, &taking);
    if (err_is_ok(err) || err_retry(err) || err.code == ERR_WRONG_STATE)
        return err;
    taking.pass_over = true;
    return core_step(c, take_run, &taking);
}
