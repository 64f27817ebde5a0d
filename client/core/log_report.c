/* Alarms, and evidence: whatever of what was kept contradicts what came is put together to a file
 * that convicts (tlog/evidence.h). The halves are few, so each is held against each. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/core/event.h"
#include "client/core/log_inside.h"
#include "tlog/evidence.h"
#include "tlog/monitor.h"

enum { HALVES_MAX = LOG_SEEN_MAX + 3, ALARM_TEXT_BYTES = 600 };
static const char troubled[] = "log-trouble";

/* One thing that was signed, and what lies under it. Views. */
struct half {
    struct bytes note;
    uint64_t size;
    struct search_response response;
    bool has_entry;
    struct evidence_tree trees[2]; /* at the newest entry, at the distinguished one */
    size_t tree_count;
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

static void add_response(struct court *court, struct bytes in, const struct kt_known *known)
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
        if (known != NULL) {
            evidence_tree_of_search(&half->response, known, half->size, &half->trees[0]);
            half->tree_count = 1;
            if (err_is_ok(evidence_tree_of_dist(&half->response, known, &half->trees[1])))
                half->tree_count = 2;
        }
    }
    free(r);
}

static void add_seen(struct court *court, const struct log_seen *seen)
{
    struct wire_reader r = wire_reader_of(buf_view(&seen->dist));
    struct dist_entry dist;
    dist_entry_read(&r, &dist);
    struct half *half =
        err_is_ok(wire_reader_end(&r)) ? half_new(court, buf_view(&seen->note)) : NULL;
    if (half == NULL)
        return;
    half->response.has_dist = true;
    half->response.dist = dist;
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
        }
    } else {
        add_response(court, in, NULL);
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

static bool convicts(struct court *court, const struct half *a, const struct half *b)
{
    if (a->size == b->size &&
        err_is_ok(evidence_roots(&court->file, court->config, a->note, b->note)))
        return true;
    if (a->response.has_dist && b->response.has_dist &&
        err_is_ok(evidence_windows(&court->file, court->config, a->note, &a->response.dist, b->note,
                                   &b->response.dist)))
        return true;
    if (convicts_by_entries(court, a, b))
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

struct err log_report_view(struct core *c, struct db_txn *t, struct log *log, struct bytes note,
                           struct bytes dist)
{
    struct court *court = calloc(1, sizeof *court);
    struct log_seen theirs = {BUF_INIT, BUF_INIT};
    uint64_t number = 0;
    if (court == NULL)
        return ERR(NO_MEMORY);
    court->config = &log->view.config;
    for (size_t i = 0; i < log->seen_count; i++)
        add_seen(court, &log->seen[i]);
    buf_append_bytes(&theirs.note, note);
    buf_append_bytes(&theirs.dist, dist);
    if (!theirs.note.failed && !theirs.dist.failed)
        add_seen(court, &theirs);
    hold_court(court);
    struct err err = ERR_OK;
    if (court->file.len > 0)
        err = log_evidence_put(t, buf_view(&court->file), &number);
    buf_clear(&theirs.note);
    buf_clear(&theirs.dist);
    buf_clear(&court->file);
    free(court);
    TRY(err);
    if (number == 0) { /* anybody could say so: it is told, once a window, and nothing more */
        uint64_t now = core_now_ms(c);
        if (log->doubted_ms != 0 && now - log->doubted_ms < log->view.config.window_ms)
            return ERR_OK;
        log->doubted_ms = now;
        return log_alarm(c, t, NULL, 0,
                         "a member of a chat says that %s shows him another log, without proof",
                         log->domain);
    }
    log->distrusted = true;
    TRY(log_troubled(c, t));
    return log_alarm(c, t, NULL, number,
                     "%s shows a member of a chat another log than us; evidence %llu convicts its "
                     "operator",
                     log->domain, (unsigned long long)number);
}

static struct err find_evidence(struct db_txn *t, const struct log *log,
                                const struct log_label *label, const struct log_trouble *trouble,
                                uint64_t *ret_number)
{
    struct court *court = calloc(1, sizeof *court);
    if (court == NULL)
        return ERR(NO_MEMORY);
    court->config = &log->view.config;
    if (label != NULL)
        add_response(court, buf_view(&label->response), &label->known);
    for (size_t i = 0; i < log->seen_count; i++)
        add_seen(court, &log->seen[i]);
    add_bad(court, trouble->bad, label);
    add_response(court, trouble->fresh,
                 trouble->fresh_is != NULL ? &trouble->fresh_is->known : NULL);
    hold_court(court);
    struct err err = ERR_OK;
    *ret_number = 0;
    if (court->file.len > 0)
        err = log_evidence_put(t, buf_view(&court->file), ret_number);
    buf_clear(&court->file);
    free(court);
    return err;
}

/* ---- saying so */

struct err log_troubled(struct core *c, struct db_txn *t)
{
    (void)c;
    return db_put(t, DB_SETTING, bytes_of(troubled, sizeof troubled - 1), bytes_of("!", 1));
}

struct err log_alarm(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                     uint64_t evidence, const char *format, ...)
{
    char text[ALARM_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct hearth_event event = {
        .kind = HEARTH_EVENT_LOG, .message = evidence, .result = HEARTH_UNVERIFIED, .text = text};
    if (contact != NULL)
        event.contact = *contact;
    c->log_alarms++;
    return event_tell(c, t, &event);
}

/* Errors that are about the log as a whole, whichever label was asked for. */
static bool is_of_whole_log(struct err err)
{
    switch (err.code) {
    case ERR_TLOG_NOTE:
    case ERR_TLOG_NOTE_SIGNATURE:
    case ERR_TLOG_CHECKPOINT:
    case ERR_TLOG_SHRUNK:
    case ERR_TLOG_FORK:
    case ERR_TLOG_INCLUSION:
    case ERR_TLOG_CONSISTENCY:
    case ERR_TLOG_TIME:
    case ERR_TLOG_DISTINGUISHED:
    case ERR_TLOG_STEPS:
        return true;
    default:
        return false;
    }
}

static bool is_of_time(struct err err)
{
    return err.code == ERR_TLOG_STALE || err.code == ERR_TLOG_FUTURE;
}

struct err log_report(struct core *c, struct db_txn *t, struct log *log, struct log_label *label,
                      const struct log_trouble *trouble)
{
    uint64_t number = 0;
    bool was = log->distrusted || (label != NULL && label->bad);
    if (is_of_time(trouble->why)) {
        if (log->overdue)
            return ERR_OK;
        log->overdue = true;
        return log_alarm(c, t, NULL, 0, "log of %s: %s; is the clock of this machine right?",
                         log->domain, err_text(trouble->why));
    }
    uint64_t before = 0; /* one file is enough */
    if (log->distrusted)
        TRY(db_list_last(t, DB_LOG_EVIDENCE, bytes_of(NULL, 0), &before));
    if (log->state == LOG_HELD && before == 0)
        TRY(find_evidence(t, log, label, trouble, &number));
    if (number != 0 || label == NULL || is_of_whole_log(trouble->why))
        log->distrusted = true;
    else
        label->bad = true;
    if (was && number == 0)
        return ERR_OK; /* said before */
    TRY(log_troubled(c, t));
    return number != 0
               ? log_alarm(c, t, NULL, number, "log of %s: %s; evidence %llu convicts its operator",
                           log->domain,
                           trouble->what != NULL ? trouble->what : err_text(trouble->why),
                           (unsigned long long)number)
               : log_alarm(c, t, NULL, 0, "log of %s: %s", log->domain,
                           trouble->what != NULL ? trouble->what : err_text(trouble->why));
}

/* ---- a person decides */

struct forgiving {
    struct core *core;
    struct db_txn *t;
};

static struct err forget(void *arg, struct log_label *l)
{
    const struct forgiving *f = arg;
    uint8_t roles = l->roles;
    struct log_label *fresh;
    TRY(log_label_new(l->domain, buf_view(&l->label), &fresh));
    fresh->roles = roles;
    struct err err = log_label_put(f->t, fresh);
    log_label_free(fresh);
    if (err_is_ok(err) && roles != 0)
        err = log_search(f->core, f->t, l->domain, buf_view(&l->label), roles, NULL);
    return err;
}

struct err log_accept(struct core *c, struct db_txn *t, const char *domain)
{
    struct forgiving f = {c, t};
    struct log log;
    TRY(log_get(t, domain, &log));
    bool there = log.state != LOG_UNKNOWN;
    log_clear(&log);
    if (!there)
        return ERR(NOT_FOUND);
    TRY(db_drop(t, DB_LOG, bytes_str(domain)));
    TRY(log_keys_accept(t, domain));
    return log_label_each(t, domain, forget, &f);
}

struct err log_accept_user(struct core *c, struct db_txn *t, struct bytes user_id)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf label = BUF_INIT;
    struct log_label *l = NULL;
    (void)c;
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, user_id);
    struct err err = buf_check(&label);
    if (err_is_ok(err) && log_label_domain(buf_view(&label), domain))
        err = log_label_get(t, domain, buf_view(&label), &l);
    if (err_is_ok(err) && l != NULL && l->bad) {
        l->bad = false;
        err = log_label_put(t, l);
    }
    log_label_free(l);
    buf_clear(&label);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}
