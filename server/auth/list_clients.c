/* ListClients: the caller's clients as the server has them, for the caller to compare with the log.
 * A write only when the caller is seen for the first time in a month. */
#include "server/auth/inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct list_job {
    struct auth_job job;
    struct client_caller caller;
    bool seen; /* nothing to write */
};

/* answer: struct { opaque key_set<V>; struct { opaque uuid[16]; opaque credential<V>; uint32
 * month; } clients[]; } */
static struct err list_one(const struct client *client, void *arg)
{
    struct list_job *l = arg;
    struct buf *answer = &l->job.answer;
    if (memcmp(client->id, l->caller.id, AUTH_ID_BYTES) == 0)
        l->seen = client->seen_month == auth_month(l->job.now_s);
    wire_write_fixed(answer, bytes_of(client->uuid, UUID_BYTES));
    wire_write_vector(answer, buf_view(&client->credential));
    wire_write_u32(answer, (uint32_t)client->seen_month);
    return buf_check(answer);
}

static struct err list(struct store_txn *txn, struct auth_job *job)
{
    struct list_job *l = (struct list_job *)job;
    struct user user = {0};
    TRY(user_load(txn, job->auth, l->caller.user_id, &user));
    wire_write_vector(&job->answer, buf_view(&user.key_set));
    user_clear(&user);
    TRY(client_each(txn, job->auth, l->caller.user_id, list_one, l));
    return buf_check(&job->answer);
}

static struct err list_and_see(struct store_txn *txn, struct auth_job *job)
{
    struct list_job *l = (struct list_job *)job;
    TRY(client_seen(txn, l->caller.id, l->caller.user_id, job->now_s));
    return list(txn, job);
}

static void reply(struct auth_job *job)
{
    Hearth__V1__ListClientsResponse out;
    Hearth__V1__ClientInfo infos[KEY_SET_CLIENTS_MAX], *pointers[KEY_SET_CLIENTS_MAX];
    struct wire_reader r = wire_reader_of(buf_view(&job->answer));
    hearth__v1__list_clients_response__init(&out);
    out.key_set = auth_out(wire_read_vector(&r));
    while (wire_reader_more(&r) && out.n_clients < KEY_SET_CLIENTS_MAX) {
        Hearth__V1__ClientInfo *info = &infos[out.n_clients];
        hearth__v1__client_info__init(info);
        info->client_id = auth_out(wire_read_fixed(&r, UUID_BYTES));
        info->credential = auth_out(wire_read_vector(&r));
        info->last_seen_month = wire_read_u32(&r);
        pointers[out.n_clients++] = info;
    }
    out.clients = pointers;
    hearth_auth_list_clients_reply(job->call, &out);
}

static void after_read(struct auth_job *job)
{
    struct list_job *l = (struct list_job *)job;
    job->then = NULL;
    if (l->seen) {
        auth_job_reply(job, reply);
        return;
    }
    buf_clear(&job->answer);
    job->effect = list_and_see;
    (void)auth_job_write(job, 3);
}

AUTH_HANDLER(list_clients, ListClients)
{
    struct auth *auth = self;
    (void)out;
    struct list_job *l = auth_job_new(auth, call, sizeof *l, &in->base, NULL);
    if (l == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    l->job.effect = list;
    l->job.then = after_read;
    l->job.reply = reply;
    struct err err = client_caller(auth, call, &l->caller);
    if (!err_is_ok(err))
        return auth_job_fail(&l->job, err);
    return auth_job_read(&l->job);
}
