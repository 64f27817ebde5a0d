/* Joining a group again by an external commit that replaces our own leaf, when its state was lost:
 * a commit that could not be followed, or one that never came.
 *
 *     REPORT   ReportFault, where a commit did not hold
 *     INFO     GetExternalCommitInfo
 *     SENT     Resync; the group that it leads to waits in the body, the chat keeps the old one
 *
 *     body: struct { uint8 reports; uint64 report_epoch; opaque hash[32]; uint32 tries; uint64
 *                    not_before_ms; opaque request<V>, group<V>, records<V>; }
 *     group: group_write of the one to come; records: PublicLeafRecords as they came, opaque<V>
 * each
 */
#include <stdlib.h>

#include "client/core/event.h"
#include "client/core/group_data.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "wire/writer.h"

enum resync_state { REPORT = 0, INFO = 1, SENT = 2 };
enum { SPREAD_MS = 2000, RECORDS_MAX = 16384 };

struct resync_body {
    bool reports;
    uint64_t report_epoch;
    uint8_t hash[COMMIT_HASH_BYTES];
    uint32_t tries;
    uint64_t not_before_ms;
    struct bytes request, group, records; /* views into the task's body */
};

static struct err read_body(struct bytes in, struct resync_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct resync_body body = {.reports = wire_read_present(&r)};
    body.report_epoch = wire_read_u64(&r);
    struct bytes hash = wire_read_fixed(&r, COMMIT_HASH_BYTES);
    if (hash.len == COMMIT_HASH_BYTES)
        memcpy(body.hash, hash.data, hash.len);
    body.tries = wire_read_u32(&r);
    body.not_before_ms = wire_read_u64(&r);
    body.request = wire_read_vector(&r);
    body.group = wire_read_vector(&r);
    body.records = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_body = body;
    return ERR_OK;
}

static struct err put_body(struct buf *out, const struct resync_body *body)
{
    struct buf b = BUF_INIT;
    wire_write_present(&b, body->reports);
    wire_write_u64(&b, body->report_epoch);
    wire_write_fixed(&b, bytes_of(body->hash, sizeof body->hash));
    wire_write_u32(&b, body->tries);
    wire_write_u64(&b, body->not_before_ms);
    wire_write_vector(&b, body->request);
    wire_write_vector(&b, body->group);
    wire_write_vector(&b, body->records);
    return buf_replace(out, &b);
}

/* ---- the verb */

struct err resync_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                        uint64_t epoch, const uint8_t *commit_hash, uint64_t *ret_task)
{
    struct resync_body body = {.reports = commit_hash != NULL, .report_epoch = epoch};
    struct buf b = BUF_INIT;
    uint8_t lane[16];
    bool there;
    uint16_t random;
    chat_lane(chat, CHAT_LANE_RESYNC, lane);
    TRY(task_in_lane(c, t, lane, TASK_RESYNC, &there));
    *ret_task = 0;
    if (there)
        return ERR_OK;
    if (commit_hash != NULL)
        memcpy(body.hash, commit_hash, sizeof body.hash);
    /* many may have to (DoS10): not all at once */
    TRY(rng_fill(c->rng, &random, sizeof random));
    body.not_before_ms = core_now_ms(c) + random % SPREAD_MS;
    TRY(put_body(&b, &body));
    struct err err = task_add(c, t, TASK_RESYNC, lane, chat, buf_view(&b), ret_task);
    buf_clear(&b);
    return err;
}

struct err group_resync_begin(struct core *c, struct db_txn *t, const struct hearth_id *id,
                              uint64_t *ret_task)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, id, &chat));
    if (chat->group == NULL ||
        (chat->chat.state != HEARTH_CHAT_OPEN && chat->chat.state != HEARTH_CHAT_BROKEN))
        return ERR(CLIENT_CHAT_STATE);
    if (chat->chat.state == HEARTH_CHAT_OPEN) {
        chat->chat.state = HEARTH_CHAT_BROKEN;
        chat->chat.broken_epoch = group_epoch(chat->group) + 1;
        TRY(chat_save(c, t, chat));
    }
    return resync_begin(c, t, id, 0, NULL, ret_task);
}

/* ---- prepare */

static struct err call_report(struct core *c, const struct task *task, const struct open_chat *chat,
                              const struct resync_body *body, struct task_call *call)
{
    struct request_id id;
    struct group_access access;
    Hearth__V1__ReportFaultRequest in = HEARTH__V1__REPORT_FAULT_REQUEST__INIT;
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.epoch = body->report_epoch;
    in.commit_hash = pb_of(bytes_of(body->hash, sizeof body->hash));
    return group_call(c, chat, call, "ReportFault", &in.base);
}

static struct err call_info(struct core *c, const struct open_chat *chat, struct task_call *call)
{
    struct group_access access;
    Hearth__V1__GetExternalCommitInfoRequest in =
        HEARTH__V1__GET_EXTERNAL_COMMIT_INFO_REQUEST__INIT;
    group_access_of(&chat->chat, &access);
    in.group = &access.message;
    return group_call_unsigned(c, &chat->chat, call, "GetExternalCommitInfo", &in.base);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct resync_body body;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    *ret_next = TASK_NEXT_DONE;
    if (chat->chat.state != HEARTH_CHAT_BROKEN || chat->group == NULL)
        return ERR_OK;
    task->not_before_ms = body.not_before_ms;
    *ret_next = TASK_NEXT_WAIT;
    if (core_now_ms(c) < body.not_before_ms)
        return ERR_OK;
    /* a commit of ours that is under way must have its answer first */
    task->not_before_ms = 0;
    if (chat->chat.commit_task != 0 && chat->chat.commit_task != task->number)
        return ERR_OK;
    if (task->state == REPORT && !body.reports)
        task->state = INFO;
    *ret_next = TASK_NEXT_CALL;
    switch (task->state) {
    case REPORT:
        return call_report(c, task, chat, &body, call);
    case INFO:
        return call_info(c, chat, call);
    default:
        return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                                 call, "Resync", body.request);
    }
}

/* ---- the external commit */

static struct err write_records(const Hearth__V1__GetExternalCommitInfoResponse *out,
                                struct buf *records)
{
    for (size_t i = 0; i < out->n_leaves; i++) {
        size_t len = hearth__v1__public_leaf_record__get_packed_size(out->leaves[i]);
        wire_write_varint(records, len);
        uint8_t *room = buf_extend(records, len);
        if (room != NULL)
            (void)hearth__v1__public_leaf_record__pack(out->leaves[i], room);
    }
    return buf_check(records);
}

static struct err pack_request(const struct task *task, const struct open_chat *chat,
                               const struct mls_group *joining, const struct buf *commit,
                               struct own_record *record, struct buf *packed)
{
    struct request_id id;
    struct group_access access;
    struct info_parts parts;
    struct buf info = BUF_INIT;
    Hearth__V1__ResyncRequest in = HEARTH__V1__RESYNC_REQUEST__INIT;
    struct err err = group_make_pending_info(joining, &chat->client,
                                             (struct group_info_options){false, true}, &info);
    if (err_is_ok(err))
        err = info_parts_of(buf_view(&info), &parts);
    if (!err_is_ok(err)) {
        buf_clear(&info);
        return err;
    }
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = pb_of(buf_view(commit));
    in.group_info = &parts.message;
    in.leaf = &record->message;
    uint8_t *room = buf_extend(packed, hearth__v1__resync_request__get_packed_size(&in));
    if (room != NULL)
        (void)hearth__v1__resync_request__pack(&in, room);
    info_parts_clear(&parts);
    buf_clear(&info);
    return buf_check(packed);
}

struct joining {
    struct own_record record;
    struct buf data, commit, packed, state, records;
    struct mls_group *group;
};

static void joining_clear(struct joining *j)
{
    own_record_clear(&j->record);
    buf_clear(&j->data);
    buf_clear(&j->commit);
    buf_clear(&j->packed);
    buf_clear(&j->state);
    buf_clear(&j->records);
    group_free(j->group);
}

static struct err make_joining(struct core *c, const struct task *task, struct open_chat *chat,
                               const Hearth__V1__GetExternalCommitInfoResponse *out,
                               struct joining *j)
{
    struct leaf_profile profile = chat_leaf_profile(buf_view(&chat->chat.credential));
    struct mls_group_config config = chat_group_config();
    if (out->n_leaves > RECORDS_MAX)
        return ERR(TOO_LARGE);
    TRY(own_record_make(c, &chat->chat, NULL, &j->record));
    leaf_keys_write(&j->data, &j->record.news, 1);
    TRY(buf_check(&j->data));
    struct external_join join = {.group_info = bytes_of(out->group_info.data, out->group_info.len),
                                 .ratchet_tree =
                                     bytes_of(out->ratchet_tree.data, out->ratchet_tree.len),
                                 .resync = true,
                                 .former_leaf = group_own_leaf(chat->group),
                                 .authenticated_data = buf_view(&j->data)};
    TRY(group_join_external(&chat->client, &config, &join, &profile, &j->commit, &j->group));
    if (!bytes_equal(group_public(j->group)->context.group_id, chat_group_id(&chat->chat)))
        return ERR(MLS_GROUP_ID);
    TRY(pack_request(task, chat, j->group, &j->commit, &j->record, &j->packed));
    TRY(write_records(out, &j->records));
    return group_write(j->group, &j->state);
}

static struct err settle_info(struct core *c, struct db_txn *t, struct task *task,
                              struct open_chat *chat, struct resync_body *body,
                              const Hearth__V1__GetExternalCommitInfoResponse *out,
                              enum task_next *ret_next)
{
    struct joining j = {0};
    TRY(task_renew(c, task));
    struct err err = make_joining(c, task, chat, out, &j);
    if (err_is_ok(err)) {
        body->request = buf_view(&j.packed);
        body->group = buf_view(&j.state);
        body->records = buf_view(&j.records);
        err = put_body(&task->body, body);
    }
    joining_clear(&j);
    if (!err_is_ok(err))
        return err_class_of(err) == ERR_CLASS_OURS ? err : task_step_failed(c, task, err, ret_next);
    chat->chat.commit_task = task->number;
    task->state = SENT;
    *ret_next = TASK_NEXT_AGAIN;
    return chat_save(c, t, chat);
}

/* ---- in again */

static struct err read_records(struct core *c, struct db_txn *t, struct open_chat *chat,
                               struct bytes in, uint32_t own, uint32_t former)
{
    Hearth__V1__PublicLeafRecord **records = calloc(RECORDS_MAX + 1, sizeof *records);
    struct wire_reader r = wire_reader_of(in);
    struct err err = records != NULL ? ERR_OK : ERR(NO_MEMORY);
    size_t count = 0;
    while (err_is_ok(err) && wire_reader_more(&r) && count < RECORDS_MAX) {
        struct bytes packed = wire_read_vector(&r);
        records[count] = hearth__v1__public_leaf_record__unpack(NULL, packed.len, packed.data);
        err = records[count++] != NULL ? wire_reader_check(&r) : ERR(NO_MEMORY);
    }
    if (err_is_ok(err))
        err = group_records(c, t, chat, records, count, own, former);
    for (size_t i = 0; i < count; i++)
        hearth__v1__public_leaf_record__free_unpacked(records[i], NULL);
    free(records);
    return err;
}

/* Our own row, under the key of now. */
static struct err take_own(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    struct own_record own;
    TRY(own_record_make(c, &chat->chat, NULL, &own));
    own.news.leaf = group_own_leaf(chat->group);
    struct err err = roster_news(c, t, chat, &own.news, core_now_ms(c) / 1000);
    own_record_clear(&own);
    return err;
}

static struct err enter(struct core *c, struct db_txn *t, struct open_chat *chat,
                        const struct resync_body *body)
{
    struct mls_group *group = NULL;
    uint32_t former = group_own_leaf(chat->group);
    TRY(group_read(&chat->client, body->group, &group));
    struct err err = before_push(c, t, chat);
    if (err_is_ok(err))
        err = group_merge_pending(group);
    if (!err_is_ok(err)) {
        group_free(group);
        return err;
    }
    chat_set_group(chat, &group);
    chat->chat.commit_task = 0;
    chat->chat.state = HEARTH_CHAT_OPEN;
    chat->chat.broken_epoch = 0;
    chat->chat.joined_epoch = group_epoch(chat->group);
    TRY(read_records(c, t, chat, body->records, group_own_leaf(chat->group), former));
    TRY(take_own(c, t, chat));
    TRY(receive_new_epoch(c, t, chat));
    return chat_save(c, t, chat);
}

static void wake_all(struct core *c, const struct hearth_id *chat)
{
    static const enum chat_lane lanes[] = {CHAT_LANE, CHAT_LANE_COVER, CHAT_LANE_KEYS};
    uint8_t lane[16];
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        chat_lane(chat, lanes[i], lane);
        task_wake(c, lane);
    }
}

/* ---- settle */

static struct err again(struct core *c, struct db_txn *t, struct task *task, struct open_chat *chat,
                        struct resync_body *body, enum task_next *ret_next)
{
    body->request = body->group = body->records = bytes_of(NULL, 0);
    body->tries++;
    if (chat->chat.commit_task == task->number)
        chat->chat.commit_task = 0;
    TRY(chat_save(c, t, chat));
    task->state = INFO;
    TRY(put_body(&task->body, body));
    TRY(task_renew(c, task));
    return group_try_again(c, task, body->tries, ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct resync_body body;
    uint64_t epoch;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    *ret_next = TASK_NEXT_DONE;
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->group == NULL)
        return ERR_OK;
    if (task->state == REPORT) { /* whatever it says */
        task->state = INFO;
        *ret_next = TASK_NEXT_AGAIN;
        return task_renew(c, task);
    }
    switch (group_answer_of(answer, &epoch)) {
    case GROUP_ANSWER_OK:
        break;
    case GROUP_ANSWER_STALE:
        return again(c, t, task, chat, &body, ret_next);
    default:
        return task_step_refused(c, task, answer, ret_next);
    }
    if (task->state == INFO)
        return settle_info(c, t, task, chat, &body,
                           (const Hearth__V1__GetExternalCommitInfoResponse *)answer->out,
                           ret_next);
    TRY(enter(c, t, chat, &body));
    wake_all(c, &chat->chat.id);
    return held_replay(c, t, chat);
}

/* The group can't be reached with what we hold: it was deleted, we were removed while we could not
 * follow, or the server is not itself. Nothing is thrown away: what comes for the chat, or its
 * user, has it tried again. */
static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct open_chat *chat;
    struct err err = chat_open(c, t, &task->subject, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (chat->chat.commit_task == task->number)
        chat->chat.commit_task = 0;
    if (chat->chat.state != HEARTH_CHAT_BROKEN)
        return chat_save(c, t, chat);
    TRY(chat_save(c, t, chat));
    TRY(message_note(c, t, &chat->chat.id, "the group can't be joined again: %.150s", error->text));
    return receive_event(c, t, chat, HEARTH_EVENT_CHAT_BROKEN, 0, error->text);
}

const struct task_steps task_steps_RESYNC = {
    .prepare = prepare, .settle = settle, .failed = failed};
