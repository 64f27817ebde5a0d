/* TASK_LOG_MANY: several labels of one homeserver, in one search (tlog/search_many.h).
 *
 *     body    struct { opaque domain<V>; opaque labels<V>; }    opaque label<V> each
 *
 * What fails, for whatever reason, is asked for one by one (log_ask.c), which finds out which of
 * them it is, and what convicts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/log_inside.h"
#include "client/core/log_proof.h"
#include "client/core/task.h"
#include "hearth/v1/transparency.pb-c.h"

/* What is asked and what the answer is verified against, as in log_ask.c. */
struct asking {
    struct log log;
    size_t count;
    struct log_label *labels[SEARCH_MANY_MAX];
    struct kt_query queries[SEARCH_MANY_MAX];
    struct kt_result results[SEARCH_MANY_MAX];
};

static void asking_free(struct asking *a)
{
    for (size_t i = 0; a != NULL && i < a->count; i++)
        log_label_free(a->labels[i]);
    if (a != NULL)
        log_clear(&a->log);
    free(a);
}

static struct err body_read(const struct task *task, char ret_domain[DOMAIN_MAX_BYTES + 1],
                            struct bytes *ret_labels)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct bytes domain = wire_read_vector(&r);
    *ret_labels = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (domain.len > DOMAIN_MAX_BYTES)
        return ERR(STORE_CORRUPT);
    (void)snprintf(ret_domain, DOMAIN_MAX_BYTES + 1, "%.*s", (int)domain.len,
                   (const char *)domain.data);
    return ERR_OK;
}

static void body_write(struct buf *b, const char *domain, struct bytes labels)
{
    wire_write_vector(b, bytes_str(domain));
    wire_write_vector(b, labels);
}

/* None waits any longer for a proof. */
static struct err one_by_one(struct core *c, struct db_txn *t, const char *domain,
                             struct bytes labels)
{
    struct wire_reader r = wire_reader_of(labels);
    while (wire_reader_more(&r)) {
        struct bytes label = wire_read_vector(&r);
        struct log_label *l;
        if (!err_is_ok(wire_reader_check(&r)))
            return ERR(STORE_CORRUPT);
        struct err err = log_label_get(t, domain, label, &l);
        if (err.code == ERR_NOT_FOUND)
            continue;
        TRY(err);
        l->awaited_ms = l->task = 0;
        err = log_label_put(t, l);
        log_label_free(l);
        TRY(err);
        TRY(log_search(c, t, domain, label, LOG_CONTACT, NULL));
    }
    return ERR_OK;
}

/* They wait for this task from now on. */
static struct err mark(struct db_txn *t, const char *domain, struct bytes labels, uint64_t task)
{
    struct wire_reader r = wire_reader_of(labels);
    while (wire_reader_more(&r)) {
        struct bytes label = wire_read_vector(&r);
        struct log_label *l;
        TRY(wire_reader_check(&r));
        TRY(log_label_get(t, domain, label, &l));
        l->awaited_ms = 0;
        l->task = task;
        struct err err = log_label_put(t, l);
        log_label_free(l);
        TRY(err);
    }
    return ERR_OK;
}

static size_t count_of(struct bytes labels)
{
    struct wire_reader r = wire_reader_of(labels);
    size_t count = 0;
    for (; wire_reader_more(&r); count++)
        (void)wire_read_vector(&r);
    return count;
}

struct err log_search_many(struct core *c, struct db_txn *t, const char *domain,
                           struct bytes labels)
{
    uint8_t lane[16];
    struct log log;
    struct buf body = BUF_INIT;
    uint64_t task;
    TRY(log_get(t, domain, &log));
    bool held = log.state == LOG_HELD;
    log_clear(&log);
    if (!held || count_of(labels) < 2)
        return one_by_one(c, t, domain, labels);
    log_lane(domain, lane);
    body_write(&body, domain, labels);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG_MANY, lane, NULL, buf_view(&body), &task);
    buf_clear(&body);
    return err_is_ok(err) ? mark(t, domain, labels, task) : err;
}

/* ---- the task */

static struct err asking_begin(struct core *c, struct db_txn *t, const char *domain,
                               struct bytes labels, struct asking **ret_asking)
{
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL)
        return ERR(NO_MEMORY);
    struct err err = log_get(t, domain, &a->log);
    struct wire_reader r = wire_reader_of(labels);
    while (err_is_ok(err) && wire_reader_more(&r) && a->count < SEARCH_MANY_MAX) {
        struct bytes label = wire_read_vector(&r);
        err = log_label_get(t, domain, label, &a->labels[a->count]);
        if (err.code == ERR_NOT_FOUND) {
            err = ERR_OK;
            continue;
        }
        if (!err_is_ok(err))
            break;
        const struct log_label *l = a->labels[a->count];
        struct kt_query *query = &a->queries[a->count++];
        *query = (struct kt_query){.label = buf_view(&l->label), .now_ms = core_now_ms(c)};
        if (l->checked_ms != 0) {
            query->known = &l->known;
            query->known_value = buf_view(&l->value);
        }
    }
    if (!err_is_ok(err)) {
        asking_free(a);
        return err;
    }
    *ret_asking = a;
    return ERR_OK;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes labels;
    struct asking *a;
    struct buf request = BUF_INIT;
    Hearth__V1__LookupManyRequest in = HEARTH__V1__LOOKUP_MANY_REQUEST__INIT;
    TRY(body_read(task, domain, &labels));
    TRY(asking_begin(c, t, domain, labels, &a));
    *ret_next = TASK_NEXT_DONE;
    struct err err = ERR_OK;
    if (a->log.state != LOG_HELD || a->count == 0) {
        err = one_by_one(c, t, domain, labels);
        asking_free(a);
        return err;
    }
    err = kt_many_request(&request, &a->log.view, a->queries, a->count);
    asking_free(a);
    in.search = core_out(buf_view(&request));
    (void)snprintf(call->domain, sizeof call->domain, "%s", domain);
    call->anonymous = true;
    if (err_is_ok(err))
        err = task_call_request(call, "Transparency", "LookupMany", &in.base);
    buf_clear(&request);
    *ret_next = TASK_NEXT_CALL;
    return err;
}

static struct err take(struct core *c, struct db_txn *t, struct asking *a, size_t answered)
{
    for (size_t i = 0; i < answered; i++) {
        struct log_label *l = a->labels[i];
        bool news;
        TRY(log_take_result(c, &a->log, l, &a->results[i], &news));
        l->task = 0;
        if (news)
            buf_clear(&l->response); /* of the version before */
        TRY(log_label_put(t, l));
        TRY(log_found(c, t, &a->log, l, true));
    }
    return ERR_OK;
}

static void remember(struct log *log, struct bytes response)
{
    struct search_many_response *parsed = malloc(sizeof *parsed);
    if (parsed != NULL && err_is_ok(search_many_response_parse(response, parsed)) &&
        parsed->has_dist)
        log_remember_seen(log, parsed->checkpoint, &parsed->dist);
    free(parsed);
}

static bool is_answered(const struct asking *a, size_t answered, struct bytes label)
{
    for (size_t i = 0; i < answered; i++)
        if (bytes_equal(buf_view(&a->labels[i]->label), label))
            return true;
    return false;
}

/* Those that request or answer had no room for are asked for again. */
static struct err go_on(struct task *task, const char *domain, struct bytes labels,
                        const struct asking *a, size_t answered, enum task_next *ret_next)
{
    struct buf left = BUF_INIT, body = BUF_INIT;
    struct wire_reader r = wire_reader_of(labels);
    while (wire_reader_more(&r)) {
        struct bytes label = wire_read_vector(&r);
        if (!is_answered(a, answered, label))
            wire_write_vector(&left, label);
    }
    *ret_next = left.len > 0 ? TASK_NEXT_AGAIN : TASK_NEXT_DONE;
    body_write(&body, domain, buf_view(&left));
    struct err err = left.failed ? ERR(NO_MEMORY) : buf_replace(&task->body, &body);
    buf_clear(&left);
    return err;
}

static struct err settle_with(struct core *c, struct db_txn *t, struct task *task,
                              const char *domain, struct bytes labels, struct asking *a,
                              struct bytes response, enum task_next *ret_next)
{
    size_t answered;
    struct err err =
        kt_verify_many(&a->log.view, a->queries, a->count, response, a->results, &answered);
    enum err_class class = err_class_of(err);
    if (!err_is_ok(err) && (class == ERR_CLASS_PEER || class == ERR_CLASS_CALLER))
        return one_by_one(c, t, domain, labels);
    TRY(err);
    a->log.asked_ms = core_now_ms(c);
    a->log.overdue = false;
    remember(&a->log, response);
    TRY(log_put(t, &a->log));
    TRY(go_on(task, domain, labels, a, answered, ret_next));
    return take(c, t, a, answered);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    const Hearth__V1__LookupManyResponse *in = (const void *)answer->out;
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes labels;
    struct asking *a;
    *ret_next = TASK_NEXT_DONE;
    TRY(body_read(task, domain, &labels));
    if (in == NULL)
        return one_by_one(c, t, domain, labels);
    TRY(asking_begin(c, t, domain, labels, &a));
    struct err err = a->log.state == LOG_HELD && a->count > 0
                         ? settle_with(c, t, task, domain, labels, a, core_in(in->search), ret_next)
                         : one_by_one(c, t, domain, labels);
    asking_free(a);
    return err;
}

const struct task_steps task_steps_LOG_MANY = {.prepare = prepare, .settle = settle};
