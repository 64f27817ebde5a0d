/* How the front finds the keys of clients and handles.
 *
 * A client: one of ours that is in its user's set, with a credential that has not ended; for
 * RenewClient an ended one will do, since the set still has the client; of a suspended user's none
 * but for DeleteUser. A handle: its key, until it expires. */
#include <stdlib.h>

#include "server/auth/inside.h"

struct find_key {
    struct front_pending *pending;
    struct caller_key caller;
};

static struct err find_handle(struct store_txn *txn, struct caller_key *f)
{
    struct handle handle = {0};
    struct err err = handle_load(txn, f->auth, f->id, f->now_s, &handle);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    memcpy(f->key, handle.key, sizeof f->key);
    f->found = true;
    handle_clear(&handle);
    return ERR_OK;
}

static struct err find_client(struct store_txn *txn, struct caller_key *f)
{
    struct client client = {0};
    struct err err = client_load(txn, f->auth, f->id, &client);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    /* The current one is the last. */
    bool ended = client.credential_count == 0 ||
                 client.credentials[client.credential_count - 1].not_after < f->now_s;
    memcpy(f->key, client.key, sizeof f->key);
    f->found = (!ended || f->renewing) && (!client.suspended || f->leaving);
    client_clear(&client);
    return ERR_OK;
}

/* Opening what is not there takes as long as opening a row. */
static void open_nothing(const struct caller_key *f)
{
    static const uint8_t nothing[400]; /* as a client's row with one credential */
    struct buf plain = BUF_INIT;
    (void)err_is_ok(auth_unseal(f->auth, "client", bytes_of(f->id, sizeof f->id),
                                bytes_of(nothing, sizeof nothing), &plain));
    buf_clear(&plain);
}

struct err caller_key_find(struct store_txn *txn, struct caller_key *key)
{
    TRY(key->handle ? find_handle(txn, key) : find_client(txn, key));
    if (!key->found)
        open_nothing(key);
    return ERR_OK;
}

static struct err find(struct store_txn *txn, void *arg)
{
    struct find_key *f = arg;
    return caller_key_find(txn, &f->caller);
}

static void found(void *arg, struct err result)
{
    struct find_key *f = arg;
    const struct caller_key *caller = &f->caller;
    if (err_is_ok(result))
        front_key(f->pending, &sig_ed25519,
                  bytes_of(caller->key, caller->found ? sizeof caller->key : 0));
    else
        front_key_failed(f->pending, result);
    free(f);
}

static bool is_row(const struct front_pending *pending, const char *path)
{
    return strcmp(front_pending_endpoint(pending)->path, path) == 0;
}

/* Those verify by themselves: CreateHandle brings its key along, the others may be repeats of a
 * caller that they made go (leave.c). */
static bool is_left_to_handler(const struct front_pending *pending)
{
    static const char *const rows[] = {"/hearth.v1.Auth/CreateHandle",
                                       "/hearth.v1.Auth/DeleteHandle", "/hearth.v1.Auth/DeleteUser",
                                       "/hearth.v1.Auth/RemoveClient"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (is_row(pending, rows[i]))
            return true;
    }
    return false;
}

static void start(struct auth *auth, struct front_pending *pending, bool handle,
                  const uint8_t id[AUTH_ID_BYTES])
{
    struct inbox *inbox = NULL;
    struct find_key *f = calloc(1, sizeof *f);
    struct err err = f != NULL ? front_inbox(auth->env->front, front_pending_loop(pending), &inbox)
                               : ERR(NO_MEMORY);
    if (err_is_ok(err)) {
        *f = (struct find_key){
            .pending = pending,
            .caller = {.auth = auth,
                       .handle = handle,
                       .renewing = is_row(pending, "/hearth.v1.Auth/RenewClient"),
                       .now_s = auth_now_s(auth)},
        };
        memcpy(f->caller.id, id, AUTH_ID_BYTES);
        struct store_work work = {.cost = 1, .run = find, .done = found, .arg = f};
        memcpy(&work.principal, id, sizeof work.principal);
        err = auth_read(auth, inbox, &work);
    }
    if (!err_is_ok(err)) {
        free(f);
        front_key_failed(pending, err);
    }
}

static void find_key(void *self, struct front_pending *pending, enum request_caller kind,
                     struct bytes id)
{
    struct auth *auth = self;
    struct client_id name;
    uint8_t at_rest[AUTH_ID_BYTES];
    bool handle = kind == REQUEST_HANDLE && id.len == 32;
    bool client = kind == REQUEST_CLIENT && err_is_ok(client_id_parse(id, &name)) &&
                  bytes_equal(name.user.domain, auth->domain);
    if ((handle || client) && is_left_to_handler(pending)) {
        front_key_later(pending);
    } else if (handle) {
        handle_id(auth, id, at_rest);
        start(auth, pending, true, at_rest);
    } else if (client) {
        auth_id(auth, "client", id, at_rest);
        start(auth, pending, false, at_rest);
    } else {
        front_key(pending, &sig_ed25519, bytes_of(NULL, 0));
    }
}

struct err auth_add_keys(struct auth *auth)
{
    const struct front_key_source source = {.find = find_key, .self = auth};
    TRY(front_add_keys(auth->env->front, REQUEST_CLIENT, source));
    return front_add_keys(auth->env->front, REQUEST_HANDLE, source);
}
