/* The outbox's tables and statements, to be put into the schema of delivery.db. Owned by outbox.c
 * and outbox_rows.c.
 *
 * Numbers: one counter for payloads and rows, drawn in blocks, never reused; so a row's number
 * grows along each reference, which is what a queue service goes by. At each start the counter is
 * raised to OUTBOX_NUMBERS_PER_S for every second since 1970, to the millisecond, where it is
 * lower: queues would take what is sent after the restoring of a backup for repeats. Where it is
 * higher, a second's worth is added; where it is so by more than OUTBOX_NUMBERS_GAP, which is a
 * clock that was set back, the gap. No start may take more than the time since the last one is
 * worth, or a backup of before it, restored, would begin below. The clock only ever moves it up, so
 * no order hangs on it; it shows when we started. A row lies under domain << 44 | number: one tree
 * that is appended to at the end of each domain's range, and a domain's rows are read in order
 * without a second index.
 *
 * outbox_domain.newest is the last row put there, so that the courier finds out who has something
 * new by one look at an index, however many peers there are; those of one payload have the same.
 * What waits of a payload is counted apart from its body, because changing a row writes it anew
 * with all its pages.
 */
#ifndef SERVER_OUTBOX_SQL_H
#define SERVER_OUTBOX_SQL_H

#define OUTBOX_SQL                                                                                 \
    "CREATE TABLE outbox_number (id INTEGER PRIMARY KEY, next BIGINT NOT NULL);"                   \
    "INSERT INTO outbox_number (id, next) VALUES (1, 1);"                                          \
    "CREATE TABLE outbox_domain (id INTEGER PRIMARY KEY, prf BLOB NOT NULL UNIQUE, name BLOB NOT " \
    "NULL, newest BIGINT NOT NULL);"                                                               \
    "CREATE INDEX outbox_domain_newest ON outbox_domain (newest, id);"                             \
    "CREATE TABLE outbox_payload (id INTEGER PRIMARY KEY, waiting BIGINT NOT NULL);"               \
    "CREATE TABLE outbox_body (id INTEGER PRIMARY KEY, body BLOB NOT NULL);"                       \
    "CREATE TABLE outbox_row (id INTEGER PRIMARY KEY, payload BIGINT NOT NULL, bytes BIGINT NOT "  \
    "NULL, day BIGINT NOT NULL, sealed BLOB NOT NULL);"

/* In the order of enum outbox_statement. */
#define OUTBOX_STATEMENTS                                                                         \
    {"outbox_numbers", "UPDATE outbox_number SET next = next + $1 WHERE id = 1 RETURNING next"},  \
        {"outbox_domain",                                                                         \
         "INSERT INTO outbox_domain (prf, name, newest) VALUES ($1, $2, $3) "                     \
         "ON CONFLICT (prf) DO UPDATE SET newest = excluded.newest RETURNING id"},                \
        {"outbox_payload", "INSERT INTO outbox_payload (id, waiting) VALUES ($1, $2)"},           \
        {"outbox_body", "INSERT INTO outbox_body (id, body) VALUES ($1, $2)"},                    \
        {"outbox_row",                                                                            \
         "INSERT INTO outbox_row (id, payload, bytes, day, sealed) VALUES ($1, $2, $3, $4, $5)"}, \
        {"outbox_new",                                                                            \
         "SELECT id, prf, name, newest FROM outbox_domain WHERE (newest, id) > ($1, $2) "         \
         "ORDER BY newest, id LIMIT $3"},                                                         \
        {"outbox_rows", "SELECT id, payload, bytes, day, sealed FROM outbox_row "                 \
                        "WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3"},                        \
        {"outbox_get_body", "SELECT body FROM outbox_body WHERE id = $1"},                        \
        {"outbox_count", "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM outbox_row "              \
                         "WHERE id > $1 AND id < $2"},                                            \
        {"outbox_drop", "DELETE FROM outbox_row WHERE id >= $1 AND id <= $2"},                    \
        {"outbox_release",                                                                        \
         "UPDATE outbox_payload SET waiting = waiting - $1 WHERE id = $2 RETURNING waiting"},     \
        {"outbox_drop_payload", "DELETE FROM outbox_payload WHERE id = $1"},                      \
        {"outbox_drop_body", "DELETE FROM outbox_body WHERE id = $1"},                            \
        {"outbox_raise",                                                                          \
         "UPDATE outbox_number SET next = CASE WHEN next < $1 THEN $1 WHEN next < $1 + $2 THEN "  \
         "next + $3 ELSE next + $2 END WHERE id = 1"},                                            \
    {                                                                                             \
        "outbox_drop_domain", "DELETE FROM outbox_domain WHERE id = $1 AND newest = $2"           \
    }

enum outbox_statement {
    OUTBOX_NUMBERS,
    OUTBOX_DOMAIN,
    OUTBOX_PAYLOAD,
    OUTBOX_BODY,
    OUTBOX_ROW,
    OUTBOX_NEW,
    OUTBOX_ROWS,
    OUTBOX_GET_BODY,
    OUTBOX_COUNT,
    OUTBOX_DROP,
    OUTBOX_RELEASE,
    OUTBOX_DROP_PAYLOAD,
    OUTBOX_DROP_BODY,
    OUTBOX_RAISE,
    OUTBOX_DROP_DOMAIN,
    OUTBOX_STATEMENT_COUNT
};

#endif
