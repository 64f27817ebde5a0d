#include "tlog/sight.h"

static void read_kind(struct wire_reader *r)
{
    if (wire_read_u8(r) != MONITOR_SIGHT)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

struct err sight_request_parse(struct bytes in, struct sight_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    read_kind(&r);
    struct sight_request q = {.last = wire_read_u64(&r)};
    q.at_ms = wire_read_u64(&r);
    q.label = tlog_read_name(&r);
    if (q.label.len > 0 && q.label.data[0] != LABEL_SYSTEM)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    TRY(wire_reader_end(&r));
    *ret_request = q;
    return ERR_OK;
}

void sight_request_write(struct buf *b, const struct sight_request *q)
{
    wire_write_u8(b, MONITOR_SIGHT);
    wire_write_u64(b, q->last);
    wire_write_u64(b, q->at_ms);
    wire_write_vector8(b, q->label);
}

struct err sight_response_parse(struct bytes in, struct sight_response *ret_response)
{
    if (in.len > SIGHT_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    struct sight_response s;
    read_kind(&r);
    s.checkpoint = wire_read_vector16(&r);
    s.consistency = hash_run_read8(&r);
    dist_entry_read(&r, &s.dist);
    uint8_t has_proof = wire_read_u8(&r);
    if (has_proof > 1)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    s.has_proof = has_proof == 1;
    s.proof = wire_read_fixed(&r, s.has_proof ? wire_reader_left(&r) : 0);
    TRY(wire_reader_end(&r));
    *ret_response = s;
    return ERR_OK;
}

void sight_response_write(struct buf *b, const struct sight_response *s)
{
    wire_write_u8(b, MONITOR_SIGHT);
    wire_write_vector16(b, s->checkpoint);
    hash_run_write8(b, &s->consistency);
    dist_entry_write(b, &s->dist);
    wire_write_u8(b, s->has_proof ? 1 : 0);
    if (s->has_proof)
        wire_write_fixed(b, s->proof);
}
