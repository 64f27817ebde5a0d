/* PublishConnectionPackages: all packages of a handle at once, in place of the ones before. They
 * are verified on a reader's thread, under the handle key: a hundred signatures hold up neither a
 * loop nor the writer. */
#include "seal/connection_package.h"
#include "server/auth/inside.h"

enum { PACKAGES_MOST = 101 };

struct publish_job {
    struct auth_job job;
    uint8_t id[AUTH_ID_BYTES];
    struct bytes hash;
    const Hearth__V1__PublishConnectionPackagesRequest *in;
    struct {
        uint64_t expires_hour;
        bool last_resort;
    } facts[PACKAGES_MOST];
};

/* ---- on a reader */

static struct err verify_one(const struct publish_job *p, struct bytes whole, struct bytes key,
                             struct connection_package *ret_package)
{
    TRY(connection_package_read(whole, key, ret_package));
    if (!bytes_equal(bytes_of(ret_package->handle_hash, HANDLE_HASH_BYTES), p->hash))
        return ERR(ARGUMENT);
    return ret_package->not_after > p->job.now_s ? ERR_OK : ERR(CREDENTIAL_TIME);
}

static struct err verify_all(struct publish_job *p, struct bytes key)
{
    unsigned last_resorts = 0;
    for (size_t i = 0; i < p->in->n_packages; i++) {
        struct connection_package package;
        TRY(verify_one(p, auth_in(p->in->packages[i]), key, &package));
        p->facts[i].expires_hour = auth_hour(package.not_after);
        p->facts[i].last_resort = package.last_resort;
        last_resorts += package.last_resort;
    }
    return last_resorts == 1 ? ERR_OK : ERR(ARGUMENT);
}

static struct err verify(struct store_txn *txn, struct auth_job *job)
{
    struct publish_job *p = (struct publish_job *)job;
    struct handle handle = {0};
    TRY(handle_load(txn, job->auth, p->id, job->now_s, &handle));
    struct err err = verify_all(p, bytes_of(handle.key, CREDENTIAL_KEY_BYTES));
    handle_clear(&handle);
    return err;
}

/* ---- on the writer */

static struct err put_one(struct store_txn *txn, const struct publish_job *p, size_t i)
{
    struct buf sealed = BUF_INIT;
    uint8_t place[HANDLE_PLACE_BYTES];
    handle_place(p->id, i + 1, place);
    struct err err = auth_seal(p->job.auth, "package", bytes_of(place, sizeof place),
                               auth_in(p->in->packages[i]), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, PACKAGE_INSERT);
        stmt_bind_blob(s, 1, bytes_of(p->id, AUTH_ID_BYTES));
        stmt_bind_u64(s, 2, i + 1);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        stmt_bind_u64(s, 4, p->facts[i].last_resort);
        stmt_bind_u64(s, 5, p->facts[i].expires_hour);
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

static struct err put(struct store_txn *txn, struct auth_job *job)
{
    const struct publish_job *p = (struct publish_job *)job;
    bool there = false;
    struct stmt *s = stmt_use(txn, HANDLE_TAKEN);
    stmt_bind_blob(s, 1, bytes_of(p->id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_day(job->now_s));
    TRY(stmt_step(s, &there));
    if (!there)
        return ERR(FRONT_UNAUTHENTICATED); /* deleted since */
    TRY(auth_run_by_id(txn, PACKAGE_CLEAR, p->id));
    for (size_t i = 0; i < p->in->n_packages; i++)
        TRY(put_one(txn, p, i));
    return ERR_OK;
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
    (void)auth_job_write(job, (uint32_t)p->in->n_packages + 2);
}

AUTH_HANDLER(publish_connection_packages, PublishConnectionPackages)
{
    struct auth *auth = self;
    (void)out;
    if (in->n_packages > PACKAGES_MOST)
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
    p->in = in;
    p->hash = auth_in(in->handle_hash);
    struct err err = handle_caller(auth, call, p->hash, p->id);
    return err_is_ok(err) ? auth_job_read(&p->job) : auth_job_fail(&p->job, err);
}
