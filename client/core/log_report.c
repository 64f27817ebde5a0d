/* Alarms, and what a person decides after one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/core/event.h"
#include "client/core/log_inside.h"

enum { ALARM_TEXT_BYTES = 600 };
static const char troubled[] = "log-trouble";

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

struct err log_notice(struct core *c, struct db_txn *t, const char *format, ...)
{
    char text[ALARM_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct hearth_event event = {
        .kind = HEARTH_EVENT_LOG, .result = HEARTH_DONE, .text = text};
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
        TRY(log_court(t, log, label, trouble, &number));
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

struct err log_report_view(struct core *c, struct db_txn *t, struct log *log,
                           const struct log_sight *sights, size_t count)
{
    uint64_t number = 0;
    TRY(log_court_view(t, log, sights, count, &number));
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
