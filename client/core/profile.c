/* Our profile (TASK_PROFILE) and those of contacts (TASK_PROFILE_FETCH).
 *
 *     STAGE   StageProfile under the index of a new key; then friends are told the key
 *     COMMIT  CommitProfile: shown in the place of the one before
 *
 *     body of PROFILE         struct { opaque key[32]; opaque name<V>; opaque sealed<V>; }
 */
#include "client/core/profile.h"

#include "client/core/contact.h"
#include "client/core/content.h"
#include "client/core/devices.h"
#include "client/core/task.h"
#include "hearth/v1/auth_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum state { STAGE = 0, COMMIT = 1 };
enum { FETCH_TRIES = 12, FETCH_FIRST_MS = 10 * 1000, FETCH_MOST_MS = 600 * 1000 };

static ProtobufCBinaryData data_of(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

static const uint8_t profile_lane[16] = "profile";

/* ---- the verb */

struct err profile_set(struct core *c, struct db_txn *t, const char *name, struct bytes picture,
                       uint64_t *ret_task)
{
    uint8_t key[PROFILE_KEY_BYTES];
    struct buf sealed = BUF_INIT, body = BUF_INIT;
    const struct profile profile = {bytes_str(name), picture};
    if (!c->account.registered)
        return ERR(WRONG_STATE);
    TRY(rng_fill(c->rng, key, sizeof key));
    struct err err = profile_seal(&sealed, c->rng, key, &profile);
    if (err_is_ok(err)) {
        wire_write_fixed(&body, bytes_of(key, sizeof key));
        wire_write_vector(&body, profile.name);
        wire_write_vector(&body, buf_view(&sealed));
        err = buf_check(&body);
    }
    if (err_is_ok(err))
        err = task_add(c, t, TASK_PROFILE, profile_lane, NULL, buf_view(&body), ret_task);
    bytes_wipe(key, sizeof key);
    buf_clear(&sealed);
    buf_clear(&body);
    return err;
}

struct body {
    struct bytes key, name, sealed;
};

static struct err body_read(const struct task *task, struct body *ret_body)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    ret_body->key = wire_read_fixed(&r, PROFILE_KEY_BYTES);
    ret_body->name = wire_read_vector(&r);
    ret_body->sealed = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    return ret_body->name.len <= DISPLAY_NAME_MAX_BYTES ? ERR_OK : ERR(WIRE_VALUE);
}

/* As our client, on the account's own connection. */
struct err account_request(struct core *c, struct task_call *call, const char *method,
                           const ProtobufCMessage *in)
{
    const struct account *a = &c->account;
    memcpy(call->domain, a->domain, sizeof call->domain);
    memcpy(call->purpose, a->client_uuid, sizeof call->purpose);
    call->caller = REQUEST_CLIENT;
    buf_append_bytes(&call->caller_id, buf_view(&a->client_id));
    TRY(buf_check(&call->caller_id));
    TRY(sig_key_init(a->client_key.alg, secret_view(&a->client_key.private_key),
                     &call->caller_key));
    return task_call_request(call, "Auth", method, in);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body body;
    uint8_t index[PROFILE_INDEX_BYTES];
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    (void)t;
    TRY(body_read(task, &body));
    TRY(profile_index(body.key.data, index));
    id.id = data_of(bytes_of(task->idempotency, sizeof task->idempotency));
    *ret_next = TASK_NEXT_CALL;
    if (task->state == STAGE) {
        Hearth__V1__StageProfileRequest in = HEARTH__V1__STAGE_PROFILE_REQUEST__INIT;
        in.idempotency = &id;
        in.index = data_of(bytes_of(index, sizeof index));
        in.profile = data_of(body.sealed);
        return account_request(c, call, "StageProfile", &in.base);
    }
    Hearth__V1__CommitProfileRequest in = HEARTH__V1__COMMIT_PROFILE_REQUEST__INIT;
    in.idempotency = &id;
    return account_request(c, call, "CommitProfile", &in.base);
}

static struct err shown(struct core *c, struct db_txn *t, const struct body *body)
{
    struct account *a = &c->account;
    memcpy(a->user.profile_key, body->key.data, PROFILE_KEY_BYTES);
    if (body->name.len > 0)
        memcpy(a->name, body->name.data, body->name.len);
    a->name[body->name.len] = 0;
    TRY(account_write(a, t));
    TRY(devices_tell(c, t, NEWS_PROFILE, body->name));
    return devices_tell_user(c, t);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct body body;
    if (answer->status->code != HEARTH_OK) {
        return task_step_refused(c, task, answer, ret_next);
    }
    TRY(body_read(task, &body));
    if (task->state == STAGE) {
        task->state = COMMIT;
        *ret_next = TASK_NEXT_AGAIN;
        return friends_tell(c, t, CONTENT_PROFILE, body.key);
    }
    *ret_next = TASK_NEXT_DONE;
    return shown(c, t, &body);
}

const struct task_steps task_steps_PROFILE = {.prepare = prepare, .settle = settle};

/* ---- a contact's */

struct err profile_fetch(struct core *c, struct db_txn *t, const struct hearth_id *contact)
{
    uint64_t task;
    uint8_t tries = 0;
    task_wake(c, contact->bytes); /* one that waits would be in the way of this key */
    return task_add(c, t, TASK_PROFILE_FETCH, contact->bytes, contact, bytes_of(&tries, 1), &task);
}

static struct err fetch_prepare(struct core *c, struct db_txn *t, struct task *task,
                                struct task_call *call, enum task_next *ret_next)
{
    static const uint8_t none[PROFILE_KEY_BYTES];
    struct contact contact = {0};
    struct domain_name user;
    uint8_t index[PROFILE_INDEX_BYTES];
    Hearth__V1__GetProfileRequest in = HEARTH__V1__GET_PROFILE_REQUEST__INIT;
    struct err err = contact_get(c, t, &task->subject, &contact);
    *ret_next = TASK_NEXT_DONE;
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    bool has = contact.user_id.len > 0 && memcmp(contact.profile_key, none, sizeof none) != 0;
    if (has)
        err = domain_name_parse(buf_view(&contact.user_id), &user);
    if (has && err_is_ok(err))
        err = profile_index(contact.profile_key, index);
    if (has && err_is_ok(err)) {
        memcpy(call->domain, user.domain.data, user.domain.len);
        call->anonymous = true;
        in.index = data_of(bytes_of(index, sizeof index));
        err = task_call_request(call, "Auth", "GetProfile", &in.base);
        *ret_next = TASK_NEXT_CALL;
    }
    contact_clear(&contact);
    return err;
}

static struct err keep_profile(struct core *c, struct db_txn *t, struct contact *contact,
                               const struct profile *profile)
{
    struct bytes id = bytes_of(contact->id.bytes, sizeof contact->id.bytes);
    if (profile->name.len > 0)
        memcpy(contact->name, profile->name.data, profile->name.len);
    contact->name[profile->name.len] = 0;
    TRY(contact_put(c, t, contact));
    if (profile->picture.len > 0)
        TRY(db_put(t, DB_PROFILE, id, profile->picture));
    else
        TRY(db_drop(t, DB_PROFILE, id));
    return contact_event(c, t, HEARTH_EVENT_CONTACT_CHANGED, contact, "profile");
}

static struct err fetched(struct core *c, struct db_txn *t, const struct task *task,
                          const Hearth__V1__GetProfileResponse *in)
{
    struct contact contact = {0};
    struct buf plain = BUF_INIT;
    struct profile profile;
    struct err err = contact_get(c, t, &task->subject, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    struct err opened = profile_open(contact.profile_key,
                                     bytes_of(in->profile.data, in->profile.len), &plain, &profile);
    if (err_is_ok(opened))
        err = keep_profile(c, t, &contact, &profile);
    else if (opened.code == ERR_NO_MEMORY)
        err = opened;
    else
        err = contact_event(c, t, HEARTH_EVENT_UNVERIFIED, &contact, "a profile that is not his");
    buf_clear(&plain);
    contact_clear(&contact);
    return err;
}

/* He told the key before he showed the profile: it may not be there yet. */
static struct err not_there(struct core *c, struct task *task, enum task_next *ret_next)
{
    if (task->body.len != 1)
        return ERR(STORE_CORRUPT);
    uint8_t tries = task->body.data[0]++;
    uint64_t ms = (uint64_t)FETCH_FIRST_MS << tries;
    task->not_before_ms = core_now_ms(c) + (ms < FETCH_MOST_MS ? ms : FETCH_MOST_MS);
    *ret_next = tries >= FETCH_TRIES ? TASK_NEXT_DONE : TASK_NEXT_WAIT;
    return ERR_OK;
}

static struct err fetch_settle(struct core *c, struct db_txn *t, struct task *task,
                               const struct task_answer *answer, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_DONE;
    if (answer->status->code == HEARTH_OK)
        return fetched(c, t, task, (const void *)answer->out);
    return answer->status->code == HEARTH_NOT_FOUND ? not_there(c, task, ret_next) : ERR_OK;
}

const struct task_steps task_steps_PROFILE_FETCH = {.prepare = fetch_prepare,
                                                    .settle = fetch_settle};

struct err profile_picture(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                           struct buf *b)
{
    (void)c;
    struct err err = db_get(t, DB_PROFILE, bytes_of(contact->bytes, sizeof contact->bytes), b);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}
