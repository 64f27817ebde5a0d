/* Calls after which their caller may be gone: DeleteUser, RemoveClient, DeleteHandle. When the
 * answer got lost, the repeat comes from somebody unknown, and can still have the first answer, to
 * which the idempotency id and the body are the keys.
 *
 * So these are verified here rather than by the front, and always in the same steps: one read, for
 * the caller's key and for a kept answer; one verification, under the key or under nobody's; and a
 * transaction only for whom it held. Unknown callers, suspended ones and wrong signatures are
 * refused at the same point: time does not tell which ids exist (ME2). */
#include "server/auth/inside.h"

static struct err look(struct store_txn *txn, struct auth_job *job)
{
    struct auth_leave *leave = &job->leave;
    TRY(caller_key_find(txn, &leave->caller));
    leave->kept = auth_job_find_kept(txn, job, &job->repeated);
    if (leave->kept.code == ERR_ONCE_OTHER_BODY)
        return ERR_OK; /* told to whom it concerns, once it is seen who that is */
    return leave->kept;
}

/* The answer of a caller that is not there any more. */
static void answer_again(struct auth_job *job)
{
    if (job->leave.caller.found || (err_is_ok(job->leave.kept) && !job->repeated))
        (void)auth_job_fail(job, ERR(FRONT_UNAUTHENTICATED));
    else if (!err_is_ok(job->leave.kept))
        (void)auth_job_fail(job, job->leave.kept); /* who knows the id may know that */
    else
        job->then(job);
}

/* The job is gone unless this is HEARTH_OK. */
static enum hearth_code admit(struct auth_job *job)
{
    struct hearth_call *call = job->call;
    auth_job_attach(job, NULL); /* when it is refused the call ends at once */
    enum hearth_code code = front_admit_verified(call);
    if (code == HEARTH_OK && job->leave.limit != LIMITS)
        code = auth_take_principal(call, job->leave.limit);
    if (code == HEARTH_OK)
        auth_job_attach(job, call);
    else
        auth_job_end(job);
    return code;
}

static void looked(struct auth_job *job)
{
    struct auth_leave *leave = &job->leave;
    job->effect = leave->effect;
    job->then = leave->then;
    job->keeps = true;
    if (job->call == NULL) {
        auth_job_end(job); /* nothing has happened yet */
        return;
    }
    const size_t key_bytes = leave->caller.found ? sizeof leave->caller.key : 0;
    struct err err = front_verify(job->call, &sig_ed25519, bytes_of(leave->caller.key, key_bytes));
    if (err.code == ERR_FRONT_UNAUTHENTICATED) {
        answer_again(job);
    } else if (!err_is_ok(err)) {
        (void)auth_job_fail(job, err);
    } else if (admit(job) == HEARTH_OK) {
        job->principal = front_caller(job->call)->principal;
        buf_clear(&job->answer);
        job->repeated = false; /* the transaction looks again */
        auth_charge(job, job->call, "handle credits", bytes_of(leave->caller.id, AUTH_ID_BYTES),
                    false);
        (void)auth_job_write(job, leave->cost);
    }
}

enum hearth_code auth_job_leave(struct auth_job *job, const uint8_t caller[AUTH_ID_BYTES],
                                enum limit limit, uint32_t cost)
{
    const struct front_caller *who = front_caller(job->call);
    job->leave = (struct auth_leave){
        .caller = {.auth = job->auth,
                   .handle = who->kind == REQUEST_HANDLE,
                   .leaving = strcmp(hearth_call_endpoint(job->call)->path,
                                     "/hearth.v1.Auth/DeleteUser") == 0,
                   .now_s = job->now_s},
        .limit = limit,
        .cost = cost,
        .effect = job->effect,
        .then = job->then,
    };
    memcpy(job->leave.caller.id, caller, AUTH_ID_BYTES);
    job->effect = look;
    job->then = looked;
    job->keeps = false;
    job->unverified = true;
    return auth_job_read(job);
}
