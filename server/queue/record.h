/* Records of queue users and queue clients, sealed rows (schema.h).
 *
 *     struct { uint8 version = 1; opaque id[16]; opaque auth_key<V>; opaque contact_key[32];
 *              uint64 clients<V>; } user;
 *     struct { uint8 version = 1; opaque id[16]; uint64 user; opaque auth_key<V>; opaque
 * queue_key<V>; opaque sealed_push_token<V>; uint8 policy; } client;
 *
 * Both are plain values: wipe with queue_user_clear, queue_client_clear.
 */
#ifndef SERVER_QUEUE_RECORD_H
#define SERVER_QUEUE_RECORD_H

#include "hearth/v1/queue_rpc.h"
#include "seal/contact_token.h"
#include "server/queue/inside.h"

enum {
    QUEUE_CLIENTS_MOST = 20, /* what limit.def allows for QUEUE_CLIENTS_PER_USER */
    QUEUE_AUTH_KEY_BYTES = 64,
    QUEUE_KEY_BYTES = 128,
    QUEUE_PUSH_TOKEN_BYTES = 1024,
};

struct queue_user {
    uint64_t row;
    uint8_t id[QUEUE_ID_BYTES];
    uint8_t auth_key[QUEUE_AUTH_KEY_BYTES];
    size_t auth_key_len;
    uint8_t contact_key[CONTACT_KEY_BYTES];
    uint64_t clients[QUEUE_CLIENTS_MOST]; /* rows */
    size_t client_count;
};

struct queue_client {
    uint64_t row;
    uint64_t user; /* row */
    uint8_t id[QUEUE_ID_BYTES];
    uint8_t auth_key[QUEUE_AUTH_KEY_BYTES];
    size_t auth_key_len;
    uint8_t queue_key[QUEUE_KEY_BYTES];
    size_t queue_key_len;
    uint8_t push_token[QUEUE_PUSH_TOKEN_BYTES];
    size_t push_token_len;
    uint8_t policy; /* Hearth__V1__NotificationPolicy */
};

void queue_user_clear(struct queue_user *user);
void queue_client_clear(struct queue_client *client);

/* Is this a key we verify with? Ed25519 so far. ERR_CRYPTO_KEY... */
CHECKED struct err queue_check_auth_key(ProtobufCBinaryData key);
/* The settings of a request into a client: keys checked. */
CHECKED struct err queue_client_settings(const Hearth__V1__QueueClientSettings *in,
                                         struct queue_client *client);

/* By id as callers know it, or by row. NOT_FOUND. */
CHECKED struct err queue_user_by_id(struct store_txn *txn, const struct queue *q, struct bytes id,
                                    struct queue_user *ret_user);
CHECKED struct err queue_user_by_row(struct store_txn *txn, const struct queue *q, uint64_t row,
                                     struct queue_user *ret_user);
CHECKED struct err queue_client_by_id(struct store_txn *txn, const struct queue *q, struct bytes id,
                                      struct queue_client *ret_client);
CHECKED struct err queue_client_by_row(struct store_txn *txn, const struct queue *q, uint64_t row,
                                       struct queue_client *ret_client);
/* Draws id and row, and inserts. */
CHECKED struct err queue_user_add(struct store_txn *txn, const struct queue *q,
                                  struct queue_user *user);
/* Also the client's state with item 0, and its row in the user (not stored). QUOTA. */
CHECKED struct err queue_client_add(struct store_txn *txn, const struct queue *q, uint64_t now_s,
                                    struct queue_user *user, struct queue_client *client);
CHECKED struct err queue_user_set(struct store_txn *txn, const struct queue *q,
                                  const struct queue_user *user);
CHECKED struct err queue_client_set(struct store_txn *txn, const struct queue *q,
                                    const struct queue_client *client);

/* With its list of revoked contacts; the clients are the caller's matter. */
CHECKED struct err queue_user_delete(struct store_txn *txn, uint64_t user);
/* Deletes a client at once for all callers; what lay in its tables is swept away later (sweep.c).
 */
CHECKED struct err queue_client_delete(struct store_txn *txn, uint64_t client);
/* Takes the row off the user's list (not stored). */
void queue_user_forget(struct queue_user *user, uint64_t client);

#endif
