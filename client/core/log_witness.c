/* TASK_LOG_WITNESS, in a lane of each homeserver's.
 *
 *     body    struct { opaque domain<V>; uint64 size; }    of the checkpoint that was asked for
 *     state   how often it was not cosigned by enough
 */
#include "client/core/log_witness.h"

#include <stdio.h>

#include "client/core/log_inside.h"
#include "client/core/task.h"
#include "hearth/v1/transparency.pb-c.h"
#include "tlog/checkpoint.h"

/* Witnesses look twice a window: eight times an eighth; at least longer than what
 * hearth_account_settle waits for. */
enum { TRIES = 8, WAIT_LEAST_MS = 3000, NOTE_KEPT_BYTES = 32768 };

static const char policy_id[] = "log-policy";

/* ---- what is kept */

/* Empty: there is none. */
static struct err setting(struct db_txn *t, struct bytes id, struct buf *value)
{
    struct err err = db_get(t, DB_SETTING, id, value);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err set(struct db_txn *t, struct bytes id, struct bytes value)
{
    return value.len > 0 ? db_put(t, DB_SETTING, id, value) : db_drop(t, DB_SETTING, id);
}

static struct err cosigned_id(const char *domain, struct buf *id)
{
    buf_append_bytes(id, bytes_str("log-cosigned"));
    buf_append_bytes(id, bytes_str(domain));
    return buf_check(id);
}

static struct err cosigned_get(struct db_txn *t, const char *domain, struct buf *note)
{
    struct buf id = BUF_INIT;
    struct err err = cosigned_id(domain, &id);
    if (err_is_ok(err))
        err = setting(t, buf_view(&id), note);
    buf_clear(&id);
    return err;
}

static struct err cosigned_put(struct db_txn *t, const char *domain, struct bytes note)
{
    struct buf id = BUF_INIT;
    struct err err = cosigned_id(domain, &id);
    if (err_is_ok(err))
        err = set(t, buf_view(&id), note);
    buf_clear(&id);
    return err;
}

/* ---- judging */

struct judging {
    struct buf text; /* of the policy; empty: none, and the rest is not set */
    struct tlog_policy policy;
};

static struct err judging_begin(struct db_txn *t, struct judging *j)
{
    j->text = BUF_INIT;
    struct err err = setting(t, bytes_of(policy_id, sizeof policy_id - 1), &j->text);
    if (err_is_ok(err) && j->text.len > 0)
        err = tlog_policy_parse(buf_view(&j->text), &j->policy);
    if (!err_is_ok(err))
        buf_clear(&j->text);
    return err;
}

/* A note of this log's, of a distinguished entry that we have verified. ERR_TLOG_FORK: with another
 * root than we have; ERR_TLOG_UNKNOWN: of no such entry. */
static struct err open_note(const struct log *log, struct bytes in, struct note *note,
                            uint64_t *ret_size)
{
    struct note_key key;
    struct checkpoint c;
    TRY(kt_config_log_key(&log->view.config, &key));
    TRY(checkpoint_open(in, &key, &c));
    TRY(note_parse(in, note));
    const struct kt_dist *dist = c.size > 1 ? kt_view_find_dist(&log->view, c.size - 1) : NULL;
    if (dist == NULL || !dist->has_log_root)
        return ERR(TLOG_UNKNOWN);
    *ret_size = c.size;
    return hash_value_equal(&dist->log_root, &c.root) ? ERR_OK : ERR(TLOG_FORK);
}

static void write_names(const struct tlog_policy *policy, uint32_t who, char names[512])
{
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; i < policy->count; i++) {
        const struct bytes name = policy->rows[i].name;
        if (!policy->rows[i].is_witness || (who >> i & 1) == 0 || name.len > 100 || len > 400)
            continue;
        len += (size_t)snprintf(names + len, 512 - len, "%s%.*s", len > 0 ? ", " : "",
                                (int)name.len, (const char *)name.data);
    }
}

static void judge(const struct judging *j, const struct log *log, struct bytes in,
                  struct log_witnessed *w)
{
    struct note note;
    uint64_t size;
    uint32_t who;
    if (in.len == 0 || !err_is_ok(open_note(log, in, &note, &size)) ||
        !tlog_policy_met(&j->policy, &note, &who))
        return; /* of another log or policy, or too old */
    w->entries = size;
    write_names(&j->policy, who, w->names);
}

struct err log_witness_says(struct db_txn *t, const struct log *log,
                            struct log_witnessed *ret_witnessed)
{
    struct judging j;
    struct buf note = BUF_INIT;
    *ret_witnessed = (struct log_witnessed){.judged = false};
    if (log->state != LOG_HELD)
        return ERR_OK;
    TRY(judging_begin(t, &j));
    ret_witnessed->judged = j.text.len > 0;
    struct err err = ERR_OK;
    if (ret_witnessed->judged)
        err = cosigned_get(t, log->domain, &note);
    if (err_is_ok(err) && ret_witnessed->judged)
        judge(&j, log, buf_view(&note), ret_witnessed);
    buf_clear(&note);
    buf_clear(&j.text);
    return err;
}

/* ---- asking */

static void witness_lane(const char *domain, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 log witness"), bytes_str(domain)), &d);
    memcpy(ret_lane, d.data, 16);
}

static struct err body_set(struct task *task, const char *domain, uint64_t size)
{
    struct buf b = BUF_INIT;
    wire_write_vector(&b, bytes_str(domain));
    wire_write_u64(&b, size);
    return buf_replace(&task->body, &b);
}

static struct err body_read(const struct task *task, char ret_domain[DOMAIN_MAX_BYTES + 1],
                            uint64_t *ret_size)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes domain = wire_read_vector(&r);
    *ret_size = wire_read_u64(&r);
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(ret_domain, DOMAIN_MAX_BYTES + 1, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    return ERR_OK;
}

struct err log_witness_begin(struct core *c, struct db_txn *t, const char *domain)
{
    uint8_t lane[16];
    bool there = false;
    struct buf text = BUF_INIT, body = BUF_INIT;
    struct err err = setting(t, bytes_of(policy_id, sizeof policy_id - 1), &text);
    const bool judged = text.len > 0;
    buf_clear(&text);
    if (!err_is_ok(err) || !judged)
        return err;
    witness_lane(domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_LOG_WITNESS, &there));
    if (there) {
        task_wake(c, lane);
        return ERR_OK;
    }
    wire_write_vector(&body, bytes_str(domain));
    wire_write_u64(&body, 0);
    err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_WITNESS, lane, NULL, buf_view(&body), NULL);
    buf_clear(&body);
    return err;
}

struct everywhere {
    struct core *core;
    struct db_txn *t;
};

static struct err begin_one(void *arg, const struct log *log)
{
    const struct everywhere *e = arg;
    return log->state == LOG_HELD ? log_witness_begin(e->core, e->t, log->domain) : ERR_OK;
}

struct err log_witness_policy(struct core *c, struct db_txn *t, struct bytes text)
{
    struct tlog_policy policy;
    struct everywhere e = {c, t};
    if (text.len > 0)
        TRY(tlog_policy_parse(text, &policy));
    TRY(set(t, bytes_of(policy_id, sizeof policy_id - 1), text));
    return log_each(c, t, begin_one, &e);
}

/* 0: nothing is to be asked for. */
static struct err wanted_size(struct db_txn *t, const struct log *log, uint64_t *ret_size)
{
    struct log_witnessed w;
    TRY(log_witness_says(t, log, &w));
    const struct kt_dist *dist =
        w.judged && !log->distrusted ? kt_view_newest_dist(&log->view) : NULL;
    const bool wanted = dist != NULL && dist->has_log_root && w.entries != dist->index + 1;
    *ret_size = wanted ? dist->index + 1 : 0;
    return ERR_OK;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    Hearth__V1__GetCheckpointRequest in = HEARTH__V1__GET_CHECKPOINT_REQUEST__INIT;
    char domain[DOMAIN_MAX_BYTES + 1];
    uint64_t before;
    struct log log;
    (void)c;
    TRY(body_read(task, domain, &before));
    TRY(log_get(t, domain, &log));
    struct err err = wanted_size(t, &log, &in.size);
    log_clear(&log);
    TRY(err);
    *ret_next = TASK_NEXT_DONE;
    if (in.size == 0)
        return ERR_OK;
    *ret_next = TASK_NEXT_CALL;
    if (in.size != before)
        TRY(body_set(task, domain, in.size));
    (void)snprintf(call->domain, sizeof call->domain, "%s", domain);
    call->anonymous = true;
    return task_call_request(call, "Transparency", "GetCheckpoint", &in.base);
}

/* The log has signed another root of this size than what it has shown us contains. */
static struct err tell_other_root(struct core *c, struct db_txn *t, const struct log *log,
                                  uint64_t size)
{
    return log_alarm(c, t, NULL, 0,
                     "the checkpoint of %s for witnesses, of %llu entries, is of another log than "
                     "the one that we are shown",
                     log->domain, (unsigned long long)size);
}

/* ret_met: enough have cosigned it, and it is kept. */
static struct err take(struct core *c, struct db_txn *t, const struct log *log, struct bytes in,
                       bool *ret_met)
{
    struct judging j;
    struct log_witnessed w = {.judged = true};
    struct note note;
    uint64_t size = 0;
    *ret_met = false;
    if (in.len > NOTE_KEPT_BYTES || log->state != LOG_HELD)
        return ERR_OK;
    if (open_note(log, in, &note, &size).code == ERR_TLOG_FORK) {
        *ret_met = true; /* there is nothing to wait for */
        return tell_other_root(c, t, log, size);
    }
    TRY(judging_begin(t, &j));
    if (j.text.len > 0)
        judge(&j, log, in, &w);
    buf_clear(&j.text);
    *ret_met = w.entries > 0;
    return *ret_met ? cosigned_put(t, log->domain, in) : ERR_OK;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    uint64_t size;
    struct log log;
    bool met = false;
    TRY(body_read(task, domain, &size));
    TRY(log_get(t, domain, &log));
    struct err err = ERR_OK;
    if (answer->out != NULL) {
        const Hearth__V1__GetCheckpointResponse *in = (const void *)answer->out;
        err = take(c, t, &log, core_in(in->checkpoint), &met);
    }
    const uint64_t wait_ms = log.state == LOG_HELD ? log.view.config.window_ms / 8 : 0;
    log_clear(&log);
    TRY(err);
    *ret_next = met || ++task->state >= TRIES ? TASK_NEXT_DONE : TASK_NEXT_WAIT;
    task->not_before_ms = core_now_ms(c) + (wait_ms > WAIT_LEAST_MS ? wait_ms : WAIT_LEAST_MS);
    return ERR_OK;
}

const struct task_steps task_steps_LOG_WITNESS = {.prepare = prepare, .settle = settle};
