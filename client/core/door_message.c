/* Messages as they are shown, and sending. */
#include <string.h>

#include "base/utf8.h"
#include "client/core/door.h"
#include "client/core/event.h"
#include "client/core/group.h"
#include "client/core/queue.h"
#include "client/core/roster.h"
#include "net/loop.h"

enum { TEXT_MAX_BYTES = 65536, FILE_NAME_SHOWN_BYTES = 256 };

/* ---- history */

struct message_listing {
    struct core *core;
    struct db_txn *txn;
    const struct hearth_id *chat;
    struct open_chat *open;
    uint64_t from;
    size_t most;
    bool (*fn)(const struct hearth_message *message, void *arg);
    void *arg;
    bool over;
};

static struct err show_message(void *arg, uint64_t number, struct bytes value)
{
    struct message_listing *l = arg;
    struct message_row row;
    struct buf text = BUF_INIT;
    if (l->over)
        return ERR_OK;
    TRY(message_row_read(value, &row));
    struct hearth_message m = {
        .chat = *l->chat,
        .number = number,
        .id = row.id,
        .kind = row.kind,
        .state = row.state,
        .own = row.own,
        .targeted = row.targeted,
        .sender_verified = row.sender_verified,
        .sent_ms = row.sent_ms,
        .accepted_s = row.accepted_s,
        .file_bytes = row.file_bytes,
    };
    memcpy(m.sender, row.sender, sizeof m.sender);
    struct err err = roster_name_of(l->core, l->txn, l->open, row.sender, &text);
    size_t name_end = text.len;
    (void)door_text(&text, row.text);
    if (err_is_ok(err))
        err = buf_check(&text);
    if (err_is_ok(err)) {
        m.sender_name = (const char *)text.data;
        m.text = (const char *)text.data + name_end;
        l->over = !l->fn(&m, l->arg);
    }
    buf_clear(&text);
    return err;
}

static struct err list_messages(struct core *c, struct db_txn *t, void *arg)
{
    struct message_listing *l = arg;
    l->core = c;
    l->txn = t;
    TRY(chat_open(c, t, l->chat, &l->open));
    return db_list_each(t, DB_MESSAGE, bytes_of(l->chat->bytes, sizeof l->chat->bytes),
                        l->from > 0 ? l->from : 1, l->most, show_message, l);
}

bool hearth_message_each(struct hearth_account *a, const struct hearth_id *chat, uint64_t from,
                         size_t most, bool (*fn)(const struct hearth_message *message, void *arg),
                         void *arg)
{
    struct message_listing l = {.chat = chat, .from = from, .most = most, .fn = fn, .arg = arg};
    return door_look(a, list_messages, &l);
}

struct seeing {
    const struct hearth_id *chat;
    uint64_t number;
};

static struct err step_seen(struct core *c, struct db_txn *t, void *arg)
{
    const struct seeing *s = arg;
    struct open_chat *o;
    TRY(chat_open(c, t, s->chat, &o));
    if (s->number <= o->chat.seen)
        return ERR_OK;
    o->chat.seen = s->number;
    return chat_save(c, t, o);
}

bool hearth_chat_mark_seen(struct hearth_account *a, const struct hearth_id *chat, uint64_t number)
{
    struct seeing s = {chat, number};
    return door_look(a, step_seen, &s);
}

/* ---- sending */

struct sending {
    struct verb verb; /* id: the message's */
    const struct hearth_id *chat;
    const uint8_t *pseudonym; /* to this member alone; NULL: to all */
    const char *text;
};

static struct err step_send(struct core *c, struct db_txn *t, void *arg)
{
    struct sending *s = arg;
    struct open_chat *o;
    uint64_t number;
    TRY(chat_open(c, t, s->chat, &o));
    TRY(core_random_id(c, &s->verb.id));
    struct message_row row = {.id = s->verb.id,
                              .kind = HEARTH_MESSAGE_TEXT,
                              .state = HEARTH_MESSAGE_WAITING,
                              .own = true,
                              .targeted = s->pseudonym != NULL,
                              .sender_verified = true,
                              .sent_ms = core_now_ms(c),
                              .text = bytes_str(s->text)};
    memcpy(row.sender, o->chat.user_pseudonym, sizeof row.sender);
    TRY(message_add(c, t, s->chat, &row, &number));
    const struct content content = {CONTENT_TEXT, row.id.bytes, row.sent_ms, row.text};
    return s->pseudonym != NULL
               ? group_send_to(c, t, s->chat, s->pseudonym, &content, number, &s->verb.task)
               : group_send(c, t, s->chat, &content, number, &s->verb.task);
}

static struct hearth_op *begin_send(struct hearth_account *a, const struct hearth_id *chat,
                                    const uint8_t *pseudonym, const char *text)
{
    struct sending s = {.chat = chat, .pseudonym = pseudonym, .text = text};
    size_t len = text != NULL ? strlen(text) : 0;
    if (len == 0 || len > TEXT_MAX_BYTES)
        return verb_usage(a, "a message has 1 to 65,536 bytes", "longer ones go as files");
    if (!utf8_is_well_formed(bytes_of(text, len)))
        return verb_usage(a, "a message is text in UTF-8", "other bytes go as files");
    return verb_begin(a, step_send, &s.verb);
}

struct hearth_op *hearth_send(struct hearth_account *a, const struct hearth_id *chat,
                              const char *text)
{
    return begin_send(a, chat, NULL, text);
}

struct hearth_op *hearth_send_to(struct hearth_account *a, const struct hearth_id *chat,
                                 const uint8_t pseudonym[16], const char *text)
{
    return begin_send(a, chat, pseudonym, text);
}

/* ---- receiving */

struct hearth_op *hearth_sync(struct hearth_account *a)
{
    static const struct hearth_id nothing;
    struct hearth_op *op;
    struct err err = op_new_free(a->core, &nothing, &op);
    if (err_is_ok(err) && !err_is_ok(err = queue_sync(a->core, op)))
        op_detach(op);
    return err_is_ok(err) ? op : verb_refuse(a, err);
}

bool hearth_listen_start(struct hearth_account *a)
{
    struct err err = queue_listen(a->core);
    if (!err_is_ok(err))
        (void)verb_refuse(a, err);
    return err_is_ok(err);
}

void hearth_listen_stop(struct hearth_account *a)
{
    queue_listen_stop(a->core);
}
