#include "server/delivery/group_state.h"

#include <stdlib.h>

enum { STATE_FORMAT_NO_POLICY = 1, STATE_FORMAT_NO_LOSS = 2, STATE_FORMAT = 3 };
enum { REST_LEAST_S = 4, REST_DOUBLINGS = 10, REST_MOST_S = 3600, SETTLED_S = 3600 };

/* A clock that went back ends all waiting. */
static bool is_within(uint64_t since_s, uint64_t wait_s, uint64_t now_s)
{
    return now_s >= since_s && now_s - since_s < wait_s;
}

bool leaf_rests(const struct leaf_entry *leaf, uint64_t now_s)
{
    if (leaf->refusals == 0 || (leaf->flags & LEAF_LOSS_TOLD) != 0)
        return false;
    unsigned doublings = leaf->refusals < REST_DOUBLINGS ? leaf->refusals : REST_DOUBLINGS;
    uint64_t rest_s = (uint64_t)REST_LEAST_S << (doublings - 1);
    return is_within(leaf->loss_s, rest_s < REST_MOST_S ? rest_s : REST_MOST_S, now_s);
}

void leaf_add_lost(struct leaf_entry *leaf, uint64_t count)
{
    uint64_t room = UINT32_MAX - leaf->lost;
    leaf->lost += (uint32_t)(count < room ? count : room);
}

bool leaf_has_loss(const struct leaf_entry *leaf, uint64_t now_s)
{
    if ((leaf->flags & LEAF_LOSS_TOLD) != 0)
        return !is_within(leaf->loss_s, SETTLED_S, now_s);
    return leaf->lost > 0 && !leaf_rests(leaf, now_s);
}

static void leaf_entry_write(struct buf *b, const struct leaf_entry *leaf)
{
    wire_write_u32(b, leaf->index);
    wire_write_u8(b, leaf->flags);
    wire_write_u64(b, leaf->epoch);
    wire_write_u32(b, leaf->month);
    wire_write_vector(b, leaf->signature_key);
    wire_write_fixed(b, leaf->pseudonym);
    wire_write_fixed(b, leaf->user_pseudonym);
    wire_write_vector(b, leaf->wrapped_identity_key);
    wire_write_vector(b, leaf->wrapped_profile_key);
    wire_write_vector(b, leaf->domain);
    wire_write_vector(b, leaf->sealed_ref);
    wire_write_vector(b, leaf->ref_signature);
    wire_write_vector(b, leaf->pseudonym_signature);
    wire_write_u8(b, leaf->policy);
    wire_write_u32(b, leaf->lost);
    wire_write_u8(b, leaf->refusals);
    wire_write_u64(b, leaf->loss_s);
}

/* Sticky in the reader. */
static void leaf_entry_read(struct wire_reader *r, uint16_t format, struct leaf_entry *ret_leaf)
{
    ret_leaf->index = wire_read_u32(r);
    ret_leaf->flags = wire_read_u8(r);
    ret_leaf->epoch = wire_read_u64(r);
    ret_leaf->month = wire_read_u32(r);
    ret_leaf->signature_key = wire_read_vector(r);
    ret_leaf->pseudonym = wire_read_fixed(r, PSEUDONYM_BYTES);
    ret_leaf->user_pseudonym = wire_read_fixed(r, PSEUDONYM_BYTES);
    ret_leaf->wrapped_identity_key = wire_read_vector(r);
    ret_leaf->wrapped_profile_key = wire_read_vector(r);
    ret_leaf->domain = wire_read_vector(r);
    ret_leaf->sealed_ref = wire_read_vector(r);
    ret_leaf->ref_signature = wire_read_vector(r);
    ret_leaf->pseudonym_signature = wire_read_vector(r);
    ret_leaf->policy = format == STATE_FORMAT_NO_POLICY ? 0 : wire_read_u8(r);
    bool losses = format > STATE_FORMAT_NO_LOSS;
    ret_leaf->lost = losses ? wire_read_u32(r) : 0;
    ret_leaf->refusals = losses ? wire_read_u8(r) : 0;
    ret_leaf->loss_s = losses ? wire_read_u64(r) : 0;
}

static void fact_write(struct buf *b, const struct epoch_fact *fact)
{
    wire_write_u64(b, fact->epoch);
    wire_write_u64(b, fact->hour);
    wire_write_fixed(b, fact->committer);
    wire_write_fixed(b, fact->commit_hash);
    wire_write_vector(b, fact->reporters);
}

static void fact_read(struct wire_reader *r, struct epoch_fact *ret_fact)
{
    ret_fact->epoch = wire_read_u64(r);
    ret_fact->hour = wire_read_u64(r);
    ret_fact->committer = wire_read_fixed(r, PSEUDONYM_BYTES);
    ret_fact->commit_hash = wire_read_fixed(r, COMMIT_HASH_BYTES);
    ret_fact->reporters = wire_read_vector(r);
}

void group_state_write(struct buf *b, const struct group_state *state)
{
    wire_write_u16(b, STATE_FORMAT);
    wire_write_u16(b, state->suite->id);
    wire_write_u64(b, state->epoch);
    size_t mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < state->leaf_count; i++)
        leaf_entry_write(b, &state->leaves[i]);
    wire_vector_end(b, mark);
    wire_write_vector(b, state->info_extensions);
    wire_write_u32(b, state->info_signer);
    wire_write_vector(b, state->info_signature);
    mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < state->fact_count; i++)
        fact_write(b, &state->facts[i]);
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < state->past_count; i++) {
        wire_write_u64(b, state->past_trees[i].epoch);
        wire_write_u32(b, state->past_trees[i].bytes);
    }
    wire_vector_end(b, mark);
    wire_write_vector(b, state->public_group);
}

/* Numbers and the lengths of vectors, at their widest. */
enum { LEAF_FIXED_BYTES = 64 + 2 * PSEUDONYM_BYTES, FACT_FIXED_BYTES = 72, STATE_FIXED_BYTES = 64 };

size_t group_state_bytes(const struct group_state *state)
{
    size_t bytes = STATE_FIXED_BYTES + state->info_extensions.len + state->info_signature.len +
                   state->public_group.len +
                   state->past_count * (sizeof(uint64_t) + sizeof(uint32_t));
    for (uint32_t i = 0; i < state->leaf_count; i++) {
        const struct leaf_entry *leaf = &state->leaves[i];
        bytes += LEAF_FIXED_BYTES + leaf->signature_key.len + leaf->wrapped_identity_key.len +
                 leaf->wrapped_profile_key.len + leaf->domain.len + leaf->sealed_ref.len +
                 leaf->ref_signature.len + leaf->pseudonym_signature.len;
    }
    for (uint32_t i = 0; i < state->fact_count; i++)
        bytes += FACT_FIXED_BYTES + state->facts[i].reporters.len;
    return bytes;
}

static struct err make_room(struct group_state *state)
{
    if (state->leaf_count < state->leaf_cap)
        return ERR_OK;
    uint32_t cap = state->leaf_cap == 0 ? 8 : state->leaf_cap * 2;
    struct leaf_entry *leaves = realloc(state->leaves, cap * sizeof *leaves);
    if (leaves == NULL)
        return ERR(NO_MEMORY);
    state->leaves = leaves;
    state->leaf_cap = cap;
    return ERR_OK;
}

static struct err parse_leaves(struct group_state *state, uint16_t format, struct wire_reader *r)
{
    while (wire_reader_more(r)) {
        if (state->leaf_count == GROUP_LEAVES_MAX)
            return ERR(DELIVERY_STATE);
        TRY(make_room(state));
        struct leaf_entry *leaf = &state->leaves[state->leaf_count];
        leaf_entry_read(r, format, leaf);
        if (state->leaf_count > 0 && leaf->index <= leaf[-1].index)
            return ERR(DELIVERY_STATE);
        state->leaf_count++;
    }
    return ERR_OK;
}

static struct err parse(struct group_state *state)
{
    struct wire_reader r = wire_reader_of(buf_view(&state->plain));
    uint16_t format = wire_read_u16(&r);
    if (format < STATE_FORMAT_NO_POLICY || format > STATE_FORMAT)
        return ERR(DELIVERY_STATE);
    state->suite = suite_find(wire_read_u16(&r));
    state->epoch = wire_read_u64(&r);
    struct wire_reader leaves = wire_read_nested(&r);
    TRY(parse_leaves(state, format, &leaves));
    wire_reader_join(&r, &leaves);
    state->info_extensions = wire_read_vector(&r);
    state->info_signer = wire_read_u32(&r);
    state->info_signature = wire_read_vector(&r);
    struct wire_reader facts = wire_read_nested(&r);
    while (wire_reader_more(&facts) && state->fact_count < GROUP_FACTS)
        fact_read(&facts, &state->facts[state->fact_count++]);
    wire_reader_join(&r, &facts);
    struct wire_reader past = wire_read_nested(&r);
    while (wire_reader_more(&past) && state->past_count < GROUP_PAST_TREES) {
        struct past_entry *entry = &state->past_trees[state->past_count++];
        entry->epoch = wire_read_u64(&past);
        entry->bytes = wire_read_u32(&past);
    }
    wire_reader_join(&r, &past);
    state->public_group = wire_read_vector(&r);
    return err_is_ok(wire_reader_end(&r)) && state->suite != NULL ? ERR_OK : ERR(DELIVERY_STATE);
}

struct err group_state_parse(struct buf *plain, struct group_state *ret_state)
{
    struct group_state state = {.plain = *plain};
    *plain = BUF_INIT;
    struct err err = parse(&state);
    if (!err_is_ok(err)) {
        group_state_clear(&state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

void group_state_clear(struct group_state *state)
{
    buf_clear(&state->plain);
    free(state->leaves);
    *state = (struct group_state){0};
}

/* The first leaf whose index is not below this one. */
static uint32_t place_of(const struct group_state *state, uint32_t index)
{
    uint32_t low = 0;
    uint32_t high = state->leaf_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->leaves[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct leaf_entry *group_state_leaf(const struct group_state *state, uint32_t index)
{
    uint32_t at = place_of(state, index);
    return at < state->leaf_count && state->leaves[at].index == index ? &state->leaves[at] : NULL;
}

struct err group_state_put(struct group_state *state, const struct leaf_entry *leaf)
{
    uint32_t at = place_of(state, leaf->index);
    if (at == state->leaf_count || state->leaves[at].index != leaf->index) {
        TRY(make_room(state));
        memmove(&state->leaves[at + 1], &state->leaves[at],
                (state->leaf_count - at) * sizeof *leaf);
        state->leaf_count++;
    }
    state->leaves[at] = *leaf;
    return ERR_OK;
}

void group_state_drop(struct group_state *state, uint32_t index)
{
    uint32_t at = place_of(state, index);
    if (at == state->leaf_count || state->leaves[at].index != index)
        return;
    state->leaf_count--;
    memmove(&state->leaves[at], &state->leaves[at + 1],
            (state->leaf_count - at) * sizeof *state->leaves);
}

void group_state_add_past(struct group_state *state, struct past_entry entry, uint64_t most_bytes,
                          struct past_entry ret_gone[GROUP_PAST_TREES], uint32_t *ret_gone_count)
{
    uint64_t bytes = entry.bytes;
    uint32_t stay = 0; /* how many of the newest */
    while (stay < state->past_count && stay + 1 < GROUP_PAST_TREES) {
        bytes += state->past_trees[state->past_count - 1 - stay].bytes;
        if (bytes > most_bytes)
            break;
        stay++;
    }
    uint32_t gone = state->past_count - stay;
    memcpy(ret_gone, state->past_trees, gone * sizeof *ret_gone);
    memmove(state->past_trees, state->past_trees + gone, stay * sizeof *state->past_trees);
    state->past_trees[stay] = entry;
    state->past_count = stay + 1;
    *ret_gone_count = gone;
}

void group_state_add_fact(struct group_state *state, const struct epoch_fact *fact)
{
    if (state->fact_count == GROUP_FACTS) {
        memmove(state->facts, state->facts + 1, (GROUP_FACTS - 1) * sizeof *fact);
        state->fact_count--;
    }
    state->facts[state->fact_count++] = *fact;
}
