/* Proofs of members, as they are heard (log_proof.h).
 *
 *     DB_SETTING "log-proofs-early": struct { opaque label<V>; uint8 form; opaque proof<V>; },
 * oldest first, at most EARLY_MAX: of members whom the roster has not opened yet, or of a window
 * that we have not seen yet
 */
#include "client/core/log_proof.h"

#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/log_inside.h"
#include "client/core/task.h"

enum { EARLY_MAX = 16, PROOF_DISTS = 2, REFRESH_MS = 1000 };

struct heard {
    struct bytes label, proof; /* views */
    enum proof_form form;
};

static void heard_read(struct wire_reader *r, struct heard *ret_heard)
{
    ret_heard->label = wire_read_vector(r);
    ret_heard->form = (enum proof_form)wire_read_u8(r);
    ret_heard->proof = wire_read_vector(r);
}

static void heard_write(struct buf *b, const struct heard *heard)
{
    wire_write_vector(b, heard->label);
    wire_write_u8(b, (uint8_t)heard->form);
    wire_write_vector(b, heard->proof);
}

/* ---- what is kept for later */

static const struct bytes early_id = {(const uint8_t *)"log-proofs-early", 16};

static struct err early_get(struct db_txn *t, struct buf *value)
{
    struct err err = db_get(t, DB_SETTING, early_id, value);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err early_put(struct db_txn *t, struct buf *value)
{
    TRY(buf_check(value));
    return value->len > 0 ? db_put(t, DB_SETTING, early_id, buf_view(value))
                          : db_drop(t, DB_SETTING, early_id);
}

/* One of each label, the newest. */
static struct err early_keep(struct db_txn *t, const struct heard *heard)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    size_t count = 0;
    struct err err = early_get(t, &before);
    struct wire_reader counting = wire_reader_of(buf_view(&before));
    for (struct heard h; wire_reader_more(&counting); count++)
        heard_read(&counting, &h);
    struct wire_reader r = wire_reader_of(buf_view(&before));
    for (size_t i = 0; i < count && err_is_ok(err); i++) {
        struct heard h;
        heard_read(&r, &h);
        if (i + EARLY_MAX > count && !bytes_equal(h.label, heard->label))
            heard_write(&after, &h);
    }
    heard_write(&after, heard);
    if (err_is_ok(err))
        err = early_put(t, &after);
    buf_clear(&before);
    buf_clear(&after);
    return err;
}

/* ---- judging */

enum verdict { VERDICT_GOOD, VERDICT_LATER, VERDICT_OLD, VERDICT_BAD };

struct judging {
    struct core *core;
    struct db_txn *t;
    struct log log;
    struct log_label *label;
    struct kt_query query;
    struct kt_result result;
    struct err why; /* VERDICT_BAD */
    struct kt_proof proof;
    struct search_response response;
};

/* Of an entry that we don't hold: of a window to come, or over? */
static enum verdict of_entry(const struct kt_view *view, uint64_t index)
{
    const struct kt_dist *newest = kt_view_newest_dist(view);
    if (newest == NULL || index > newest->index)
        return VERDICT_LATER;
    for (size_t i = 0; i < view->dist_count; i++)
        if (view->dists[i].index == index)
            return i + PROOF_DISTS >= view->dist_count ? VERDICT_GOOD : VERDICT_OLD;
    return VERDICT_OLD;
}

static bool is_older(const struct judging *j, uint32_t version)
{
    return j->query.known != NULL && j->query.known->exists && version < j->query.known->version;
}

static struct err judge_at_dist(struct judging *j, struct bytes proof, enum verdict *ret_verdict)
{
    j->why = kt_proof_parse(proof, &j->proof);
    *ret_verdict = VERDICT_BAD;
    if (!err_is_ok(j->why))
        return ERR_OK;
    *ret_verdict =
        is_older(j, j->proof.version) ? VERDICT_OLD : of_entry(&j->log.view, j->proof.dist_index);
    if (*ret_verdict != VERDICT_GOOD)
        return ERR_OK;
    j->why = kt_verify_proof(&j->log.view, &j->query, proof, &j->result);
    enum err_class class = err_class_of(j->why);
    if (err_is_ok(j->why))
        return ERR_OK;
    *ret_verdict = VERDICT_BAD;
    return class == ERR_CLASS_PEER || class == ERR_CLASS_CALLER ? ERR_OK : j->why;
}

/* The log that the search was made in must be ours up to the distinguished entry that both hold;
 * what came after it is held against the next window's proof, or asked for. */
static enum verdict compare(struct judging *j, const struct kt_view *theirs)
{
    struct kt_head head;
    bool compared;
    bool other =
        theirs->size == j->log.view.size && !hash_value_equal(&theirs->root, &j->log.view.root);
    for (size_t i = 0; i < theirs->dist_count && !other; i++)
        other = kt_view_head_of(theirs, i, &head) &&
                !err_is_ok(kt_view_compare(&j->log.view, &head, &compared));
    if (other) {
        j->why = ERR(TLOG_FORK);
        return VERDICT_BAD;
    }
    const struct kt_dist *newest = kt_view_newest_dist(theirs);
    return newest != NULL ? of_entry(&j->log.view, newest->index) : VERDICT_OLD;
}

static struct err judge_by_search(struct judging *j, struct bytes proof, enum verdict *ret_verdict)
{
    struct kt_view view;
    *ret_verdict = VERDICT_BAD;
    j->why = search_response_parse(proof, &j->response);
    if (!err_is_ok(j->why))
        return ERR_OK;
    *ret_verdict = VERDICT_OLD;
    if (!j->response.has_found || is_older(j, j->response.found.version))
        return ERR_OK;
    TRY(log_config_view(&j->log.view.config, &view));
    j->why = kt_verify_search(&view, &j->query, proof, &j->result);
    enum err_class class = err_class_of(j->why);
    if (err_is_ok(j->why))
        *ret_verdict = compare(j, &view);
    else if (j->why.code != ERR_TLOG_STALE && j->why.code != ERR_TLOG_FUTURE)
        *ret_verdict = VERDICT_BAD;
    return err_is_ok(j->why) || class == ERR_CLASS_PEER || class == ERR_CLASS_CALLER ? ERR_OK
                                                                                     : j->why;
}

static struct err judge(struct judging *j, const struct heard *heard, enum verdict *ret_verdict)
{
    const struct log_label *l = j->label;
    *ret_verdict = j->log.state == LOG_UNKNOWN ? VERDICT_LATER : VERDICT_OLD;
    if (j->log.state != LOG_HELD || j->log.distrusted || l->bad)
        return ERR_OK;
    j->query = (struct kt_query){.label = buf_view(&l->label), .now_ms = core_now_ms(j->core)};
    if (l->checked_ms != 0) {
        j->query.known = &l->known;
        j->query.known_value = buf_view(&l->value);
    }
    return heard->form == PROOF_AT_DIST ? judge_at_dist(j, heard->proof, ret_verdict)
                                        : judge_by_search(j, heard->proof, ret_verdict);
}

/* ---- what follows */

static struct err good(struct judging *j, const struct heard *heard)
{
    struct log_label *l = j->label;
    bool news, waited = l->awaited_ms != 0;
    TRY(log_take_result(j->core, &j->log, l, &j->result, &news));
    l->roles |= LOG_CONTACT | LOG_PROVEN;
    if (news)
        buf_clear(&l->response);
    if (heard->form == PROOF_BY_SEARCH && news) {
        buf_append_bytes(&l->response, heard->proof);
        TRY(buf_check(&l->response));
    }
    TRY(log_label_put(j->t, l));
    return log_found(j->core, j->t, &j->log, l, news || waited);
}

/* Told once a window: anybody can make nonsense. */
static struct err bad(struct judging *j, const struct heard *heard)
{
    struct core *c = j->core;
    uint64_t now = core_now_ms(c);
    if (heard->form == PROOF_BY_SEARCH && j->why.code == ERR_TLOG_FORK) {
        struct buf dist = BUF_INIT;
        if (j->response.has_dist)
            dist_entry_write(&dist, &j->response.dist);
        const struct log_sight sight = {j->response.checkpoint, buf_view(&dist)};
        struct err err = log_report_view(c, j->t, &j->log, &sight, 1);
        buf_clear(&dist);
        return err_is_ok(err) ? log_put(j->t, &j->log) : err;
    }
    if (j->log.doubted_ms != 0 && now - j->log.doubted_ms < j->log.view.config.window_ms)
        return ERR_OK;
    j->log.doubted_ms = now;
    TRY(log_put(j->t, &j->log));
    return log_alarm(c, j->t, NULL, 0,
                     "a member of a chat proves keys of %s with a proof that does not hold: %s",
                     j->log.domain, err_text(j->why));
}

/* A window that we have not seen: some key of the homeserver's is looked up, which names nobody. */
static struct err first_system(void *arg, struct log_label *l)
{
    struct judging *j = arg;
    if (!(l->roles & LOG_SYSTEM))
        return ERR_OK;
    TRY(log_search(j->core, j->t, l->domain, buf_view(&l->label), LOG_SYSTEM, NULL));
    return ERR(CANCELLED);
}

static struct err refresh(struct judging *j)
{
    uint64_t now = core_now_ms(j->core);
    if (j->log.state != LOG_HELD || now < j->log.asked_ms + REFRESH_MS)
        return ERR_OK;
    struct err err = log_label_each(j->t, j->log.domain, first_system, j);
    return err.code == ERR_CANCELLED ? ERR_OK : err;
}

static struct err consider(struct core *c, struct db_txn *t, const char *domain,
                           const struct heard *heard, bool *ret_later)
{
    enum verdict verdict = VERDICT_LATER;
    struct judging *j = calloc(1, sizeof *j);
    if (j == NULL)
        return ERR(NO_MEMORY);
    j->core = c;
    j->t = t;
    struct err err = log_label_get(t, domain, heard->label, &j->label);
    bool awaited = err_is_ok(err) && (j->label->awaited_ms != 0 || j->label->checked_ms != 0);
    if (err_is_ok(err))
        err = log_get(t, domain, &j->log);
    if (err_is_ok(err) && awaited)
        err = judge(j, heard, &verdict);
    if (err_is_ok(err) && awaited)
        err = verdict == VERDICT_GOOD    ? good(j, heard)
              : verdict == VERDICT_BAD   ? bad(j, heard)
              : verdict == VERDICT_LATER ? refresh(j)
                                         : ERR_OK;
    log_clear(&j->log);
    log_label_free(j->label);
    free(j);
    *ret_later = verdict == VERDICT_LATER;
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err log_proof_hear(struct core *c, struct db_txn *t, struct bytes body)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct heard heard;
    bool later;
    struct wire_reader r = wire_reader_of(body);
    heard_read(&r, &heard);
    if (!err_is_ok(wire_reader_end(&r)) || heard.proof.len > PROOF_MAX_BYTES ||
        heard.label.len < 2 || heard.label.len > LABEL_MAX_BYTES ||
        (heard.form != PROOF_AT_DIST && heard.form != PROOF_BY_SEARCH) ||
        !log_label_domain(heard.label, domain) ||
        bytes_equal(bytes_of(heard.label.data + 1, heard.label.len - 1),
                    buf_view(&c->account.user_id)))
        return ERR_OK; /* a member's nonsense */
    TRY(consider(c, t, domain, &heard, &later));
    return later ? early_keep(t, &heard) : ERR_OK;
}

struct err log_proof_retry(struct core *c, struct db_txn *t, const char *domain)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    char of[DOMAIN_MAX_BYTES + 1];
    struct err err = early_get(t, &before);
    struct wire_reader r = wire_reader_of(buf_view(&before));
    bool changed = false;
    while (err_is_ok(err) && wire_reader_more(&r)) {
        struct heard heard;
        bool later = true;
        heard_read(&r, &heard);
        if (log_label_domain(heard.label, of) && strcmp(of, domain) == 0)
            err = consider(c, t, domain, &heard, &later);
        if (later)
            heard_write(&after, &heard);
        changed |= !later;
    }
    if (err_is_ok(err) && changed)
        err = early_put(t, &after);
    buf_clear(&before);
    buf_clear(&after);
    return err;
}
