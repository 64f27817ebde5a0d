/* What two people compare of their logs, by voice or by a QR code (tlog/compare.h). */
#include <stdio.h>
#include <string.h>

#include "client/core/contact.h"
#include "client/core/door.h"
#include "client/core/log.h"
#include "tlog/compare.h"

struct code {
    const struct hearth_id *contact;
    struct log logs[2]; /* his homeserver's and ours, or one */
    struct log_label *labels[2];
    struct kt_comparison comparison; /* views into these */
};

static void code_clear(struct code *code)
{
    for (size_t i = 0; i < 2; i++) {
        log_clear(&code->logs[i]);
        log_label_free(code->labels[i]);
        code->labels[i] = NULL;
    }
}

static struct err person(struct db_txn *t, struct bytes user_id, struct code *code, size_t i)
{
    struct buf label = BUF_INIT;
    char domain[DOMAIN_MAX_BYTES + 1];
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, user_id);
    struct err err = buf_check(&label);
    if (err_is_ok(err) && !log_label_domain(buf_view(&label), domain))
        err = ERR(NOT_FOUND);
    if (err_is_ok(err))
        err = log_label_get(t, domain, buf_view(&label), &code->labels[i]);
    if (err_is_ok(err))
        err = log_get(t, domain, &code->logs[i]);
    buf_clear(&label);
    TRY(err);
    const struct log_label *l = code->labels[i];
    if (code->logs[i].state != LOG_HELD || !l->known.exists)
        return ERR(NOT_FOUND);
    code->comparison.persons[i] =
        (struct kt_person){buf_view(&l->label), l->known.version, l->commitment};
    return ERR_OK;
}

static struct err make(struct core *c, struct db_txn *t, void *arg)
{
    struct code *code = arg;
    struct contact contact = {0};
    TRY(contact_get(c, t, code->contact, &contact));
    struct err err = contact.user_id.len > 0 ? ERR_OK : ERR(NOT_FOUND);
    if (err_is_ok(err))
        err = person(t, buf_view(&c->account.user_id), code, 0);
    if (err_is_ok(err))
        err = person(t, buf_view(&contact.user_id), code, 1);
    contact_clear(&contact);
    TRY(err);
    size_t logs = strcmp(code->logs[0].domain, code->logs[1].domain) == 0 ? 1 : 2;
    for (size_t i = 0; i < logs; i++) {
        const struct kt_view *view = &code->logs[i].view;
        if (view->dist_count == 0 ||
            !kt_view_head_of(view, view->dist_count - 1, &code->comparison.heads[i]))
            return ERR(NOT_FOUND);
    }
    code->comparison.head_count = logs;
    return ERR_OK;
}

static bool begin(struct hearth_account *a, const struct hearth_id *contact, struct code *code)
{
    *code = (struct code){.contact = contact};
    if (door_look(a, make, code))
        return true;
    struct hearth_error *e = &a->core->error;
    if (e->result == HEARTH_NOT_THERE)
        (void)snprintf(e->hint, sizeof e->hint,
                       "the logs were not asked yet, or there are none: hearth kt head");
    code_clear(code);
    return false;
}

bool hearth_log_code(struct hearth_account *a, const struct hearth_id *contact,
                     struct hearth_log_comparison *ret_code)
{
    struct code code;
    struct buf qr = {.limit = HEARTH_LOG_QR_BYTES};
    struct hearth_log_comparison out = {.qr_bytes = 0};
    _Static_assert(sizeof out.digits == KT_CODE_CHARS + 1, "the code and its zero byte");
    if (!begin(a, contact, &code))
        return false;
    struct err err = kt_comparison_code(&code.comparison, out.digits);
    if (err_is_ok(err))
        err = kt_comparison_write(&qr, &code.comparison);
    if (err_is_ok(err)) {
        memcpy(out.qr, qr.data, qr.len);
        out.qr_bytes = qr.len;
        out.window = code.comparison.heads[0].window;
        *ret_code = out;
    } else {
        core_error_of(err, &a->core->error);
    }
    buf_clear(&qr);
    code_clear(&code);
    return err_is_ok(err);
}

static enum hearth_result differs(struct hearth_account *a, enum kt_difference difference)
{
    struct hearth_error *e = &a->core->error;
    bool window = difference == KT_OTHER_WINDOW;
    *e = (struct hearth_error){.result = window ? HEARTH_FAILED : HEARTH_UNVERIFIED};
    (void)snprintf(e->name, sizeof e->name, "%s", window ? "LOG_WINDOW" : "LOG_DIFFERS");
    (void)snprintf(e->text, sizeof e->text, "%s",
                   window ? "the two of you looked at different windows of the log"
                          : "what the log shows you differs");
    (void)snprintf(e->cause, sizeof e->cause, "%s",
                   window                        ? ""
                   : difference == KT_OTHER_KEYS ? "other keys of one of you, or other people"
                                                 : "the homeserver shows each of you another log");
    (void)snprintf(e->hint, sizeof e->hint, "%s",
                   window ? "both: hearth kt monitor; then once more"
                          : "somebody may be between you: do not write before you know why");
    return e->result;
}

enum hearth_result hearth_log_compare(struct hearth_account *a, const struct hearth_id *contact,
                                      const void *qr, size_t len)
{
    struct code code;
    struct kt_comparison theirs, mine;
    struct buf own = BUF_INIT;
    if (!err_is_ok(kt_comparison_parse(bytes_of(qr, len), &theirs))) {
        (void)verb_usage(a, "that is no comparison code of a log", NULL);
        return HEARTH_USAGE;
    }
    if (!begin(a, contact, &code))
        return a->core->error.result;
    struct err err = kt_comparison_write(&own, &code.comparison);
    if (err_is_ok(err)) /* sorted, as theirs is */
        err = kt_comparison_parse(buf_view(&own), &mine);
    enum kt_difference difference =
        err_is_ok(err) ? kt_comparison_judge(&mine, &theirs) : KT_OTHER_KEYS;
    if (!err_is_ok(err))
        core_error_of(err, &a->core->error);
    buf_clear(&own);
    code_clear(&code);
    if (!err_is_ok(err))
        return a->core->error.result;
    return difference == KT_AGREE ? HEARTH_DONE : differs(a, difference);
}
