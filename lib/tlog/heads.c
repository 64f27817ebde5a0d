#include "tlog/heads.h"

#include "tlog/view.h"

struct err kt_proof_parse(struct bytes in, struct kt_proof *ret_proof)
{
    struct kt_proof *p = ret_proof;
    if (in.len > SEARCH_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    p->origin = tlog_read_name(&r);
    p->label = tlog_read_name(&r);
    p->version = wire_read_u32(&r);
    p->opening = wire_read_fixed(&r, OPENING_BYTES).data;
    p->value = tlog_read_vector32(&r, TLOG_VALUE_MAX_BYTES);
    ladder_steps_read(&r, &p->ladder);
    p->dist_index = wire_read_u64(&r);
    prefix_proof_read(&r, &p->proof);
    if (p->version > LADDER_VERSION_MAX)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    return wire_reader_end(&r);
}

void kt_proof_write(struct buf *b, const struct kt_proof *p)
{
    wire_write_vector8(b, p->origin);
    wire_write_vector8(b, p->label);
    wire_write_u32(b, p->version);
    wire_write_fixed(b, bytes_of(p->opening, OPENING_BYTES));
    tlog_write_vector32(b, p->value);
    ladder_steps_write(b, &p->ladder);
    wire_write_u64(b, p->dist_index);
    prefix_proof_write(b, &p->proof);
}

struct err kt_proof_of_search(struct buf *b, struct bytes origin, struct bytes label,
                              const struct search_response *r, const struct kt_known *known)
{
    /* the newest entry is the distinguished one, or the walk there was the whole ladder */
    bool newest = r->has_dist && r->dist.index == known->epoch;
    const struct prefix_proof *at = newest ? &r->at_entry : &r->at_dist;
    if (!r->has_dist || !r->has_found || !known->exists || known->pending ||
        (!newest && !r->has_at_dist) || at->count != known->count ||
        r->ladder.count != known->count)
        return ERR(TLOG_UNKNOWN);
    FILLED_LATER struct kt_proof proof;
    proof.origin = origin;
    proof.label = label;
    proof.version = r->found.version;
    proof.opening = r->found.opening;
    proof.value = r->found.value;
    proof.ladder = r->ladder;
    proof.dist_index = r->dist.index;
    proof.proof = *at;
    kt_proof_write(b, &proof);
    return buf_check(b);
}

void kt_head_read(struct wire_reader *r, struct kt_head *ret_head)
{
    ret_head->origin = tlog_read_name(r);
    ret_head->window = wire_read_u64(r);
    ret_head->dist_index = wire_read_u64(r);
    hash_value_read(r, &ret_head->log_root);
    ret_head->note = wire_read_vector16(r);
    if (ret_head->dist_index == 0)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

struct err kt_heads_parse(struct bytes in, struct kt_heads *ret_heads)
{
    if (in.len > KT_HEADS_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    struct kt_heads heads = {.count = wire_read_u16(&r)};
    if (heads.count > KT_HEADS_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    heads.heads = r;
    for (size_t i = 0; i < heads.count && r.failure == ERR_NONE; i++) {
        struct kt_head head;
        kt_head_read(&r, &head);
    }
    TRY(wire_reader_end(&r));
    *ret_heads = heads;
    return ERR_OK;
}

struct err kt_heads_write(struct buf *b, const struct kt_head *heads, size_t count)
{
    if (count > KT_HEADS_MAX)
        return ERR(ARGUMENT);
    wire_write_u16(b, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        wire_write_vector8(b, heads[i].origin);
        wire_write_u64(b, heads[i].window);
        wire_write_u64(b, heads[i].dist_index);
        wire_write_fixed(b, hash_value_view(&heads[i].log_root));
        wire_write_vector16(b, heads[i].note);
    }
    return buf_check(b);
}

struct err dist_note_parse(struct bytes in, struct dist_note *ret_note)
{
    struct wire_reader r = wire_reader_of(in);
    struct dist_note note = {.note = wire_read_vector16(&r)};
    note.consistency = hash_run_read8(&r);
    TRY(wire_reader_end(&r));
    *ret_note = note;
    return ERR_OK;
}

void dist_note_write(struct buf *b, const struct dist_note *note)
{
    wire_write_vector16(b, note->note);
    hash_run_write8(b, &note->consistency);
}
