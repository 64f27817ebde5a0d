#include "tlog/search.h"

struct err search_request_parse(struct bytes in, struct search_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    struct search_request q = {.last = wire_read_u64(&r)};
    q.last_dist = wire_read_u64(&r);
    q.flags = wire_read_u8(&r);
    q.label = tlog_read_name(&r);
    q.has_known = wire_read_present(&r);
    if (q.has_known)
        q.known_version = wire_read_u32(&r);
    bool says_known = (q.flags & SEARCH_KNOWN) != 0;
    if (q.flags > (SEARCH_KNOWN | SEARCH_HOLDS_DIST) || says_known != q.has_known ||
        (q.has_known && q.known_version > LADDER_VERSION_MAX))
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    TRY(wire_reader_end(&r));
    *ret_request = q;
    return ERR_OK;
}

void search_request_write(struct buf *b, const struct search_request *q)
{
    wire_write_u64(b, q->last);
    wire_write_u64(b, q->last_dist);
    wire_write_u8(b, q->flags);
    wire_write_vector8(b, q->label);
    wire_write_present(b, q->has_known);
    if (q->has_known)
        wire_write_u32(b, q->known_version);
}

void ladder_steps_read(struct wire_reader *r, struct ladder_steps *ret_steps)
{
    size_t count = wire_read_u8(r);
    if (count > sizeof ret_steps->at / sizeof *ret_steps->at)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    for (size_t i = 0; i < count && r->failure == ERR_NONE; i++) {
        ret_steps->at[i].proof = wire_read_fixed(r, VRF_PROOF_BYTES).data;
        ret_steps->at[i].commitment =
            wire_read_present(r) ? wire_read_fixed(r, HASH_VALUE_BYTES).data : NULL;
    }
    ret_steps->count = r->failure == ERR_NONE ? count : 0;
}

void ladder_steps_write(struct buf *b, const struct ladder_steps *steps)
{
    wire_write_u8(b, (uint8_t)steps->count);
    for (size_t i = 0; i < steps->count; i++) {
        const struct ladder_step *step = &steps->at[i];
        wire_write_fixed(b, bytes_of(step->proof, VRF_PROOF_BYTES));
        wire_write_present(b, step->commitment != NULL);
        if (step->commitment != NULL)
            wire_write_fixed(b, bytes_of(step->commitment, HASH_VALUE_BYTES));
    }
}

void search_found_read(struct wire_reader *r, struct search_found *found)
{
    found->version = wire_read_u32(r);
    found->opening = wire_read_fixed(r, OPENING_BYTES).data;
    found->value = tlog_read_vector32(r, TLOG_VALUE_MAX_BYTES);
    if (found->version > LADDER_VERSION_MAX)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

void search_found_write(struct buf *b, const struct search_found *found)
{
    wire_write_u32(b, found->version);
    wire_write_fixed(b, bytes_of(found->opening, OPENING_BYTES));
    tlog_write_vector32(b, found->value);
}

struct err search_response_parse(struct bytes in, struct search_response *ret_response)
{
    struct search_response *s = ret_response;
    if (in.len > SEARCH_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    s->checkpoint = wire_read_vector16(&r);
    s->consistency = hash_run_read8(&r);
    log_entry_read(&r, &s->entry);
    s->inclusion = hash_run_read8(&r);
    s->has_dist = wire_read_present(&r);
    if (s->has_dist)
        dist_entry_read(&r, &s->dist);
    s->has_found = wire_read_present(&r);
    if (s->has_found)
        search_found_read(&r, &s->found);
    ladder_steps_read(&r, &s->ladder);
    s->has_at_dist = wire_read_present(&r);
    if (s->has_at_dist)
        prefix_proof_read(&r, &s->at_dist);
    prefix_proof_read(&r, &s->at_entry);
    return wire_reader_end(&r);
}

void search_response_write(struct buf *b, const struct search_response *s)
{
    wire_write_vector16(b, s->checkpoint);
    hash_run_write8(b, &s->consistency);
    log_entry_write(b, &s->entry);
    hash_run_write8(b, &s->inclusion);
    wire_write_present(b, s->has_dist);
    if (s->has_dist)
        dist_entry_write(b, &s->dist);
    wire_write_present(b, s->has_found);
    if (s->has_found)
        search_found_write(b, &s->found);
    ladder_steps_write(b, &s->ladder);
    wire_write_present(b, s->has_at_dist);
    if (s->has_at_dist)
        prefix_proof_write(b, &s->at_dist);
    prefix_proof_write(b, &s->at_entry);
}
