/* One queue_accept() under way: a read that opens and checks the references, then a write for each
 * chunk of rows, one after the other.
 */
#ifndef SERVER_QUEUE_ACCEPT_H
#define SERVER_QUEUE_ACCEPT_H

#include "server/queue/record.h"
#include "server/queue/tag.h"

/* One row and what is known of it. */
struct accept_row {
    const struct queue_row *in;
    size_t index;         /* in the caller's order */
    uint64_t client;      /* row; 0 where there is none */
    struct queue_tag tag; /* id, and print: of this reference */
    uint8_t raw_tag[QUEUE_TAG_BYTES];
    enum queue_outcome outcome; /* 0: to be appended */
    bool stored;                /* became an item in this call */
    struct accept_push *push;   /* or NULL */
};

/* Whom to wake outside of the server. */
struct accept_push {
    struct accept_push *next;
    uint8_t token[QUEUE_PUSH_TOKEN_BYTES];
    size_t token_len;
    uint8_t key[PUSH_TOKEN_KEY_BYTES];
    bool always; /* not only for rows that ask for it */
};

enum { ACCEPT_CHUNK_ROWS = STORE_COST_MAX };

struct accept {
    struct queue *q;
    struct inbox *inbox;
    void (*checked)(void *arg, struct err result); /* NULL: appended without asking */
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
    uint8_t origin[QUEUE_PRF_BYTES];
    uint64_t principal;
    bool foreign;  /* of another homeserver: PEER_QUEUE */
    bool vouching; /* nothing is going to be appended */
    uint64_t now_s;
    size_t count;
    struct accept_row *rows;      /* after the check: by client, then in the caller's order */
    enum queue_outcome *outcomes; /* in the caller's order */
    size_t chunk_from, chunk_to;
    struct accept_push *pushes;
};

/* In a read: opens the references, finds the clients, verifies what was not verified before. Rows
 * that can't be appended have their outcome then. */
CHECKED struct err accept_check(struct store_txn *txn, struct accept *a);
/* Wipes and frees a->pushes. */
void accept_drop_pushes(struct accept *a);
/* In a write: appends rows [chunk_from, chunk_to). */
CHECKED struct err accept_append(struct store_txn *txn, struct accept *a);

#endif
