#include "tlog/search_many.h"

static void item_read(struct wire_reader *r, uint8_t flags, struct search_many_item *item)
{
    item->label = tlog_read_name(r);
    item->has_known = wire_read_present(r);
    item->known_version = item->has_known ? wire_read_u32(r) : 0;
    if (item->has_known &&
        ((flags & SEARCH_HOLDS_DIST) == 0 || item->known_version > LADDER_VERSION_MAX))
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

struct err search_many_request_parse(struct bytes in, struct search_many_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    struct search_many_request *q = ret_request;
    if (in.len > SEARCH_MANY_REQUEST_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    q->last = wire_read_u64(&r);
    q->last_dist = wire_read_u64(&r);
    q->flags = wire_read_u8(&r);
    if ((q->flags & ~SEARCH_HOLDS_DIST) != 0)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    q->count = wire_read_u8(&r);
    if (q->count == 0 || q->count > SEARCH_MANY_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    for (size_t i = 0; i < q->count && r.failure == ERR_NONE; i++)
        item_read(&r, q->flags, &q->items[i]);
    return wire_reader_end(&r);
}

void search_many_request_write(struct buf *b, const struct search_many_request *q)
{
    wire_write_u64(b, q->last);
    wire_write_u64(b, q->last_dist);
    wire_write_u8(b, q->flags);
    wire_write_u8(b, (uint8_t)q->count);
    for (size_t i = 0; i < q->count; i++) {
        wire_write_vector8(b, q->items[i].label);
        wire_write_present(b, q->items[i].has_known);
        if (q->items[i].has_known)
            wire_write_u32(b, q->items[i].known_version);
    }
}

void search_many_answer_read(struct wire_reader *r, struct search_many_answer *ret_answer)
{
    ret_answer->has_found = wire_read_present(r);
    if (ret_answer->has_found)
        search_found_read(r, &ret_answer->found);
    ladder_steps_read(r, &ret_answer->ladder);
}

void search_many_answer_write(struct buf *b, const struct search_many_answer *answer)
{
    wire_write_present(b, answer->has_found);
    if (answer->has_found)
        search_found_write(b, &answer->found);
    ladder_steps_write(b, &answer->ladder);
}

struct err search_many_response_parse(struct bytes in, struct search_many_response *ret_response)
{
    struct search_many_response *s = ret_response;
    FILLED_LATER struct search_many_answer answer;
    if (in.len > SEARCH_MANY_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    s->checkpoint = wire_read_vector16(&r);
    s->consistency = hash_run_read8(&r);
    log_entry_read(&r, &s->entry);
    s->inclusion = hash_run_read8(&r);
    s->has_dist = wire_read_present(&r);
    if (s->has_dist)
        dist_entry_read(&r, &s->dist);
    s->count = wire_read_u8(&r);
    if (s->count == 0 || s->count > SEARCH_MANY_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    s->answers = r;
    for (size_t i = 0; i < s->count && r.failure == ERR_NONE; i++)
        search_many_answer_read(&r, &answer);
    s->has_at_dist = wire_read_present(&r);
    if (s->has_at_dist)
        prefix_proof_read(&r, &s->at_dist);
    prefix_proof_read(&r, &s->at_entry);
    return wire_reader_end(&r);
}
