#include "server/delivery/faults.h"

enum { FAULT_HOURS = 24, FAULT_HOUR_S = 3600 };

static bool is_recent(const struct epoch_fact *fact, uint64_t now_s)
{
    return fact->hour + FAULT_HOURS > now_s / FAULT_HOUR_S;
}

struct err fault_find(struct group_state *state, uint64_t epoch, struct bytes commit_hash,
                      uint64_t now_s, struct epoch_fact **ret_fact)
{
    for (uint32_t i = 0; i < state->fact_count; i++) {
        struct epoch_fact *fact = &state->facts[i];
        if (fact->epoch == epoch && bytes_equal(fact->commit_hash, commit_hash) &&
            is_recent(fact, now_s)) {
            *ret_fact = fact;
            return ERR_OK;
        }
    }
    return ERR(DELIVERY_NO_COMMIT);
}

struct err fault_add_reporter(const struct epoch_fact *fact, struct bytes pseudonym,
                              struct buf *list, bool *ret_new)
{
    *ret_new = false;
    for (size_t at = 0; at + PSEUDONYM_BYTES <= fact->reporters.len; at += PSEUDONYM_BYTES) {
        if (bytes_equal(bytes_of(fact->reporters.data + at, PSEUDONYM_BYTES), pseudonym))
            return ERR_OK;
    }
    if (fact->reporters.len >= (size_t)FACT_REPORTERS_MAX * PSEUDONYM_BYTES)
        return ERR_OK;
    *ret_new = true;
    buf_append_bytes(list, fact->reporters);
    buf_append_bytes(list, pseudonym);
    return buf_check(list);
}

bool fault_is_reported(const struct group_state *state, struct bytes pseudonym, uint64_t now_s)
{
    for (uint32_t i = 0; i < state->fact_count; i++) {
        const struct epoch_fact *fact = &state->facts[i];
        if (fact->reporters.len > 0 && is_recent(fact, now_s) &&
            bytes_equal(fact->committer, pseudonym))
            return true;
    }
    return false;
}
