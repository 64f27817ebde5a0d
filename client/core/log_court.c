/* Evidence: whatever of what was kept contradicts what came is put together to a file that convicts
 * (tlog/evidence.h). The halves are few, so each is held against each. */
#include <stdlib.h>

#include "client/core/log_inside.h"
#include "client/core/log_receipt.h"
#include "tlog/evidence.h"
#include "tlog/monitor.h"

enum { HALVES_MAX = 2 * LOG_SEEN_MAX + 5 };

/* One thing that was signed, and what lies under it. Views. */
struct half {
    struct bytes note;
    uint64_t size;
    struct search_response response;
    bool has_entry;
    struct hash_run consistency;   /* from the size that was asked with */
    struct evidence_tree trees[2]; /* at the newest entry, at the distinguished one */
    size_t tree_count;
    struct evidence_named named; /* the newest version with its value; count 0: not shown */
};

struct court {
    const struct kt_config *config;
    struct half halves[HALVES_MAX];
    size_t count;
    struct buf file; /* empty: nothing convicts */
};

/* ---- halves */

static struct half *half_new(struct court *court, struct bytes note)
{
    struct note_key key;
    struct checkpoint c;
    if (court->count == HALVES_MAX || !err_is_ok(kt_config_log_key(court->config, &key)) ||
        !err_is_ok(checkpoint_open(note, &key, &c)))
        return NULL; /* not signed: nobody's fault that can be shown */
    struct half *half = &court->halves[court->count++];
    half->note = note;
    half->size = c.size;
    return half;
}

/* The value that the half shows, if the proof of its index is there, too. */
static void name_it(struct half *half, struct bytes label, const struct kt_known *known)
{
    const struct search_response *r = &half->response;
    if (!r->has_found || r->ladder.count != known->count || half->tree_count == 0)
        return;
    for (size_t i = 0; i < known->count; i++) {
        if (known->lookups[i].version != r->found.version || r->ladder.at[i].proof == NULL)
            continue;
        half->named = (struct evidence_named){
            &half->trees[0],
            label,
            1,
            {{r->found.version, r->ladder.at[i].proof, r->found.opening, r->found.value}}};
    }
}

static void add_response(struct court *court, struct bytes in, struct bytes label,
                         const struct kt_known *known)
{
    struct half *half;
    struct search_response *r = malloc(sizeof *r);
    if (r == NULL || in.len == 0 || !err_is_ok(search_response_parse(in, r))) {
        free(r);
        return;
    }
    half = half_new(court, r->checkpoint);
    if (half != NULL && half->size > 1) {
        half->response = *r;
        half->has_entry = true;
        half->consistency = r->consistency;
        if (known != NULL) {
            evidence_tree_of_search(&half->response, known, half->size, &half->trees[0]);
            half->tree_count = 1;
            if (err_is_ok(evidence_tree_of_dist(&half->response, known, &half->trees[1])))
                half->tree_count = 2;
            name_it(half, label, known);
        }
    }
    free(r);
}

/* The receipt of a change of ours, where it holds; known, opening and value are its views. */
static void add_receipt(struct court *court, const struct log_label *label,
                        struct log_receipt *receipt)
{
    const struct update_response *r = &receipt->response;
    struct half *half = half_new(court, r->checkpoint);
    if (half == NULL)
        return;
    half->response.has_dist = true; /* if it is one */
    half->response.dist = r->pair;
    half->consistency = r->consistency;
    if (!err_is_ok(evidence_tree_of_update(r, &receipt->result.known, &half->trees[0])))
        return;
    half->tree_count = 1;
    half->named = (struct evidence_named){
        &half->trees[0], buf_view(&label->label), 1, {{.version = label->receipt_version}}};
    uint32_t versions[2 * LADDER_MAX];
    size_t count = update_ladder(label->receipt_version, versions);
    for (size_t i = 0; i < count && i < r->ladder.count; i++)
        if (versions[i] == label->receipt_version)
            half->named.versions[0].proof = r->ladder.at[i].proof;
    half->named.versions[0].opening = r->opening;
    half->named.versions[0].value = receipt->result.value;
}

static void add_sight(struct court *court, const struct log_sight *sight)
{
    struct wire_reader r = wire_reader_of(sight->dist);
    struct dist_entry dist;
    dist_entry_read(&r, &dist);
    struct half *half = err_is_ok(wire_reader_end(&r)) ? half_new(court, sight->note) : NULL;
    if (half == NULL)
        return;
    half->response.has_dist = true;
    half->response.dist = dist;
}

static void add_seen(struct court *court, const struct log_seen *seen)
{
    const struct log_sight sight = {buf_view(&seen->note), buf_view(&seen->dist)};
    add_sight(court, &sight);
}

static void add_tree(struct court *court, const struct contact_response *r,
                     const struct log_label *label)
{
    const struct kt_contact contact = {buf_view(&label->label), &label->known, label->opening};
    struct half *half = half_new(court, r->checkpoint);
    if (half == NULL)
        return;
    half->response.has_dist = true;
    half->response.dist = r->dist;
    half->consistency = r->consistency;
    if (err_is_ok(evidence_tree_of_contacts(r, &contact, 1, &half->trees[0])))
        half->tree_count = 1;
}

/* Whichever answer it is that failed: of a search, or of monitoring. */
static void add_bad(struct court *court, struct bytes in, const struct log_label *label)
{
    struct contact_response *contact = malloc(sizeof *contact);
    struct owner_response owner;
    if (contact != NULL && label != NULL && err_is_ok(contact_response_parse(in, contact))) {
        add_tree(court, contact, label);
    } else if (err_is_ok(owner_response_parse(in, &owner)) && owner.step_count > 0) {
        struct half *half = half_new(court, owner.checkpoint);
        FILLED_LATER struct owner_step step;
        owner_step_read(&owner.steps, &step);
        if (half != NULL) {
            half->response.has_dist = true;
            half->response.dist = step.dist;
            half->consistency = owner.consistency;
        }
    } else {
        add_response(court, in, bytes_of(NULL, 0), NULL);
    }
    free(contact);
}

/* What a half shows of single entries. */
static size_t sightings_of(const struct half *h, struct evidence_sighting out[3])
{
    size_t count = 0;
    const struct dist_entry *dist = &h->response.dist;
    if (h->has_entry)
        out[count++] = (struct evidence_sighting){h->note, h->size - 1, h->response.entry,
                                                  h->response.inclusion};
    if (h->response.has_dist) {
        out[count++] =
            (struct evidence_sighting){h->note, dist->index, dist->entry, dist->incl_entry};
        if (dist->index > 1)
            out[count++] =
                (struct evidence_sighting){h->note, dist->index - 1, dist->prev, dist->incl_prev};
    }
    return count;
}

/* ---- each against each; what is built is verified by its builder */

static bool convicts_by_entries(struct court *court, const struct half *a, const struct half *b)
{
    struct evidence_sighting of_a[3], of_b[3];
    size_t count_a = sightings_of(a, of_a), count_b = sightings_of(b, of_b);
    for (size_t i = 0; i < count_a; i++)
        for (size_t j = 0; j < count_b; j++) {
            if (err_is_ok(evidence_sightings(&court->file, court->config, EVIDENCE_ENTRIES,
                                             &of_a[i], &of_b[j])) ||
                err_is_ok(evidence_sightings(&court->file, court->config, EVIDENCE_TIME, &of_a[i],
                                             &of_b[j])) ||
                err_is_ok(evidence_sightings(&court->file, court->config, EVIDENCE_TIME, &of_b[j],
                                             &of_a[i])))
                return true;
        }
    return false;
}

/* The log of a's size, and what b says of that size. */
static bool convicts_by_prefix(struct court *court, const struct half *a, const struct half *b)
{
    const struct evidence_prefix whole = {a->note, {0}}, longer = {b->note, b->consistency};
    return a->size < b->size && b->consistency.count > 0 &&
           err_is_ok(evidence_forked(&court->file, court->config, a->size, &whole, &longer));
}

/* The trees of both halves, since the value lies in one of them. */
static bool convicts_by_value(struct court *court, const struct half *a, const struct half *b)
{
    for (size_t i = 0; i < a->tree_count && a->named.count > 0 && b->named.count > 0; i++)
        for (size_t j = 0; j < b->tree_count; j++) {
            struct evidence_named before = a->named, after = b->named;
            before.tree = &a->trees[i];
            after.tree = &b->trees[j];
            if (err_is_ok(evidence_unsigned(&court->file, court->config, &before, &after)))
                return true;
        }
    return false;
}

static bool convicts(struct court *court, const struct half *a, const struct half *b)
{
    if (a->size == b->size &&
        err_is_ok(evidence_roots(&court->file, court->config, a->note, b->note)))
        return true;
    if (a->response.has_dist && b->response.has_dist &&
        err_is_ok(evidence_windows(&court->file, court->config, a->note, &a->response.dist, b->note,
                                   &b->response.dist)))
        return true;
    if (convicts_by_entries(court, a, b) || convicts_by_prefix(court, a, b) ||
        convicts_by_prefix(court, b, a) || convicts_by_value(court, a, b) ||
        convicts_by_value(court, b, a))
        return true;
    for (size_t i = 0; i < a->tree_count; i++)
        for (size_t j = 0; j < b->tree_count; j++)
            if (err_is_ok(
                    evidence_rewritten(&court->file, court->config, &a->trees[i], &b->trees[j])) ||
                err_is_ok(
                    evidence_rewritten(&court->file, court->config, &b->trees[j], &a->trees[i])))
                return true;
    return false;
}

static void hold_court(struct court *court)
{
    for (size_t i = 0; i < court->count; i++)
        for (size_t j = i + 1; j < court->count; j++)
            if (convicts(court, &court->halves[i], &court->halves[j]))
                return;
}

static struct err sentence(struct db_txn *t, struct court *court, uint64_t *ret_number)
{
    struct err err = ERR_OK;
    *ret_number = 0;
    if (court->file.len > 0)
        err = log_evidence_put(t, buf_view(&court->file), ret_number);
    buf_clear(&court->file);
    free(court);
    return err;
}

struct err log_court_view(struct db_txn *t, const struct log *log, const struct log_sight *sights,
                          size_t count, uint64_t *ret_number)
{
    struct court *court = calloc(1, sizeof *court);
    if (court == NULL)
        return ERR(NO_MEMORY);
    court->config = &log->view.config;
    for (size_t i = 0; i < log->seen_count; i++)
        add_seen(court, &log->seen[i]);
    for (size_t i = 0; i < count; i++)
        add_sight(court, &sights[i]);
    hold_court(court);
    return sentence(t, court, ret_number);
}

struct err log_court(struct db_txn *t, const struct log *log, const struct log_label *label,
                     const struct log_trouble *trouble, uint64_t *ret_number)
{
    struct court *court = calloc(1, sizeof *court);
    struct log_receipt *receipt = malloc(sizeof *receipt);
    struct bytes name = label != NULL ? buf_view(&label->label) : bytes_of(NULL, 0);
    if (court == NULL || receipt == NULL) {
        free(court);
        free(receipt);
        return ERR(NO_MEMORY);
    }
    court->config = &log->view.config;
    if (label != NULL)
        add_response(court, buf_view(&label->response), name, &label->known);
    for (size_t i = 0; i < log->seen_count; i++)
        add_seen(court, &log->seen[i]);
    add_bad(court, trouble->bad, label);
    add_response(court, trouble->fresh, name,
                 trouble->fresh_is != NULL ? &trouble->fresh_is->known : NULL);
    (void)half_new(court, bytes_of(log->view.note, log->view.note_len));
    if (label != NULL && err_is_ok(log_receipt_read(log, label, receipt)))
        add_receipt(court, label, receipt);
    hold_court(court);
    free(receipt);
    return sentence(t, court, ret_number);
}
