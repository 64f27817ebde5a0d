#include "tlog/update.h"

struct err update_request_parse(struct bytes in, struct update_request *ret_request)
{
    struct wire_reader r = wire_reader_of(in);
    struct update_request q = {.last = wire_read_u64(&r)};
    q.label = tlog_read_name(&r);
    q.version = wire_read_u32(&r);
    q.value = tlog_read_vector32(&r, TLOG_VALUE_MAX_BYTES);
    if (q.version > LADDER_VERSION_MAX)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    TRY(wire_reader_end(&r));
    *ret_request = q;
    return ERR_OK;
}

void update_request_write(struct buf *b, const struct update_request *q)
{
    wire_write_u64(b, q->last);
    wire_write_vector8(b, q->label);
    wire_write_u32(b, q->version);
    tlog_write_vector32(b, q->value);
}

struct err update_response_parse(struct bytes in, struct update_response *ret_response)
{
    struct update_response *s = ret_response;
    if (in.len > SEARCH_RESPONSE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    s->checkpoint = wire_read_vector16(&r);
    s->consistency = hash_run_read8(&r);
    dist_entry_read(&r, &s->pair);
    s->opening = wire_read_fixed(&r, OPENING_BYTES).data;
    ladder_steps_read(&r, &s->ladder);
    s->has_at_prev = wire_read_present(&r);
    if (s->has_at_prev)
        prefix_proof_read(&r, &s->at_prev);
    prefix_proof_read(&r, &s->at_entry);
    return wire_reader_end(&r);
}

void update_response_write(struct buf *b, const struct update_response *s)
{
    wire_write_vector16(b, s->checkpoint);
    hash_run_write8(b, &s->consistency);
    dist_entry_write(b, &s->pair);
    wire_write_fixed(b, bytes_of(s->opening, OPENING_BYTES));
    ladder_steps_write(b, &s->ladder);
    wire_write_present(b, s->has_at_prev);
    if (s->has_at_prev)
        prefix_proof_write(b, &s->at_prev);
    prefix_proof_write(b, &s->at_entry);
}

size_t update_ladder(uint32_t version, uint32_t ret_versions[2 * LADDER_MAX])
{
    struct version_ladder after, before;
    size_t count = 0;
    ladder_base(version, &after);
    ladder_base(version == 0 ? LADDER_NONE : version - 1, &before);
    for (size_t i = 0; i < after.count; i++)
        ret_versions[count++] = after.at[i];
    for (size_t i = 0; i < before.count; i++) {
        if (!ladder_has(&after, before.at[i]))
            ret_versions[count++] = before.at[i];
    }
    return count;
}

struct err auditor_update_parse(struct bytes in, struct auditor_update *ret_update)
{
    struct auditor_update *u = ret_update;
    struct wire_reader r = wire_reader_of(in);
    u->timestamp = wire_read_u64(&r);
    u->added_count = wire_read_u16(&r);
    if (u->added_count > PREFIX_LOOKUPS_MAX)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    for (size_t i = 0; i < u->added_count && r.failure == ERR_NONE; i++) {
        tlog_read_into(&r, u->added[i].index, INDEX_BYTES);
        tlog_read_into(&r, u->added[i].commitment, HASH_VALUE_BYTES);
    }
    if (wire_read_u16(&r) != 0)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    prefix_proof_read(&r, &u->proof);
    return wire_reader_end(&r);
}

void auditor_update_write(struct buf *b, const struct auditor_update *u)
{
    wire_write_u64(b, u->timestamp);
    wire_write_u16(b, (uint16_t)u->added_count);
    for (size_t i = 0; i < u->added_count; i++)
        prefix_leaf_write(b, &u->added[i]);
    wire_write_u16(b, 0);
    prefix_proof_write(b, &u->proof);
}

struct err auditor_update_verify(const struct auditor_update *u, const struct log_entry *before,
                                 struct hash_value *ret_after)
{
    struct hash_value root, after;
    if (u->timestamp < before->timestamp)
        return ERR(TLOG_TIME);
    TRY(prefix_evaluate_added(&u->proof, u->added, u->added_count, &root, &after));
    if (!hash_value_equal(&root, &before->prefix_root))
        return ERR(TLOG_PREFIX_PROOF);
    *ret_after = after;
    return ERR_OK;
}
