/* TASK_LOG_MONITOR: what owners and contacts check once a window (transparency.md 9): of each own
 * label, that no distinguished entry has a version that we did not make; of each version that was
 * not yet at a distinguished entry when it was found, that it is still there.
 *
 *     body    struct { opaque domain<V>; opaque label<V>; }    label: being asked about; or empty
 *     state   answers in a row that failed, or refusals
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/log_inside.h"
#include "client/core/task.h"
#include "hearth/v1/transparency.pb-c.h"
#include "seal/key_set.h"

struct monitoring {
    struct log log;
    struct log_label *label; /* NULL: nothing is due */
    bool owner;
    uint32_t skipped_above; /* the log may lack a version above this one; LADDER_NONE: no */
};

static void monitoring_end(struct monitoring *m)
{
    log_clear(&m->log);
    log_label_free(m->label);
}

/* ---- what is due */

static bool owner_due(const struct log_label *l, const struct kt_dist *newest)
{
    return (l->roles & LOG_OWN) && l->known.exists && l->watched.index != 0 &&
           l->watched.index < newest->index;
}

/* Who proves himself has a window's time to do so again before he is asked after. */
static bool contact_due(const struct log_label *l, const struct kt_view *view)
{
    size_t since = 0;
    for (size_t i = 0; i < view->dist_count; i++)
        since += view->dists[i].index >= l->known.epoch;
    return l->known.exists && l->known.pending && since > ((l->roles & LOG_PROVEN) != 0 ? 1 : 0);
}

/* Our newest set, where the log shows a later one that we can't follow: is one left out? Another
 * device's changes, of which it has not told us yet, look the same until the log is asked. */
static struct err skipped_above(const struct core *c, const struct log_label *l,
                                uint32_t *ret_version)
{
    struct bytes ours = buf_view(&c->account.user_id), of = buf_view(&l->label);
    *ret_version = LADDER_NONE;
    if (!(l->roles & LOG_OWN) || !l->known.exists || l->receipt.len == 0 ||
        of.data[0] != LABEL_USER || !bytes_equal(bytes_of(of.data + 1, of.len - 1), ours))
        return ERR_OK;
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(buf_view(&c->account.key_set), set);
    if (err_is_ok(err) && l->known.version > set->version)
        *ret_version = set->version;
    free(set);
    return err;
}

static bool skip_due(const struct log_label *l, const struct kt_dist *newest)
{
    return l->watched.index != 0 && l->watched.index < newest->index &&
           l->skip_looked < newest->index;
}

struct choosing {
    const struct core *core;
    const struct kt_view *view;
    const struct kt_dist *newest;
    struct buf label;
    bool found;
};

static struct err choose(void *arg, struct log_label *l)
{
    struct choosing *choosing = arg;
    uint32_t above;
    TRY(skipped_above(choosing->core, l, &above));
    bool owner = above == LADDER_NONE ? !l->bad && owner_due(l, choosing->newest)
                                      : skip_due(l, choosing->newest);
    if (!owner && (l->bad || !contact_due(l, choosing->view)))
        return ERR_OK;
    buf_append_bytes(&choosing->label, buf_view(&l->label));
    TRY(buf_check(&choosing->label));
    choosing->found = true;
    return ERR(CANCELLED);
}

static struct err next_label(struct core *c, struct db_txn *t, const struct log *log,
                             struct buf *ret_label)
{
    struct choosing choosing = {
        .core = c, .view = &log->view, .newest = kt_view_newest_dist(&log->view)};
    if (choosing.newest == NULL || log->distrusted)
        return ERR_OK;
    struct err err = log_label_each(t, log->domain, choose, &choosing);
    if (err_is_ok(err) && choosing.found) {
        buf_clear(ret_label);
        *ret_label = choosing.label;
        return ERR_OK;
    }
    buf_clear(&choosing.label);
    return err;
}

static struct err body_read(const struct task *task, char ret_domain[DOMAIN_MAX_BYTES + 1],
                            struct bytes *ret_label)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes domain = wire_read_vector(&r);
    *ret_label = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(ret_domain, DOMAIN_MAX_BYTES + 1, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    return ERR_OK;
}

static struct err body_set(struct task *task, const char *domain, struct bytes label)
{
    struct buf b = BUF_INIT;
    wire_write_vector(&b, bytes_str(domain));
    wire_write_vector(&b, label);
    return buf_replace(&task->body, &b);
}

static struct err begin(struct core *c, struct db_txn *t, const struct task *task,
                        struct monitoring *m)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes label;
    *m = (struct monitoring){.skipped_above = LADDER_NONE};
    TRY(body_read(task, domain, &label));
    TRY(log_get(t, domain, &m->log));
    struct err err = ERR_OK;
    if (label.len > 0 && m->log.state == LOG_HELD)
        err = log_label_get(t, domain, label, &m->label);
    if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    const struct kt_dist *newest = kt_view_newest_dist(&m->log.view);
    if (err_is_ok(err) && m->label != NULL && newest != NULL)
        err = skipped_above(c, m->label, &m->skipped_above);
    if (err_is_ok(err) && m->label != NULL && newest != NULL) {
        if (m->skipped_above != LADDER_NONE && !skip_due(m->label, newest))
            m->skipped_above = LADDER_NONE;
        else
            m->owner = m->skipped_above != LADDER_NONE || owner_due(m->label, newest);
    }
    if (!err_is_ok(err))
        monitoring_end(m);
    return err;
}

/* ---- asking */

static struct kt_own own_of(const struct log_label *l)
{
    return (struct kt_own){buf_view(&l->label), l->own, l->own_count};
}

static struct kt_contact contact_of(const struct log_label *l)
{
    return (struct kt_contact){buf_view(&l->label), &l->known, l->opening};
}

static struct err ask(const struct monitoring *m, struct task_call *call)
{
    Hearth__V1__MonitorRequest in = HEARTH__V1__MONITOR_REQUEST__INIT;
    struct buf request = BUF_INIT;
    struct kt_own own = own_of(m->label);
    struct kt_contact contact = contact_of(m->label);
    struct err err = m->skipped_above != LADDER_NONE
                         ? log_skipped_request(&m->log, m->label, m->skipped_above, &request)
                     : m->owner ? kt_owner_request(&request, &m->log.view, &own, &m->label->watched)
                                : kt_contact_request(&request, &m->log.view, &contact, 1);
    in.monitor = core_out(buf_view(&request));
    (void)snprintf(call->domain, sizeof call->domain, "%s", m->log.domain);
    call->anonymous = true;
    if (err_is_ok(err))
        err = task_call_request(call, "Transparency", "Monitor", &in.base);
    buf_clear(&request);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes label;
    struct log log;
    struct buf next = BUF_INIT;
    struct monitoring m;
    TRY(body_read(task, domain, &label));
    if (label.len == 0) {
        TRY(log_get(t, domain, &log));
        struct err err = next_label(c, t, &log, &next);
        if (err_is_ok(err) && next.len > 0)
            err = body_set(task, domain, buf_view(&next));
        *ret_next = TASK_NEXT_DONE;
        log_clear(&log);
        bool more = next.len > 0;
        buf_clear(&next);
        TRY(err);
        if (!more)
            return ERR_OK;
    }
    TRY(begin(c, t, task, &m));
    *ret_next = m.label != NULL ? TASK_NEXT_CALL : TASK_NEXT_DONE;
    struct err err = m.label != NULL ? ask(&m, call) : ERR_OK;
    monitoring_end(&m);
    return err;
}

/* ---- verifying */

static struct err verify_owner(struct monitoring *m, struct bytes response)
{
    struct log_label *l = m->label;
    struct kt_own own = own_of(l);
    struct kt_dist to;
    struct kt_view view = m->log.view;
    uint64_t newest = kt_view_newest_dist(&view)->index;
    struct err err = kt_verify_owner(&view, &own, &l->watched, response, &to);
    if (err_class_of(err) == ERR_CLASS_PEER || err_class_of(err) == ERR_CLASS_CALLER)
        err = kt_verify_owner_late(&view, buf_view(&l->label), l->own, l->own_count, &l->watched,
                                   response, &to); /* another device's changes */
    TRY(err);
    if (to.index <= l->watched.index && newest > l->watched.index)
        return ERR(TLOG_STEPS); /* we know of a newer one */
    l->watched = to;
    m->log.view = view;
    return ERR_OK;
}

static struct err verify_contact(struct monitoring *m, struct bytes response)
{
    struct kt_contact contact = contact_of(m->label);
    uint64_t index;
    TRY(kt_verify_contacts(&m->log.view, &contact, 1, response, &index));
    m->label->known.pending = false;
    m->label->known.dist_index = index;
    return ERR_OK;
}

static struct err put(struct db_txn *t, struct task *task, const struct monitoring *m)
{
    TRY(log_put(t, &m->log));
    TRY(log_label_put(t, m->label));
    task->state = 0;
    return body_set(task, m->log.domain, bytes_of(NULL, 0));
}

/* Whatever else the answer shows is not judged: that waits until we know our own sets. */
static struct err take_skipped(struct core *c, struct db_txn *t, struct task *task,
                               struct monitoring *m, struct bytes response,
                               enum task_next *ret_next)
{
    uint64_t number = 0;
    m->label->skip_looked = kt_view_newest_dist(&m->log.view)->index;
    TRY(log_skipped(t, &m->log, m->label, m->skipped_above, response, &number));
    if (number != 0) {
        m->log.distrusted = m->label->bad = true;
        TRY(log_troubled(c, t));
        TRY(log_alarm(c, t, NULL, number,
                      "log of %s: a set of devices of yours is left out; evidence %llu convicts "
                      "its operator",
                      m->log.domain, (unsigned long long)number));
    }
    *ret_next = TASK_NEXT_AGAIN;
    return put(t, task, m);
}

/* A search afresh finds out what is there instead (log_ask.c); until then it is not asked again. */
static struct err doubt(struct core *c, struct db_txn *t, const struct monitoring *m,
                        struct bytes response, struct err why)
{
    uint8_t lane[16];
    struct buf body = BUF_INIT;
    log_lane(m->log.domain, lane);
    wire_write_vector(&body, bytes_str(m->log.domain));
    wire_write_vector(&body, buf_view(&m->label->label));
    wire_write_vector(&body, response.len <= LOG_RESPONSE_KEPT_BYTES ? response : bytes_of("?", 1));
    wire_write_u32(&body, (uint32_t)why.code);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG, lane, NULL, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

/* ---- refused */

struct looking_up {
    struct core *core;
    struct db_txn *t;
    const struct kt_view *view;
};

static struct err look_up_pending(void *arg, struct log_label *l)
{
    struct looking_up *look = arg;
    return l->bad || !contact_due(l, look->view)
               ? ERR_OK
               : log_search(look->core, look->t, l->domain, buf_view(&l->label), l->roles, NULL);
}

/* After so long nobody keeps what stood there: from the newest entry on again, whose state a search
 * has shown. Whether the time was so long is for what we verified to say, not for the answer. */
static struct err begin_anew(struct core *c, struct db_txn *t, struct task *task,
                             struct monitoring *m)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    const struct kt_dist *newest = kt_view_newest_dist(&m->log.view);
    const uint64_t days = (newest->entry.timestamp - m->label->watched.entry.timestamp) / DAY_MS;
    m->label->watched = *newest;
    TRY(put(t, task, m));
    return log_notice(c, t,
                      "this device did not look at the log of %s for %llu days, and no log keeps "
                      "that much: what it showed of you at first can't be looked at any more, what "
                      "it shows now is looked at as ever",
                      m->log.domain, (unsigned long long)days);
}

static bool was_long_away(const struct monitoring *m)
{
    return m->owner && m->log.view.last_ms > m->label->watched.entry.timestamp &&
           m->log.view.last_ms - m->label->watched.entry.timestamp >= KT_KEPT_MS;
}

/* Whoever refuses to show what the log had hides it, and so it is said: of our own labels this is
 * the only way to see every distinguished entry. What waits to be seen at one is looked up instead,
 * which shows the same. */
static struct err refused(struct core *c, struct db_txn *t, struct task *task, struct monitoring *m,
                          const struct hearth_status *status, enum task_next *ret_next)
{
    struct looking_up look = {c, t, &m->log.view};
    *ret_next = TASK_NEXT_AGAIN;
    if (status->code == HEARTH_OUT_OF_RANGE && was_long_away(m))
        return begin_anew(c, t, task, m);
    if (task->state++ == 0)
        return ERR_OK;
    *ret_next = TASK_NEXT_DONE; /* in the next window again */
    TRY(log_label_each(t, m->log.domain, look_up_pending, &look));
    return m->owner ? log_alarm(c, t, NULL, 0,
                                "the log of %s refuses to show what it had of us before: %s",
                                m->log.domain, status->message != NULL ? status->message : "")
                    : ERR_OK;
}

static struct err settle_with(struct core *c, struct db_txn *t, struct task *task,
                              struct monitoring *m, const struct task_answer *answer,
                              enum task_next *ret_next)
{
    const Hearth__V1__MonitorResponse *in = (const void *)answer->out;
    if (in == NULL)
        return refused(c, t, task, m, answer->status, ret_next);
    *ret_next = TASK_NEXT_DONE;
    struct bytes response = core_in(in->monitor);
    if (m->skipped_above != LADDER_NONE)
        return take_skipped(c, t, task, m, response, ret_next);
    struct err err = m->owner ? verify_owner(m, response) : verify_contact(m, response);
    enum err_class class = err_class_of(err);
    if (!err_is_ok(err) && class != ERR_CLASS_PEER && class != ERR_CLASS_CALLER)
        return err;
    if (err_is_ok(err)) {
        *ret_next = TASK_NEXT_AGAIN;
        return put(t, task, m);
    }
    if (task->state++ == 0) {
        *ret_next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    return doubt(c, t, m, response, err);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct monitoring m;
    TRY(begin(c, t, task, &m));
    *ret_next = TASK_NEXT_DONE;
    struct err err = m.label != NULL ? settle_with(c, t, task, &m, answer, ret_next) : ERR_OK;
    monitoring_end(&m);
    return err;
}

const struct task_steps task_steps_LOG_MONITOR = {.prepare = prepare, .settle = settle};
