#include "server/delivery/fanout.h"

#include <stdlib.h>

#include "server/delivery/notices.h"

/* A row's copies take some 300 bytes. */
enum { FANOUT_MEMORY_BYTES = 64 * 1024 * 1024 };

void fanout_clear(struct fanout *f)
{
    for (size_t i = 0; i < f->payload_count; i++)
        buf_clear(&f->payloads[i].sealed);
    free(f->payloads);
    free(f->rows);
    free(f->rested);
    arena_clear(&f->memory);
    *f = (struct fanout){0};
}

static struct err row_room(struct fanout *f, size_t more)
{
    if (f->row_cap - f->row_count >= more)
        return ERR_OK;
    size_t cap = f->row_cap * 2 + more;
    struct outbox_row *rows = realloc(f->rows, cap * sizeof *rows);
    if (rows == NULL)
        return ERR(NO_MEMORY);
    f->rows = rows;
    f->row_cap = cap;
    return ERR_OK;
}

/* Counted when it is written (G3: whoever misses something is told). */
static struct err note_rested(struct fanout *f, const struct fanout_from *from, uint32_t leaf)
{
    if (f->rested_count == f->rested_cap) {
        size_t cap = f->rested_cap * 2 + 4;
        uint8_t(*rested)[FANOUT_TAG_BYTES] = realloc(f->rested, cap * sizeof *rested);
        if (rested == NULL)
            return ERR(NO_MEMORY);
        f->rested = rested;
        f->rested_cap = cap;
    }
    f->rested_of = from->d;
    rested_tag(from->d, from->group_id, leaf, f->rested[f->rested_count++]);
    return ERR_OK;
}

/* Takes sealed over, also on failure. Rows follow by add_row. */
static struct err add_payload(struct fanout *f, struct buf *sealed)
{
    if (f->payload_count == f->payload_cap) {
        size_t cap = f->payload_cap * 2 + 4;
        struct fanout_payload *payloads = realloc(f->payloads, cap * sizeof *payloads);
        if (payloads == NULL) {
            buf_clear(sealed);
            return ERR(NO_MEMORY);
        }
        f->payloads = payloads;
        f->payload_cap = cap;
    }
    f->payloads[f->payload_count++] =
        (struct fanout_payload){.sealed = *sealed, .first = f->row_count};
    *sealed = BUF_INIT;
    return ERR_OK;
}

static struct bytes keep(struct fanout *f, struct bytes view)
{
    return bytes_of(arena_copy(&f->memory, view.data, view.len), view.len);
}

static bool is_called(const struct fanout_how *how, uint32_t leaf)
{
    for (size_t i = 0; i < how->mentioned_count; i++) {
        if (how->mentioned[i] == leaf)
            return true;
    }
    return how->called;
}

/* F19: whether the row may wake its client, or must not, as the leaf's policy has it. */
static void mark_row(struct outbox_row *row, const struct leaf_entry *leaf,
                     const struct fanout_how *how)
{
    bool called = is_called(how, leaf->index);
    switch (leaf->policy) {
    case HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_NONE:
        row->quiet = true;
        break;
    case HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_MARKED:
        row->notify = called;
        row->quiet = !called;
        break;
    default:
        row->notify = how->notify || called;
    }
    row->control = how->control;
}

/* Room was made. tag: of the group. */
static void add_row(struct fanout *f, const struct fanout_from *from,
                    const uint8_t tag[NOTICE_TAG_BYTES], const struct leaf_entry *leaf,
                    struct fanout_how how)
{
    struct outbox_row *row = &f->rows[f->row_count++];
    if (f->memory.cap_bytes == 0)
        arena_init(&f->memory, FANOUT_MEMORY_BYTES);
    *row = (struct outbox_row){
        .domain = keep(f, leaf->domain),
        .sealed_ref = keep(f, leaf->sealed_ref),
    };
    mark_row(row, leaf, &how);
    memcpy(row->notice, tag, NOTICE_TAG_BYTES);
    if (how.loss)
        notice_loss_tag(from->d, from->group_id, leaf, row->notice + NOTICE_TAG_BYTES);
    else
        notice_leaf_tag(from->d, from->group_id, leaf, row->notice + NOTICE_TAG_BYTES);
    f->payloads[f->payload_count - 1].count++;
}

/* The rows of a first part again, for the next. */
static void repeat_rows(struct fanout *f, size_t first, size_t count)
{
    memcpy(&f->rows[f->row_count], &f->rows[first], count * sizeof *f->rows);
    f->row_count += count;
    f->payloads[f->payload_count - 1].count = count;
}

static struct err seal_part(const struct fanout_from *from, const struct delivery_item *item,
                            size_t parts, const uint8_t id[PART_ID_BYTES], size_t index,
                            struct buf *sealed)
{
    const struct rng *rng = from->d->env.rng;
    struct err err = parts == 1 ? fan_out_seal(sealed, rng, from->state_key, from->group_id, item)
                                : fan_out_seal_part(sealed, rng, from->state_key, from->group_id,
                                                    item, id, index);
    if (!err_is_ok(err))
        buf_clear(sealed);
    return err;
}

struct err fanout_all(struct fanout *f, const struct fanout_from *from, enum delivery_kind kind,
                      struct bytes body, const struct leaf_entry *leaves, size_t count,
                      uint32_t except, struct fanout_how how)
{
    struct delivery_item item = {kind, from->accepted_s, body};
    size_t parts = fan_out_parts(body.len);
    uint8_t id[PART_ID_BYTES] = {0};
    uint8_t tag[NOTICE_TAG_BYTES];
    notice_group_tag(from->d, from->group_id, tag);
    if (parts == 0)
        return ERR(TOO_LARGE);
    if (parts > 1)
        TRY(rng_fill(from->d->env.rng, id, sizeof id));
    TRY(row_room(f, parts * count));
    size_t first = f->row_count;
    for (size_t part = 0; part < parts; part++) {
        struct buf sealed = BUF_INIT;
        TRY(seal_part(from, &item, parts, id, part, &sealed));
        TRY(add_payload(f, &sealed));
        if (part > 0) {
            repeat_rows(f, first, f->payloads[f->payload_count - 2].count);
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            /* a queue that is gone takes nothing until there is another reference, one that
             * refuses all nothing for a while */
            if (leaves[i].index == except || (leaves[i].flags & LEAF_QUEUE_GONE) != 0)
                continue;
            if (leaf_rests(&leaves[i], from->accepted_s))
                TRY(note_rested(f, from, leaves[i].index));
            else
                add_row(f, from, tag, &leaves[i], how);
        }
        if (f->row_count == first) { /* nobody but the sender */
            buf_clear(&f->payloads[--f->payload_count].sealed);
            return ERR_OK;
        }
    }
    return f->memory.overflow ? ERR(NO_MEMORY) : ERR_OK;
}

struct err fanout_one(struct fanout *f, const struct fanout_from *from, enum delivery_kind kind,
                      struct bytes body, const struct leaf_entry *leaf, struct fanout_how how)
{
    return fanout_all(f, from, kind, body, leaf, 1, FANOUT_NOBODY, how);
}

struct err fanout_joiner(struct fanout *f, const struct fanout_from *from,
                         const struct hpke_suite *suite, struct bytes init_key, struct bytes body,
                         const struct leaf_entry *leaf)
{
    struct delivery_item item = {DELIVERY_WELCOME, from->accepted_s, body};
    uint8_t tag[NOTICE_TAG_BYTES];
    struct buf sealed = BUF_INIT;
    TRY(row_room(f, 1));
    struct err err = fan_out_seal_joiner(&sealed, from->d->env.rng, suite, init_key, &item);
    if (!err_is_ok(err)) {
        buf_clear(&sealed);
        return err;
    }
    TRY(add_payload(f, &sealed));
    notice_group_tag(from->d, from->group_id, tag);
    add_row(f, from, tag, leaf, (struct fanout_how){.control = true, .called = true});
    return f->memory.overflow ? ERR(NO_MEMORY) : ERR_OK;
}

struct err fanout_write(struct store_txn *txn, const struct outbox *outbox, const struct fanout *f)
{
    for (size_t i = 0; i < f->payload_count; i++) {
        const struct fanout_payload *p = &f->payloads[i];
        TRY(outbox_add(txn, outbox, buf_view(&p->sealed), &f->rows[p->first], p->count));
    }
    for (size_t i = 0; i < f->rested_count; i++)
        TRY(rested_keep(txn, f->rested_of, f->rested[i]));
    return ERR_OK;
}
