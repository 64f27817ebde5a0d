/* How the front finds the keys of clients and handles.
 *
 * A client: one of ours that is in its user's set, with a credential that has not ended; for
 * RenewClient an ended one will do, since the set still has the client; of a suspended user's none
 * but for DeleteUser. A handle: its key, until it
 * expires. Two things are left to the handler: CreateHandle brings its key along; and where the
 * effect of a call was that its caller is gone, a repeat can still have its first answer, to which
 * the idempotency id and the body are the keys. */
#include <stdlib.h>

#include "server/auth/inside.h"

struct find_key {
    struct auth *auth;
    struct front_pending *pending;
    bool handle;     /* or a client */
    bool renewing;   /* an ended credential will do */
    bool leaving;    /* a suspended user may go */
    bool may_repeat; /* unknown ones are left to the handler */
    uint64_t now_s;
    uint8_t id[AUTH_ID_BYTES];
    uint8_t key[CREDENTIAL_KEY_BYTES];
    bool found;
};

static struct err find_handle(struct store_txn *txn, struct find_key *f)
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

static struct err find_client(struct store_txn *txn, struct find_key *f)
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

static struct err find(struct store_txn *txn, void *arg)
{
    struct find_key *f = arg;
    return f->handle ? find_handle(txn, f) : find_client(txn, f);
}

static void found(void *arg, struct err result)
{
    struct find_key *f = arg;
    if (err_is_ok(result) && f->found)
        front_key(f->pending, &sig_ed25519, bytes_of(f->key, sizeof f->key));
    else if (err_is_ok(result) && f->may_repeat)
        front_key_later(f->pending);
    else if (err_is_ok(result))
        front_key(f->pending, &sig_ed25519, bytes_of(NULL, 0));
    else
        front_key_failed(f->pending, result);
    free(f);
}

static bool is_row(const struct front_pending *pending, const char *path)
{
    return strcmp(front_pending_endpoint(pending)->path, path) == 0;
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
            .auth = auth,
            .pending = pending,
            .handle = handle,
            .renewing = is_row(pending, "/hearth.v1.Auth/RenewClient"),
            .leaving = is_row(pending, "/hearth.v1.Auth/DeleteUser"),
            .may_repeat = is_row(pending, "/hearth.v1.Auth/DeleteUser") ||
                          is_row(pending, "/hearth.v1.Auth/RemoveClient") ||
                          is_row(pending, "/hearth.v1.Auth/DeleteHandle"),
            .now_s = auth_now_s(auth),
        };
        memcpy(f->id, id, AUTH_ID_BYTES);
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
    if (kind == REQUEST_HANDLE && id.len == 32) {
        if (is_row(pending, "/hearth.v1.Auth/CreateHandle")) {
            front_key_later(pending);
            return;
        }
        handle_id(auth, id, at_rest);
        start(auth, pending, true, at_rest);
    } else if (kind == REQUEST_CLIENT && err_is_ok(client_id_parse(id, &name)) &&
               bytes_equal(name.user.domain, auth->domain)) {
        auth_id(auth, "client", id, at_rest);
        start(auth, pending, false, at_rest);
    } else {
        front_key(pending, &sig_ed25519, bytes_of(NULL, 0));
    }
}

struct err auth_add_keys(struct auth *auth)
{
    const struct front_key_source source = {find_key, auth};
    TRY(front_add_keys(auth->env->front, REQUEST_CLIENT, source));
    return front_add_keys(auth->env->front, REQUEST_HANDLE, source);
}

bool auth_caller_is_gone(struct hearth_call *call)
{
    if (front_caller(call)->verified)
        return false;
    front_verify_dummy();
    return true;
}
