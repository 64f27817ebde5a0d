/* The outbox's tables and statements, to be put into the schema of delivery.db. Owned by outbox.c
 * and drain.c. */
#ifndef SERVER_OUTBOX_SQL_H
#define SERVER_OUTBOX_SQL_H

#define OUTBOX_SQL ""
#define OUTBOX_STATEMENTS         \
    {                             \
        "outbox_none", "SELECT 1" \
    }
enum { OUTBOX_STATEMENT_COUNT = 1 };

#endif
