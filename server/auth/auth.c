#include <stdlib.h>

#include "server/auth/inside.h"

static const struct hearth_auth_service service = {
    .get_registration_challenge = auth_get_registration_challenge,
    .register_user = auth_register_user,
    .add_client = auth_add_client,
    .remove_client = auth_remove_client,
    .list_clients = auth_list_clients,
    .renew_client = auth_renew_client,
    .delete_user = auth_delete_user,
    .stage_profile = auth_stage_profile,
    .commit_profile = auth_commit_profile,
    .get_profile = auth_get_profile,
    .issue_tokens = auth_issue_tokens,
    .issue_vouchers = auth_issue_vouchers,
    .exchange_voucher = auth_exchange_voucher,
    .create_invitations = auth_create_invitations,
    .check_invitation = auth_check_invitation,
    .create_handle = auth_create_handle,
    .refresh_handle = auth_refresh_handle,
    .rotate_handle = auth_rotate_handle,
    .delete_handle = auth_delete_handle,
    .check_handle = auth_check_handle,
    .publish_connection_packages = auth_publish_connection_packages,
    .connect = auth_connect,
    .listen_handle = auth_listen_handle,
    .report_abuse = auth_report_abuse,
};

static struct err load_keys(struct auth *auth)
{
    struct keeper *keeper = auth->env->keeper;
    TRY(keeper_storage_key(keeper, KEEPER_AUTH_IDS, auth->ids_key));
    TRY(keeper_storage_key(keeper, KEEPER_AUTH_ROWS, auth->rows_key));
    TRY(keeper_storage_key(keeper, KEEPER_CHALLENGE, auth->challenge_key));
    TRY(keeper_storage_key(keeper, KEEPER_TOKENS, auth->tokens_key));
    return keeper_storage_key(keeper, KEEPER_ONCE_AUTH, auth->once_key);
}

struct err auth_open(struct front_env *env, const struct auth_options *options,
                     struct auth **ret_auth)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return ERR(NO_MEMORY);
    atomic_init(&auth->refs, 1);
    auth->env = env;
    auth->options = *options;
    atomic_init(&auth->mode, (int)options->mode);
    auth->options.store.schema = &auth_schema;
    auth->domain = bytes_str(env->domain);
    pthread_mutex_init(&auth->lock, NULL);
    struct err err = load_keys(auth);
    if (err_is_ok(err))
        err = listeners_new(&auth->listeners);
    if (err_is_ok(err))
        err = store_open(&auth->options.store, NULL, &auth->store);
    if (err_is_ok(err))
        err = voucher_keys_load(auth);
    if (err_is_ok(err))
        err = signing_put_down(auth);
    if (err.code == ERR_STORE_LOW_DISK || err.code == ERR_STORE_FULL)
        err = ERR_OK; /* S2: it opens, and no rotation goes without the row */
    if (err_is_ok(err))
        err = revocations_refresh(auth);
    if (err_is_ok(err))
        err = auth_enter_log(auth);
    if (!err_is_ok(err)) {
        auth_close(auth);
        return err;
    }
    *ret_auth = auth;
    return ERR_OK;
}

struct err auth_add(struct auth *auth, struct hearth_server *server)
{
    if (!hearth_server_add_auth(server, &service, auth))
        return ERR(NO_MEMORY);
    return auth_add_keys(auth);
}

void auth_set_mode(struct auth *auth, enum auth_mode mode)
{
    atomic_store(&auth->mode, (int)mode);
}

void auth_ref(struct auth *auth)
{
    (void)atomic_fetch_add(&auth->refs, 1);
}

void auth_unref(struct auth *auth)
{
    if (atomic_fetch_sub(&auth->refs, 1) != 1)
        return;
    listeners_free(auth->listeners);
    buf_clear(&auth->revoked.list);
    voucher_keys_clear(auth);
    pthread_mutex_destroy(&auth->lock);
    bytes_wipe(auth, sizeof *auth);
    free(auth);
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    if (auth->store != NULL)
        store_close(auth->store);
    auth->store = NULL;
    auth_unref(auth);
}

struct err auth_write(struct auth *auth, struct inbox *inbox, const struct store_work *work)
{
    return auth->store == NULL ? ERR(STORE_STOPPED) : store_submit(auth->store, inbox, work);
}

struct err auth_read(struct auth *auth, struct inbox *inbox, const struct store_work *work)
{
    return auth->store == NULL ? ERR(STORE_STOPPED) : store_read(auth->store, inbox, work);
}

struct store *auth_store(struct auth *auth)
{
    return auth->store;
}

static struct err map_counts(struct stmt *row, void *arg)
{
    struct auth_counts *counts = arg;
    counts->users = stmt_u64(row, 0);
    counts->clients = stmt_u64(row, 1);
    counts->handles = stmt_u64(row, 2);
    counts->invitations = stmt_u64(row, 3);
    counts->offers = stmt_u64(row, 4);
    counts->reports = stmt_u64(row, 5);
    counts->revoked = stmt_u64(row, 6);
    return stmt_row_check(row);
}

static struct err count(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, COUNTS), map_counts, arg);
}

struct err auth_counts(struct auth *auth, struct auth_counts *ret_counts)
{
    struct auth_counts counts;
    TRY(store_call_read(auth->store, count, &counts));
    *ret_counts = counts;
    return ERR_OK;
}
