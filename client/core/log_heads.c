/* Heads inside groups (transparency.md 11): what each of us was shown of the logs of the
 * homeservers whose users are there, so that a log that is shown differently to different people is
 * found out by the people.
 *
 *     CONTENT_LOG_HEADS    struct { opaque heads<V>;      KtHeads (tlog/heads.h), without notes
 *                                   Seen seen<V>; }
 *         Seen             struct { opaque origin<V>; opaque note<V>; opaque dist<V>; }
 *                          a distinguished entry under a signed checkpoint: where heads differ,
 * what whoever has the other half needs to convict the operator. The newest of each origin, and
 * older ones as there is room: whoever looked last in another window than we has no other half to
 * the newest
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/content.h"
#include "client/core/group.h"
#include "client/core/log_gate.h"
#include "client/core/log_inside.h"
#include "client/core/roster.h"

enum {
    HEADS_SENT = 3,
    ORIGINS_MAX = 32,
    HEADS_BODY_MAX_BYTES = 65536,
    OLDER_SEEN_MAX_BYTES = 16384, /* of a body that holds more than the newest */
};

/* ---- saying */

struct saying {
    struct kt_head heads[ORIGINS_MAX * HEADS_SENT];
    struct log *logs; /* ORIGINS_MAX: what the heads point into */
    size_t head_count, log_count;
    const struct open_chat *chat;
};

/* Is one of its users, or of ours, there? */
static bool concerns(const struct roster *roster, const char *domain)
{
    for (size_t i = 0; roster != NULL && i < roster->count; i++) {
        char of[DOMAIN_MAX_BYTES + 1];
        uint8_t label[1 + CLIENT_ID_MAX_BYTES] = {LABEL_USER};
        struct bytes user = roster_user(&roster->leaves[i]);
        if (user.len == 0 || user.len > CLIENT_ID_MAX_BYTES)
            continue;
        memcpy(label + 1, user.data, user.len);
        if (log_label_domain(bytes_of(label, 1 + user.len), of) && strcmp(of, domain) == 0)
            return true;
    }
    return false;
}

struct gathering {
    struct saying *saying;
    struct db_txn *t;
};

static struct err gather(void *arg, const struct log *log)
{
    const struct gathering *g = arg;
    struct saying *s = g->saying;
    if (log->state != LOG_HELD || s->log_count == ORIGINS_MAX ||
        !concerns(s->chat->roster, log->domain))
        return ERR_OK;
    struct log *own = &s->logs[s->log_count];
    TRY(log_get(g->t, log->domain, own));
    s->log_count++;
    size_t count = own->view.dist_count;
    for (size_t i = count > HEADS_SENT ? count - HEADS_SENT : 0; i < count; i++)
        s->head_count += kt_view_head_of(&own->view, i, &s->heads[s->head_count]);
    return ERR_OK;
}

/* age 0: the newest. */
static void write_seen(struct buf *b, const struct log *log, size_t age)
{
    if (age >= log->seen_count)
        return;
    const struct log_seen *seen = &log->seen[log->seen_count - 1 - age];
    if (age > 0 && b->len + seen->note.len + seen->dist.len > OLDER_SEEN_MAX_BYTES)
        return;
    wire_write_vector(b, kt_config_origin(&log->view.config));
    wire_write_vector(b, buf_view(&seen->note));
    wire_write_vector(b, buf_view(&seen->dist));
}

static struct err write_body(struct buf *b, const struct saying *s)
{
    size_t mark = wire_vector_begin(b);
    TRY(kt_heads_write(b, s->heads, s->head_count));
    wire_vector_end(b, mark);
    mark = wire_vector_begin(b);
    for (size_t age = 0; age < LOG_SEEN_MAX; age++)
        for (size_t i = 0; i < s->log_count; i++)
            write_seen(b, &s->logs[i], age);
    wire_vector_end(b, mark);
    return buf_check(b);
}

static struct err say(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                      const struct saying *s)
{
    struct buf body = BUF_INIT;
    uint8_t id[16];
    uint64_t task;
    struct err err = write_body(&body, s);
    if (err_is_ok(err))
        err = rng_fill(c->rng, id, sizeof id);
    if (err_is_ok(err)) {
        const struct content content = {.kind = CONTENT_LOG_HEADS,
                                        .id = id,
                                        .sent_ms = core_now_ms(c),
                                        .body = buf_view(&body)};
        err = group_send(c, t, chat, &content, 0, &task);
    }
    buf_clear(&body);
    /* a chat that nothing is sent to hears nothing */
    bool cant = err.code == ERR_CLIENT_CHAT_STATE || err.code == ERR_CLIENT_UNVERIFIED ||
                err.code == ERR_CLIENT_LOG;
    return cant ? ERR_OK : err;
}

static struct err say_in(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    struct saying *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    s->logs = calloc(ORIGINS_MAX, sizeof *s->logs);
    s->chat = chat;
    struct gathering gathering = {s, t};
    struct err err = s->logs != NULL ? log_each(c, t, gather, &gathering) : ERR(NO_MEMORY);
    struct hearth_id id = chat->chat.id;
    if (err_is_ok(err) && s->head_count > 0)
        err = say(c, t, &id, s);
    for (size_t i = 0; s->logs != NULL && i < s->log_count; i++)
        log_clear(&s->logs[i]);
    free(s->logs);
    free(s);
    return err;
}

struct err log_heads_say(struct core *c, struct db_txn *t, const struct hearth_id *id)
{
    struct open_chat *chat;
    struct err err = chat_open(c, t, id, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    return say_in(c, t, chat);
}

struct telling {
    struct core *core;
    struct db_txn *t;
};

static struct err tell_one(void *arg, struct open_chat *chat)
{
    const struct telling *telling = arg;
    if (chat->chat.state != HEARTH_CHAT_OPEN || chat->group == NULL ||
        chat->chat.kind == CHAT_KIND_DEVICES)
        return ERR_OK;
    return say_in(telling->core, telling->t, chat);
}

struct err log_heads_say_all(struct core *c, struct db_txn *t)
{
    struct telling telling = {c, t};
    return chat_each(c, t, tell_one, &telling);
}

/* ---- hearing */

static bool origin_domain(struct bytes origin, char ret_domain[DOMAIN_MAX_BYTES + 1])
{
    const uint8_t *slash = origin.len > 0 ? memchr(origin.data, '/', origin.len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - origin.data) : 0;
    if (len == 0 || len > DOMAIN_MAX_BYTES)
        return false;
    memcpy(ret_domain, origin.data, len);
    ret_domain[len] = '\0';
    return true;
}

/* What the sender showed of that origin: so many. */
static size_t find_seen(struct bytes all, struct bytes origin,
                        struct log_sight ret_sights[LOG_SEEN_MAX])
{
    struct wire_reader r = wire_reader_of(all);
    size_t count = 0;
    while (wire_reader_more(&r) && count < LOG_SEEN_MAX) {
        struct bytes of = wire_read_vector(&r);
        struct log_sight sight = {.note = wire_read_vector(&r)};
        sight.dist = wire_read_vector(&r);
        if (r.failure == ERR_NONE && bytes_equal(of, origin))
            ret_sights[count++] = sight;
    }
    return count;
}

static struct err hear_head(struct core *c, struct db_txn *t, const struct kt_head *head,
                            struct bytes seen)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct log log;
    struct log_sight sights[LOG_SEEN_MAX];
    bool compared;
    if (!origin_domain(head->origin, domain))
        return ERR_OK;
    TRY(log_get(t, domain, &log));
    struct err err = ERR_OK;
    if (log.state == LOG_HELD && !log.distrusted &&
        !err_is_ok(kt_view_compare(&log.view, head, &compared))) {
        size_t count = find_seen(seen, head->origin, sights);
        err = log_report_view(c, t, &log, sights, count);
        if (err_is_ok(err))
            err = log_put(t, &log);
    }
    log_clear(&log);
    return err;
}

struct err log_heads_hear(struct core *c, struct db_txn *t, struct bytes body)
{
    struct kt_heads heads;
    struct wire_reader r = wire_reader_of(body);
    struct bytes all = wire_read_vector(&r), seen = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)) || body.len > HEADS_BODY_MAX_BYTES ||
        !err_is_ok(kt_heads_parse(all, &heads)) || heads.count > ORIGINS_MAX * HEADS_SENT)
        return ERR_OK; /* a member's nonsense */
    for (size_t i = 0; i < heads.count; i++) {
        struct kt_head head;
        kt_head_read(&heads.heads, &head);
        TRY(hear_head(c, t, &head, seen));
    }
    return ERR_OK;
}
