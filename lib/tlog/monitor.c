#include "tlog/monitor.h"

static void read_kind(struct wire_reader *r, uint8_t kind)
{
    if (wire_read_u8(r) != kind)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

struct err owner_request_parse(struct bytes in, struct owner_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    read_kind(&r, MONITOR_OWNER);
    struct owner_request q = {.last = wire_read_u64(&r)};
    q.from_dist = wire_read_u64(&r);
    q.label = tlog_read_name(&r);
    q.expected = wire_read_u32(&r);
    TRY(wire_reader_end(&r));
    *ret_request = q;
    return ERR_OK;
}

void owner_request_write(struct buf *b, const struct owner_request *q)
{
    wire_write_u8(b, MONITOR_OWNER);
    wire_write_u64(b, q->last);
    wire_write_u64(b, q->from_dist);
    wire_write_vector8(b, q->label);
    wire_write_u32(b, q->expected);
}

void owner_step_read(struct wire_reader *r, struct owner_step *ret_step)
{
    dist_entry_read(r, &ret_step->dist);
    prefix_proof_read(r, &ret_step->proof);
}

void owner_step_write(struct buf *b, const struct owner_step *step)
{
    dist_entry_write(b, &step->dist);
    prefix_proof_write(b, &step->proof);
}

struct err owner_response_parse(struct bytes in, struct owner_response *ret_response)
{
    if (in.len > MONITOR_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    read_kind(&r, MONITOR_OWNER);
    struct owner_response s = {.checkpoint = wire_read_vector16(&r)};
    s.consistency = hash_run_read8(&r);
    s.step_count = wire_read_u8(&r);
    if (s.step_count > OWNER_STEPS_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    s.steps = r;
    for (size_t i = 0; i < s.step_count && r.failure == ERR_NONE; i++) {
        FILLED_LATER struct owner_step step;
        owner_step_read(&r, &step);
    }
    TRY(wire_reader_end(&r));
    *ret_response = s;
    return ERR_OK;
}

static void read_item(struct wire_reader *r, struct contact_item *item)
{
    item->label = tlog_read_name(r);
    item->version = wire_read_u32(r);
    item->opening = wire_read_fixed(r, OPENING_BYTES).data;
    if (item->version > LADDER_VERSION_MAX)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

struct err contact_request_parse(struct bytes in, struct contact_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    struct contact_request *q = ret_request;
    size_t lookups = 0;
    read_kind(&r, MONITOR_CONTACT);
    q->last = wire_read_u64(&r);
    q->item_count = wire_read_u8(&r);
    if (q->item_count > CONTACT_ITEMS_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    for (size_t i = 0; i < q->item_count && r.failure == ERR_NONE; i++) {
        struct version_ladder ladder;
        read_item(&r, &q->items[i]);
        ladder_monitor(q->items[i].version, &ladder);
        lookups += ladder.count;
    }
    if (lookups > PREFIX_LOOKUPS_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    return wire_reader_end(&r);
}

void contact_request_write(struct buf *b, const struct contact_request *q)
{
    wire_write_u8(b, MONITOR_CONTACT);
    wire_write_u64(b, q->last);
    wire_write_u8(b, (uint8_t)q->item_count);
    for (size_t i = 0; i < q->item_count; i++) {
        wire_write_vector8(b, q->items[i].label);
        wire_write_u32(b, q->items[i].version);
        wire_write_fixed(b, bytes_of(q->items[i].opening, OPENING_BYTES));
    }
}

struct err contact_response_parse(struct bytes in, struct contact_response *ret_response)
{
    struct contact_response *s = ret_response;
    if (in.len > MONITOR_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    read_kind(&r, MONITOR_CONTACT);
    s->checkpoint = wire_read_vector16(&r);
    s->consistency = hash_run_read8(&r);
    dist_entry_read(&r, &s->dist);
    prefix_proof_read(&r, &s->proof);
    return wire_reader_end(&r);
}

void contact_response_write(struct buf *b, const struct contact_response *s)
{
    wire_write_u8(b, MONITOR_CONTACT);
    wire_write_vector16(b, s->checkpoint);
    hash_run_write8(b, &s->consistency);
    dist_entry_write(b, &s->dist);
    prefix_proof_write(b, &s->proof);
}
