#include "kit/tlog/story.h"

enum { WINDOW_MS = 100000 };

static struct err search(struct story *s, struct kt_view *view, struct bytes label,
                         const struct kt_known *known, struct buf *answer,
                         struct kt_result *ret_result)
{
    struct kt_query query = {
        .label = label, .now_ms = s->now_ms, .known = known, .opaque_value = true};
    struct kt_source source = operator_source(&s->op);
    struct search_request request;
    struct buf b = BUF_INIT;
    struct err err = kt_search_request(&b, view, &query);
    if (err_is_ok(err))
        err = search_request_parse(buf_view(&b), &request);
    if (err_is_ok(err))
        err = kt_prove_search(&source, &request, answer);
    if (err_is_ok(err))
        err = kt_verify_search(view, &query, buf_view(answer), ret_result);
    buf_clear(&b);
    return err;
}

static struct err close_at(struct story *s, uint64_t ms)
{
    s->now_ms = ms;
    return operator_close(&s->op, ms, 3);
}

static struct err past(struct story *s)
{
    static const uint8_t log_seed[32] = {21}, vrf_seed[32] = {22};
    struct kt_result result;
    TRY(operator_init(&s->op, "a.example/kt/1", WINDOW_MS, log_seed, vrf_seed));
    TRY(kt_view_init(buf_view(&s->op.config_bytes), &s->first));
    s->pending = s->first;
    TRY(operator_add(&s->op, s->bob, bytes_str("bob 0"), NULL));
    TRY(close_at(s, 5000000));
    TRY(operator_add(&s->op, s->carol, bytes_str("carol 0"), NULL));
    TRY(close_at(s, 5010000));
    TRY(close_at(s, 5100000));
    TRY(operator_add(&s->op, s->bob, bytes_str("bob 1"), NULL));
    TRY(close_at(s, 5110000));
    TRY(search(s, &s->pending, s->bob, NULL, &s->pending_answer, &s->bob_pending));
    TRY(close_at(s, 5200000));
    TRY(close_at(s, 5210000));
    s->newest = s->pending;
    return search(s, &s->newest, s->bob, &s->bob_pending.known, &s->answers[STORY_AGAIN], &result);
}

static struct err monitoring(struct story *s)
{
    struct kt_source source = operator_source(&s->op);
    struct owner_request owner = {.last = 1, .label = s->bob, .expected = 1};
    struct contact_request contact = {.last = s->pending.size, .item_count = 1};
    contact.items[0] = (struct contact_item){s->bob, 1, s->bob_pending.opening};
    for (uint32_t v = 0; v < 8; v++) {
        struct kt_pair pair;
        TRY(source.pair(source.self, s->bob, v, &pair));
        s->lookups[v] = (struct kt_lookup){.version = v,
                                           .present = pair.exists,
                                           .commitment = pair.commitment,
                                           .epoch = pair.epoch};
        memcpy(s->lookups[v].index, pair.index, INDEX_BYTES);
    }
    s->own = (struct kt_own){s->bob, s->lookups, 8};
    TRY(kt_prove_owner(&source, &owner, &s->answers[STORY_OWNER]));
    return kt_prove_contacts(&source, &contact, &s->answers[STORY_CONTACT]);
}

static struct err sharing(struct story *s)
{
    struct kt_source source = operator_source(&s->op);
    uint64_t dist = kt_view_newest_dist(&s->newest)->index;
    struct kt_head head;
    TRY(kt_prove_update(&source, 1, s->bob, 1, &s->answers[STORY_UPDATE]));
    TRY(kt_prove_member(&source, s->bob, dist, &s->answers[STORY_PROOF]));
    TRY(kt_prove_dist_note(&source, buf_view(&s->op.epochs[dist - 1].note), dist + 1,
                           s->newest.size, &s->answers[STORY_DIST_NOTE]));
    TRY(kt_view_dist_note(&s->newest, buf_view(&s->answers[STORY_DIST_NOTE])));
    if (!kt_view_head_of(&s->newest, s->newest.dist_count - 1, &head))
        return ERR(TLOG_UNKNOWN);
    head.note = bytes_of(s->newest.note, s->newest.note_len);
    return kt_heads_write(&s->answers[STORY_HEADS], &head, 1);
}

/* A fork that rolled bob's version 1 back, and ran back in time. */
static struct err evidence(struct story *s)
{
    static struct search_response response;
    const struct kt_known *known = &s->bob_pending.known;
    static struct evidence_tree trees[2];
    struct kt_operator *fork = &s->fork;
    struct buf b = BUF_INIT;
    TRY(operator_fork(&s->op, fork));
    TRY(operator_roll_back(fork, 3));
    fork->versions[2].hidden = true;
    TRY(operator_close(fork, 5190000, 0));
    TRY(operator_close(&s->op, 5220000, 0));
    struct bytes notes[2] = {buf_view(&s->op.epochs[6].note), buf_view(&fork->epochs[6].note)};
    TRY(evidence_roots(&s->answers[STORY_ROOTS], &s->op.config, notes[0], notes[1]));
    const struct evidence_prefix whole[2] = {{notes[0], {0}}, {notes[1], {0}}};
    TRY(evidence_forked(&s->answers[STORY_FORKED], &s->op.config, 8, &whole[0], &whole[1]));
    struct log_store logs[2] = {memory_log_store(&s->op.log), memory_log_store(&fork->log)};
    struct log_proof proofs[2];
    TRY(log_prove_inclusion(&logs[0], 6, 8, &proofs[0]));
    TRY(log_prove_inclusion(&logs[1], 7, 8, &proofs[1]));
    struct evidence_sighting a = {notes[0], 6, s->op.epochs[5].entry, log_proof_run(&proofs[0])};
    struct evidence_sighting c = {notes[1], 7, fork->epochs[6].entry, log_proof_run(&proofs[1])};
    TRY(evidence_sightings(&s->answers[STORY_TIME], &s->op.config, EVIDENCE_TIME, &a, &c));
    /* what was seen of bob before, and after */
    TRY(search_response_parse(buf_view(&s->pending_answer), &response));
    evidence_tree_of_search(&response, known, s->pending.size, &trees[0]);
    const uint8_t *indices[2] = {known->lookups[1].index, known->lookups[2].index};
    struct prefix_store store = memory_tree_store(fork->tree);
    bool present[2];
    struct err err = prefix_prove(&store, indices, 2, &b, present);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&b));
        prefix_proof_read(&r, &trees[1].proof);
        trees[1].at = c;
        trees[1].lookups[0] = (struct prefix_lookup){indices[0], NULL};
        trees[1].lookups[1] = (struct prefix_lookup){indices[1], NULL};
        err = evidence_rewritten(&s->answers[STORY_REWRITTEN], &s->op.config, &trees[0], &trees[1]);
    }
    buf_clear(&b);
    return err;
}

struct err story_begin(struct story *s)
{
    struct kt_result result;
    memset(s, 0, sizeof *s);
    s->bob = bytes_str("\x01"
                       "bob");
    s->carol = bytes_str("\x01"
                         "carol");
    s->dave = bytes_str("\x02"
                        "dave");
    TRY(past(s));
    struct kt_view view = s->first;
    TRY(search(s, &view, s->bob, NULL, &s->answers[STORY_SEARCH], &result));
    view = s->first;
    TRY(search(s, &view, s->dave, NULL, &s->answers[STORY_ABSENT], &result));
    TRY(monitoring(s));
    TRY(sharing(s));
    return evidence(s);
}

void story_end(struct story *s)
{
    for (size_t i = 0; i < STORY_ANSWERS; i++)
        buf_clear(&s->answers[i]);
    buf_clear(&s->pending_answer);
    operator_clear(&s->fork);
    operator_clear(&s->op);
}
