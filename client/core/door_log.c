/* The verifiable log, as people are shown it. */
#include <stdio.h>
#include <string.h>

#include "client/core/contact.h"
#include "client/core/door.h"
#include "client/core/handle.h"
#include "client/core/log.h"
#include "client/core/log_witness.h"
#include "tlog/evidence.h"

/* ---- logs */

struct log_listing {
    bool (*fn)(const struct hearth_log *log, void *arg);
    void *arg;
    struct db_txn *t;
    bool over;
};

static void fill_held(const struct log *log, char origin[KT_ORIGIN_MAX_BYTES + 1],
                      char note[KT_NOTE_MAX_BYTES + 1], struct hearth_log *shown)
{
    const struct kt_view *view = &log->view;
    const struct kt_dist *dist = kt_view_newest_dist(view);
    (void)snprintf(origin, KT_ORIGIN_MAX_BYTES + 1, "%.*s", (int)view->config.origin_len,
                   (const char *)view->config.origin);
    (void)snprintf(note, KT_NOTE_MAX_BYTES + 1, "%.*s", (int)view->note_len,
                   (const char *)view->note);
    shown->origin = origin;
    shown->checkpoint = note;
    shown->entries = view->size;
    memcpy(shown->key, view->config.signature_key, sizeof shown->key);
    memcpy(shown->root, view->root.data, sizeof shown->root);
    shown->newest_ms = view->last_ms;
    shown->checked_ms = log->asked_ms;
    shown->watched_ms = log->watched_ms;
    shown->window_ms = view->config.window_ms;
    if (dist != NULL) {
        shown->window = kt_window(&view->config, dist->entry.timestamp);
        shown->window_entry = dist->index;
    }
}

static struct err list_log(void *arg, const struct log *log)
{
    struct log_listing *l = arg;
    char origin[KT_ORIGIN_MAX_BYTES + 1], note[KT_NOTE_MAX_BYTES + 1];
    struct hearth_log shown = {.domain = log->domain,
                               .state = (enum hearth_log_state)log->state,
                               .distrusted = log->distrusted,
                               .overdue = log->overdue,
                               .origin = "",
                               .checkpoint = ""};
    struct log_witnessed witnessed;
    TRY(log_witness_says(l->t, log, &witnessed));
    shown.judged = witnessed.judged;
    shown.witnessed_entries = witnessed.entries;
    shown.witnesses = witnessed.names;
    if (log->state == LOG_HELD)
        fill_held(log, origin, note, &shown);
    l->over = l->over || !l->fn(&shown, l->arg);
    return l->over ? ERR(CANCELLED) : ERR_OK;
}

static struct err list_logs(struct core *c, struct db_txn *t, void *arg)
{
    struct log_listing *l = arg;
    l->t = t;
    return log_each(c, t, list_log, l);
}

bool hearth_log_each(struct hearth_account *a, bool (*fn)(const struct hearth_log *log, void *arg),
                     void *arg)
{
    struct log_listing l = {.fn = fn, .arg = arg};
    return door_look(a, list_logs, &l);
}

/* ---- labels */

struct label_listing {
    bool (*fn)(const struct hearth_log_label *label, void *arg);
    void *arg;
    struct core *core;
    struct db_txn *t;
};

static void name_user(struct label_listing *l, struct bytes user, char name[400])
{
    struct hearth_id id;
    struct contact contact = {0};
    if (bytes_equal(user, buf_view(&l->core->account.user_id))) {
        (void)snprintf(name, 400, "your devices");
        return;
    }
    (void)snprintf(name, 400, "a member of a group");
    if (err_is_ok(contact_by_user(l->core, l->t, user, &id)) &&
        err_is_ok(contact_get(l->core, l->t, &id, &contact)))
        (void)snprintf(name, 400, "%s",
                       contact.handle[0] != '\0' ? contact.handle : "a contact without a handle");
    contact_clear(&contact);
}

static void name_of(struct label_listing *l, const struct log_label *label, char name[400])
{
    struct bytes rest = bytes_of(label->label.data + 1, label->label.len - 1);
    struct buf set = BUF_INIT;
    char handle[HANDLE_TEXT_MAX_BYTES + 1];
    switch (label->label.data[0]) {
    case LABEL_USER:
        name_user(l, rest, name);
        return;
    case LABEL_HANDLE:
        if (rest.len == HANDLE_HASH_BYTES &&
            err_is_ok(handle_own_set(l->core, l->t, rest.data, &set, handle)))
            (void)snprintf(name, 400, "%s", handle);
        else
            (void)snprintf(name, 400, "a handle at %s", label->domain);
        buf_clear(&set);
        return;
    default:
        (void)snprintf(name, 400, "%.*s of %s", (int)rest.len, (const char *)rest.data,
                       label->domain);
    }
}

static struct err list_label(void *arg, struct log_label *label)
{
    struct label_listing *l = arg;
    char name[400];
    name_of(l, label, name);
    struct hearth_log_label shown = {.domain = label->domain,
                                     .name = name,
                                     .own = (label->roles & LOG_OWN) != 0,
                                     .exists = label->known.exists,
                                     .pending = label->known.pending,
                                     .bad = label->bad,
                                     .version = label->known.version,
                                     .entry = label->known.epoch,
                                     .watched = label->watched.index,
                                     .checked_ms = label->checked_ms};
    memcpy(shown.commitment, label->commitment.data, sizeof shown.commitment);
    return l->fn(&shown, l->arg) ? ERR_OK : ERR(CANCELLED);
}

static struct err list_labels(struct core *c, struct db_txn *t, void *arg)
{
    struct label_listing *l = arg;
    l->core = c;
    l->t = t;
    return log_label_each(t, NULL, list_label, l);
}

bool hearth_log_label_each(struct hearth_account *a,
                           bool (*fn)(const struct hearth_log_label *label, void *arg), void *arg)
{
    struct label_listing l = {.fn = fn, .arg = arg};
    return door_look(a, list_labels, &l);
}

/* ---- verbs */

static struct err step_monitor(struct core *c, struct db_txn *t, void *arg)
{
    (void)arg;
    return log_watch_now(c, t);
}

bool hearth_log_monitor(struct hearth_account *a)
{
    return door_look(a, step_monitor, NULL);
}

static struct err step_policy(struct core *c, struct db_txn *t, void *arg)
{
    const struct bytes *text = arg;
    return log_witness_policy(c, t, *text);
}

bool hearth_log_set_policy(struct hearth_account *a, const char *text)
{
    struct bytes policy = bytes_str(text);
    return door_look(a, step_policy, &policy);
}

struct accepting {
    const char *domain;
};

static struct err step_accept(struct core *c, struct db_txn *t, void *arg)
{
    const struct accepting *accepting = arg;
    return log_accept(c, t, accepting->domain);
}

bool hearth_log_accept(struct hearth_account *a, const char *domain)
{
    struct accepting accepting = {domain};
    return door_look(a, step_accept, &accepting);
}

uint32_t hearth_log_alarms(struct hearth_account *a)
{
    return a->core->log_alarms;
}

/* ---- evidence */

struct evidence_reading {
    uint64_t number;
    struct buf file;
};

static struct err read_evidence(struct core *c, struct db_txn *t, void *arg)
{
    struct evidence_reading *r = arg;
    (void)c;
    return log_evidence_get(t, r->number, &r->file);
}

bool hearth_log_evidence(struct hearth_account *a, uint64_t number,
                         void (*fn)(const void *file, size_t len, void *arg), void *arg)
{
    struct evidence_reading r = {.number = number};
    bool there = door_look(a, read_evidence, &r);
    if (there)
        fn(r.file.data, r.file.len, arg);
    buf_clear(&r.file);
    return there;
}

enum hearth_result hearth_log_audit(const void *file, size_t len,
                                    struct hearth_log_verdict *ret_verdict)
{
    struct evidence evidence;
    *ret_verdict = (struct hearth_log_verdict){.text = ""};
    struct err err = evidence_verify(bytes_of(file, len), &evidence);
    if (!err_is_ok(err)) {
        (void)snprintf(ret_verdict->text, sizeof ret_verdict->text, "%s", err_text(err));
        return HEARTH_UNVERIFIED;
    }
    (void)snprintf(ret_verdict->origin, sizeof ret_verdict->origin, "%.*s",
                   (int)evidence.config.origin_len, (const char *)evidence.config.origin);
    (void)snprintf(ret_verdict->text, sizeof ret_verdict->text, "%s", evidence_text(evidence.kind));
    memcpy(ret_verdict->key, evidence.config.signature_key, sizeof ret_verdict->key);
    ret_verdict->first = evidence.at[0];
    ret_verdict->second = evidence.at[1];
    return HEARTH_DONE;
}
