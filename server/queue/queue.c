#include "server/queue/queue.h"

#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/record.h"

enum { CHECKPOINT_BYTES = 32 << 20, CACHE_KIB = 32 << 10 };

static const struct hearth_queue_service service = {
    .create_queue_user = queue_create_user,
    .update_queue_user = queue_update_user,
    .get_queue_user = queue_get_user,
    .delete_queue_user = queue_delete_user,
    .create_queue_client = queue_create_client,
    .update_queue_client = queue_update_client,
    .delete_queue_client = queue_delete_client,
    .publish_key_packages = queue_publish,
    .get_key_packages = queue_get_packages,
    .update_blocklist = queue_update_blocklist,
    .dequeue = queue_dequeue,
    .listen = queue_listen_call,
};

static struct err load_keys(struct queue *q)
{
    struct keeper *keeper = q->env->keeper;
    TRY(keeper_storage_key(keeper, KEEPER_QUEUE_ROWS, q->rows_key));
    TRY(keeper_storage_key(keeper, KEEPER_QUEUE_IDS, q->ids_key));
    purse_key(q->ids_key, q->spent_key);
    return keeper_storage_key(keeper, KEEPER_ONCE_QUEUE, q->once_key);
}

struct err queue_open(struct front_env *env, const struct queue_options *options,
                      struct queue **ret_queue)
{
    struct queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return ERR(NO_MEMORY);
    q->env = env;
    q->options = *options;
    q->options.store.schema = &queue_schema;
    /* Rows of one moment lie in as many places as there are queues: a page that is changed again
     * before it is moved to the main file is moved once. */
    if (q->options.store.checkpoint_bytes == 0)
        q->options.store.checkpoint_bytes = CHECKPOINT_BYTES;
    if (q->options.store.cache_kib == 0)
        q->options.store.cache_kib = CACHE_KIB;
    q->limits = front_limits(env->front);
    q->refs = 1;
    q->opened_s = queue_now_s(q);
    q->opened_us = clock_monotonic_us(env->clock);
    struct err err = load_keys(q);
    if (err_is_ok(err))
        err = desks_new(q, options->tick_ms, options->cover, &q->desks);
    if (err_is_ok(err))
        err = store_open(&q->options.store, NULL, &q->store);
    if (!err_is_ok(err)) {
        queue_unref(q);
        return err;
    }
    *ret_queue = q;
    return ERR_OK;
}

void queue_unref(struct queue *q)
{
    if (atomic_fetch_sub(&q->refs, 1) != 1)
        return;
    desks_free(q->desks);
    bytes_wipe(q, sizeof *q);
    free(q);
}

void queue_close(struct queue *q)
{
    if (q == NULL)
        return;
    struct store *store = q->store;
    store_close(store);
    q->store = NULL;
    queue_unref(q);
}

struct store *queue_store(struct queue *q)
{
    return q->store;
}

struct err queue_write(struct queue *q, struct inbox *inbox, const struct store_work *work)
{
    return q->store == NULL ? ERR(STORE_STOPPED) : store_submit(q->store, inbox, work);
}

struct err queue_read(struct queue *q, struct inbox *inbox, const struct store_work *work)
{
    return q->store == NULL ? ERR(STORE_STOPPED) : store_read(q->store, inbox, work);
}

/* ---- who is calling: keys of queue users and queue clients */

struct finding {
    struct queue *q;
    struct front_pending *pending;
    uint8_t id[QUEUE_ID_BYTES]; /* a copy: the call may end before the lookup does */
    bool is_client;
    uint8_t key[QUEUE_AUTH_KEY_BYTES];
    size_t key_len;
};

static struct err run_find(struct store_txn *txn, void *arg)
{
    struct finding *f = arg;
    if (f->is_client) {
        struct queue_client client;
        TRY(queue_client_by_id(txn, f->q, bytes_of(f->id, sizeof f->id), &client));
        memcpy(f->key, client.auth_key, client.auth_key_len);
        f->key_len = client.auth_key_len;
        queue_client_clear(&client);
    } else {
        struct queue_user user;
        TRY(queue_user_by_id(txn, f->q, bytes_of(f->id, sizeof f->id), &user));
        memcpy(f->key, user.auth_key, user.auth_key_len);
        f->key_len = user.auth_key_len;
        queue_user_clear(&user);
    }
    return ERR_OK;
}

static void find_done(void *arg, struct err result)
{
    struct finding *f = arg;
    struct queue *q = f->q;
    if (err_is_ok(result) || result.code == ERR_NOT_FOUND)
        front_key(f->pending, &sig_ed25519, bytes_of(f->key, err_is_ok(result) ? f->key_len : 0));
    else
        front_key_failed(f->pending, result);
    bytes_wipe(f, sizeof *f); /* ME4 */
    free(f);
    queue_unref(q);
}

static void find(void *self, struct front_pending *pending, enum request_caller kind,
                 struct bytes id)
{
    struct queue *q = self;
    struct inbox *inbox;
    struct err err = ERR(NO_MEMORY);
    if (id.len != QUEUE_ID_BYTES) {
        front_key(pending, &sig_ed25519, bytes_of(NULL, 0));
        return;
    }
    struct finding *f = calloc(1, sizeof *f);
    if (f != NULL) {
        *f =
            (struct finding){.q = q, .pending = pending, .is_client = kind == REQUEST_QUEUE_CLIENT};
        memcpy(f->id, id.data, sizeof f->id);
        struct store_work work = {.principal = queue_principal(q, "caller", id),
                                  .cost = 1,
                                  .run = run_find,
                                  .done = find_done,
                                  .arg = f};
        queue_ref(q);
        err = front_inbox(q->env->front, front_pending_loop(pending), &inbox);
        if (err_is_ok(err))
            err = queue_read(q, inbox, &work);
        if (err_is_ok(err))
            return;
        free(f);
        queue_unref(q);
    }
    front_key_failed(pending, err);
}

struct err queue_add(struct queue *q, struct hearth_server *server)
{
    struct front_key_source source = {.find = find, .self = q};
    TRY(front_add_keys(q->env->front, REQUEST_QUEUE_USER, source));
    TRY(front_add_keys(q->env->front, REQUEST_QUEUE_CLIENT, source));
    return hearth_server_add_queue(server, &service, q) ? ERR_OK : ERR(NO_MEMORY);
}
