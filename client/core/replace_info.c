/* The GroupInfo that the server holds, for those who join from outside: a committer may have given
 * a wrong external_pub, which only members can tell (protocol.md 7). Whoever sees that the hash in
 * the commit is not that of the group's own key puts a GroupInfo of his own in its place.
 *
 *     body: struct { uint64 epoch; }
 */
#include "client/core/receive.h"
#include "crypto/hash.h"
#include "mls/codec/message.h"
#include "wire/writer.h"

enum { INFO_DECODE_BYTES = 1 << 20 };

static struct err own_hash(const struct open_chat *chat, struct digest *ret_hash)
{
    struct buf info = BUF_INIT;
    struct arena arena;
    struct mls_message m;
    struct bytes key;
    arena_init(&arena, INFO_DECODE_BYTES);
    struct err err = group_make_info(chat->group, &chat->client,
                                     (struct group_info_options){.external_pub = true}, &info);
    if (err_is_ok(err))
        err = mls_message_parse(buf_view(&info), &arena, &m);
    if (err_is_ok(err) && !extensions_find(&m.group_info.extensions, EXTENSION_EXTERNAL_PUB, &key))
        err = ERR(INTERNAL);
    if (err_is_ok(err))
        hash_once(&hash_sha256, key, ret_hash);
    arena_clear(&arena);
    buf_clear(&info);
    return err;
}

struct err replace_info_check(struct core *c, struct db_txn *t, struct open_chat *chat,
                              struct bytes hash)
{
    struct digest own;
    struct buf body = BUF_INIT;
    uint8_t lane[16];
    uint64_t task;
    TRY(own_hash(chat, &own));
    if (bytes_equal(hash, digest_view(&own)))
        return ERR_OK;
    wire_write_u64(&body, group_epoch(chat->group));
    struct err err = buf_check(&body);
    chat_lane(&chat->chat.id, CHAT_LANE_COVER, lane);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_REPLACE_INFO, lane, &chat->chat.id, buf_view(&body), &task);
    buf_clear(&body);
    return err;
}

static struct err make_call(struct core *c, const struct task *task, const struct open_chat *chat,
                            struct task_call *call)
{
    struct request_id id;
    struct group_access access;
    struct info_parts parts;
    struct buf info = BUF_INIT;
    Hearth__V1__ReplaceGroupInfoRequest in = HEARTH__V1__REPLACE_GROUP_INFO_REQUEST__INIT;
    struct err err = group_make_info(chat->group, &chat->client,
                                     (struct group_info_options){.external_pub = true}, &info);
    if (err_is_ok(err))
        err = info_parts_of(buf_view(&info), &parts);
    if (err_is_ok(err)) {
        request_id_of(task, &id);
        group_access_of(&chat->chat, &access);
        in.idempotency = &id.message;
        in.group = &access.message;
        in.epoch = group_epoch(chat->group);
        in.group_info = &parts.message;
        err = group_call(c, chat, call, "ReplaceGroupInfo", &in.base);
        info_parts_clear(&parts);
    }
    buf_clear(&info);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    uint64_t epoch = wire_read_u64(&r);
    TRY(wire_reader_end(&r));
    TRY(chat_open(c, t, &task->subject, &chat));
    *ret_next = TASK_NEXT_DONE; /* a later commit brought another */
    if (chat->chat.state != HEARTH_CHAT_OPEN || chat->group == NULL ||
        group_epoch(chat->group) != epoch)
        return ERR_OK;
    *ret_next = TASK_NEXT_CALL;
    return make_call(c, task, chat, call);
}

/* Whatever it says: another member may have been faster, or the epoch is over. */
static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c, (void)t, (void)task, (void)answer;
    *ret_next = TASK_NEXT_DONE;
    return ERR_OK;
}

const struct task_steps task_steps_REPLACE_INFO = {.prepare = prepare, .settle = settle};
