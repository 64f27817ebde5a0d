/* Events: what people are told, durable rows (DB_EVENT), and messages (DB_MESSAGE). */
#ifndef CLIENT_CORE_EVENT_H
#define CLIENT_CORE_EVENT_H

#include "client/core/core.h"

/* event without number. Told after the commit of the step. (event_add is libevent's name.) */
CHECKED struct err event_tell(struct core *c, struct db_txn *t, const struct hearth_event *event);
/* The oldest that was not taken; ERR_NOT_FOUND. text points into scratch. */
CHECKED struct err event_first(struct core *c, struct db_txn *t, struct buf *scratch,
                               struct hearth_event *ret_event);
CHECKED struct err event_taken(struct core *c, struct db_txn *t, uint64_t number);

/* One row of a chat's history. */
struct message_row {
    struct hearth_id id;
    enum hearth_message_kind kind;
    enum hearth_message_state state;
    bool own, targeted, sender_verified;
    uint8_t sender[16];
    uint64_t sent_ms, accepted_s;
    struct bytes text;   /* UTF-8; of a file: its name */
    struct bytes detail; /* of a file: struct file_keys of content.h; of others: empty */
    uint64_t file_bytes;
};
/* Also makes HEARTH_EVENT_MESSAGE, unless it is our own. */
CHECKED struct err message_add(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                               const struct message_row *row, uint64_t *ret_number);
/* Views into scratch. */
CHECKED struct err message_get(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                               uint64_t number, struct buf *scratch, struct message_row *ret_row);
/* Also makes HEARTH_EVENT_MESSAGE_STATE. */
CHECKED struct err message_set_state(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                     uint64_t number, enum hearth_message_state state,
                                     uint64_t accepted_s);
void message_row_write(struct buf *b, const struct message_row *row);
CHECKED struct err message_row_read(struct bytes in, struct message_row *ret_row);
/* A line by the library in a chat: "bob@b.test joined". */
CHECKED struct err message_note(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
