/* PublishConnectionPackages: all packages of a handle at once, in place of the ones before. They
 * are verified on a reader's thread, under the handle key: a hundred signatures hold up neither a
 * loop nor the writer. */
#include "seal/connection_package.h"
#include "server/auth/inside.h"

/* ---- a list of them */

static struct err verify_one(const struct package_list *list, size_t i, struct bytes hash,
                             struct bytes key, uint64_t now_s,
                             struct connection_package *ret_package)
{
    TRY(connection_package_read(auth_in(list->items[i]), key, ret_package));
    if (!bytes_equal(bytes_of(ret_package->handle_hash, HANDLE_HASH_BYTES), hash))
        return ERR(ARGUMENT);
    return ret_package->not_after > now_s ? ERR_OK : ERR(CREDENTIAL_TIME);
}

struct err packages_verify(struct package_list *list, struct bytes hash, struct bytes key,
                           uint64_t now_s)
{
    unsigned last_resorts = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct connection_package package;
        TRY(verify_one(list, i, hash, key, now_s, &package));
        list->facts[i].expires_hour = auth_hour(package.not_after);
        list->facts[i].last_resort = package.last_resort;
        last_resorts += package.last_resort;
    }
    return last_resorts == 1 ? ERR_OK : ERR(ARGUMENT);
}

static struct err put_one(struct store_txn *txn, const struct auth *auth,
                          const uint8_t handle[AUTH_ID_BYTES], const struct package_list *list,
                          size_t i)
{
    struct buf sealed = BUF_INIT;
    uint8_t place[HANDLE_PLACE_BYTES];
    handle_place(handle, i + 1, place);
    struct err err =
        auth_seal(auth, "package", bytes_of(place, sizeof place), auth_in(list->items[i]), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, PACKAGE_INSERT);
        stmt_bind_blob(s, 1, bytes_of(handle, AUTH_ID_BYTES));
        stmt_bind_u64(s, 2, i + 1);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        stmt_bind_u64(s, 4, list->facts[i].last_resort);
        stmt_bind_u64(s, 5, list->facts[i].expires_hour);
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err packages_put(struct store_txn *txn, const struct auth *auth,
                        const uint8_t handle[AUTH_ID_BYTES], const struct package_list *list)
{
    TRY(auth_run_by_id(txn, PACKAGE_CLEAR, handle));
    for (size_t i = 0; i < list->count; i++)
        TRY(put_one(txn, auth, handle, list, i));
    return ERR_OK;
}

/* ---- PublishConnectionPackages */

struct publish_job {
    struct auth_job job;
    uint8_t id[AUTH_ID_BYTES];
    uint8_t key[CREDENTIAL_KEY_BYTES]; /* the handle's, when they were verified */
    struct bytes hash;
    struct package_list list;
};

static struct err verify(struct store_txn *txn, struct auth_job *job)
{
    struct publish_job *p = (struct publish_job *)job;
    struct handle handle = {0};
    TRY(handle_load(txn, job->auth, p->id, job->now_s, &handle));
    struct err err =
        packages_verify(&p->list, p->hash, bytes_of(handle.key, CREDENTIAL_KEY_BYTES), job->now_s);
    memcpy(p->key, handle.key, sizeof p->key);
    handle_clear(&handle);
    return err;
}

/* Under the key that they were verified under: it may have been deleted since, or have another. */
static struct err put(struct store_txn *txn, struct auth_job *job)
{
    const struct publish_job *p = (struct publish_job *)job;
    struct handle handle = {0};
    struct err err = handle_load(txn, job->auth, p->id, job->now_s, &handle);
    bool same = err_is_ok(err) && memcmp(handle.key, p->key, sizeof p->key) == 0;
    handle_clear(&handle);
    if (err.code == ERR_NOT_FOUND || (err_is_ok(err) && !same))
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    return packages_put(txn, job->auth, p->id, &p->list);
}

static void reply(struct auth_job *job)
{
    Hearth__V1__PublishConnectionPackagesResponse out;
    hearth__v1__publish_connection_packages_response__init(&out);
    hearth_auth_publish_connection_packages_reply(job->call, &out);
}

static void then_write(struct auth_job *job)
{
    struct publish_job *p = (struct publish_job *)job;
    job->keeps = true;
    job->effect = put;
    job->then = NULL;
    (void)auth_job_write(job, (uint32_t)p->list.count + 2);
}

AUTH_HANDLER(publish_connection_packages, PublishConnectionPackages)
{
    struct auth *auth = self;
    (void)out;
    if (in->n_packages > HANDLE_PACKAGES_MOST)
        return front_fail(call, ERR(QUOTA));
    enum hearth_code code = auth_take_principal(call, LIMIT_KEY_PACKAGE_UPLOADS);
    if (code != HEARTH_OK)
        return code;
    struct publish_job *p = auth_job_new(auth, call, sizeof *p, &in->base, in->idempotency);
    if (p == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)p->job.in;
    p->job.keeps = false; /* the verification is a read */
    p->job.effect = verify;
    p->job.then = then_write;
    p->job.reply = reply;
    p->list.items = in->packages;
    p->list.count = in->n_packages;
    p->hash = auth_in(in->handle_hash);
    struct err err = handle_caller(auth, call, p->hash, p->id);
    return err_is_ok(err) ? auth_job_read(&p->job) : auth_job_fail(&p->job, err);
}
