/* What comes out of our queue, into the chats (core/queue.h, receive_item).
 *
 * Nothing in an item is believed: what does not open, parse or hold is an event and the item is
 * done with. Only faults of ours (disk, memory) end the step, and the item comes again.
 */
#include "client/core/receive.h"

#include "client/core/chat_store.h"
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/key_package.h"
#include "client/core/queue.h"
#include "client/core/roster.h"
#include "wire/reader.h"

struct err receive_event(struct core *c, struct db_txn *t, const struct open_chat *chat,
                         enum hearth_event_kind kind, uint64_t count, const char *text)
{
    return event_tell(c, t,
                      &(struct hearth_event){.kind = kind,
                                             .chat = chat->chat.id,
                                             .contact = chat->chat.contact,
                                             .message = count,
                                             .text = text});
}

static struct err lost(struct core *c, struct db_txn *t, const struct open_chat *chat,
                       uint64_t count, const char *text)
{
    return receive_event(c, t, chat, HEARTH_EVENT_LOSS, count, text);
}

/* ---- state keys */

struct leaf_door {
    const struct mls_group *group;
};

static struct err door_decrypt(void *self, struct bytes prefix, struct bytes label,
                               struct bytes context, struct bytes kem_output,
                               struct bytes ciphertext, uint8_t *ret_plaintext)
{
    const struct leaf_door *door = self;
    return group_leaf_decrypt(door->group, prefix, label, context, kem_output, ciphertext,
                              ret_plaintext);
}

static struct err open_state_key(const struct mls_group *group, const struct open_chat *chat,
                                 struct bytes body, uint64_t *ret_epoch,
                                 uint8_t ret_key[STATE_KEY_BYTES])
{
    struct leaf_door door = {group};
    struct leaf_decrypt decrypt = {door_decrypt, &door};
    return state_key_open_with(&decrypt, chat_group_id(&chat->chat), body, ret_epoch, ret_key);
}

/* It came with the answer to our own commit, and another of ours was faster than the queue: the
 * leaf that it is sealed to is no more. */
static bool has_state_key(const struct open_chat *chat, const struct delivery_item *item)
{
    uint64_t epoch;
    return err_is_ok(state_key_epoch(item->body, &epoch)) && epoch <= chat->chat.state_key_epoch;
}

/* Sealed to our leaf, as it is or as it was before a resync. */
static struct err receive_state_key(struct core *c, struct db_txn *t, struct open_chat *chat,
                                    const struct delivery_item *item)
{
    uint8_t key[STATE_KEY_BYTES];
    uint64_t epoch = 0;
    struct err err = open_state_key(chat->group, chat, item->body, &epoch, key);
    for (size_t n = 0; n < BEFORE_MAX && !err_is_ok(err) && err.code != ERR_NO_MEMORY; n++) {
        struct mls_group *before = NULL;
        struct err there = before_get(c, t, chat, n, &before);
        if (there.code == ERR_NOT_FOUND)
            break;
        TRY(there);
        err = open_state_key(before, chat, item->body, &epoch, key);
        group_free(before);
    }
    if (err.code == ERR_NO_MEMORY)
        return err;
    if (!err_is_ok(err) && has_state_key(chat, item))
        return ERR_OK;
    if (!err_is_ok(err))
        return chat->chat.commit_task != 0
                   ? hold_item(c, t, chat, item) /* to the leaf that our commit brings */
                   : lost(c, t, chat, 1, "a new key of the group's state could not be opened");
    chat_add_state_key(&chat->chat, key, epoch);
    bytes_wipe(key, sizeof key);
    TRY(chat_save(c, t, chat));
    return held_replay(c, t, chat);
}

/* ---- smaller kinds */

static struct err receive_leaf_news(struct core *c, struct db_txn *t, struct open_chat *chat,
                                    const struct delivery_item *item)
{
    struct wire_reader r = wire_reader_of(item->body);
    struct leaf_news news;
    leaf_news_read(&r, &news);
    if (!err_is_ok(wire_reader_end(&r)) || roster_find(chat->roster, news.leaf) == NULL ||
        news.leaf == group_own_leaf(chat->group))
        return ERR_OK;
    TRY(roster_news(c, t, chat, &news, item->accepted_s));
    TRY(chat_save(c, t, chat));
    return receive_event(c, t, chat, HEARTH_EVENT_CHAT_CHANGED, 0, NULL);
}

/* Somebody could not follow a commit, and joins anew (DoS9). Who made it is said, too: whether that
 * is a fault of his or of the other is for admins to judge. */
static struct err receive_fault(struct core *c, struct db_txn *t, struct open_chat *chat,
                                const struct delivery_item *item)
{
    uint64_t epoch;
    uint32_t leaf;
    struct bytes hash;
    char name[80], by[80] = "somebody";
    const struct chat *row = &chat->chat;
    if (!err_is_ok(delivery_fault_parse(item->body, &epoch, &leaf, &hash)))
        return ERR_OK;
    TRY(group_member_name(c, t, chat, leaf, name));
    for (size_t i = 0; i < row->committer_count; i++) {
        if (row->committers[i].epoch != epoch)
            continue;
        if (row->committers[i].leaf == group_own_leaf(chat->group))
            return message_note(c, t, &row->id, "%s could not follow a change of yours", name);
        TRY(group_member_name(c, t, chat, row->committers[i].leaf, by));
    }
    return message_note(c, t, &row->id, "%s could not follow a change by %s", name, by);
}

static struct err receive_loss(struct core *c, struct db_txn *t, struct open_chat *chat,
                               const struct delivery_item *item)
{
    uint64_t count;
    if (!err_is_ok(delivery_loss_parse(item->body, &count)))
        return ERR_OK;
    return lost(c, t, chat, count, "the homeserver gave messages up that could not be delivered");
}

static struct err receive_part(struct core *c, struct db_txn *t, struct open_chat *chat,
                               const struct delivery_item *item)
{
    struct buf whole = BUF_INIT;
    struct delivery_item inner;
    bool complete;
    struct err err = part_add(c, t, chat, item->body, &whole, &inner, &complete);
    if (err_is_ok(err) && complete && inner.kind != DELIVERY_PART)
        err = receive_delivery(c, t, chat, &inner);
    buf_clear(&whole);
    return err;
}

/* ---- an opened item */

struct err receive_delivery(struct core *c, struct db_txn *t, struct open_chat *chat,
                            const struct delivery_item *item)
{
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    switch (item->kind) {
    case DELIVERY_PART:
        return receive_part(c, t, chat, item);
    case DELIVERY_LOSS:
        return receive_loss(c, t, chat, item);
    case DELIVERY_REFUSED:
        return contact_refused(c, t, &chat->chat, item->body);
    case DELIVERY_DELETED:
        return group_over(c, t, chat, "the group was deleted");
    default:
        break;
    }
    if (chat->group == NULL || !group_is_active(chat->group))
        return hold_item(c, t, chat, item); /* joining */
    switch (item->kind) {
    case DELIVERY_MESSAGE:
        return receive_message(c, t, chat, item);
    case DELIVERY_COMMIT:
        return receive_commit(c, t, chat, item);
    case DELIVERY_PROPOSAL:
        return receive_proposal(c, t, chat, item);
    case DELIVERY_STATE_KEY:
        return receive_state_key(c, t, chat, item);
    case DELIVERY_TARGETED:
        return receive_targeted(c, t, chat, item);
    case DELIVERY_FAULT:
        return receive_fault(c, t, chat, item);
    case DELIVERY_LEAF_NEWS:
        return receive_leaf_news(c, t, chat, item);
    default:
        return ERR_OK; /* of a newer server */
    }
}

/* ---- a sealed one */

struct err receive_sealed(struct core *c, struct db_txn *t, struct open_chat *chat,
                          struct bytes sealed, bool *ret_opened)
{
    struct buf scratch = BUF_INIT;
    struct delivery_item item;
    struct err err = ERR(CRYPTO_TAG);
    for (size_t i = 0; i < chat->chat.state_key_count && err.code == ERR_CRYPTO_TAG; i++)
        err = fan_out_open(chat->chat.state_keys[i], chat_group_id(&chat->chat), sealed, &scratch,
                           &item);
    *ret_opened = err.code != ERR_CRYPTO_TAG;
    if (err_is_ok(err))
        err = receive_delivery(c, t, chat, &item);
    else if (err.code == ERR_NO_MEMORY)
        *ret_opened = false;
    else
        err = ERR_OK; /* not sealed, or sealed nonsense: either way done with */
    buf_clear(&scratch);
    return err;
}

/* May a state key come that opens it? */
static bool keys_may_come(const struct chat *chat)
{
    return chat->commit_task != 0 || chat->state == HEARTH_CHAT_BROKEN ||
           chat->state == HEARTH_CHAT_STARTING;
}

static struct err to_chats(struct core *c, struct db_txn *t, const struct queue_item *item)
{
    struct hearth_id id, first = {{0}};
    struct open_chat *chat;
    bool opened = false;
    struct err err = chat_by_tag_after(c, t, item->tag, NULL, &id);
    if (err.code == ERR_NOT_FOUND) /* those that are over are found, too */
        return event_tell(
            c, t,
            &(struct hearth_event){.kind = HEARTH_EVENT_LOSS,
                                   .message = 1,
                                   .text = "something came for a group that is not known here"});
    bool waits = false; /* can it wait? For the first chat that is not over. */
    while (err_is_ok(err) && !opened) {
        TRY(chat_open(c, t, &id, &chat));
        if (chat->chat.state != HEARTH_CHAT_OVER) {
            first = waits ? first : id;
            waits = true;
            TRY(receive_sealed(c, t, chat, item->body, &opened));
        }
        struct hearth_id before = id;
        if (!opened)
            err = chat_by_tag_after(c, t, item->tag, &before, &id);
    }
    if (opened)
        return ERR_OK;
    if (err.code != ERR_NOT_FOUND || !waits)
        return err.code == ERR_NOT_FOUND ? ERR_OK : err;
    TRY(chat_open(c, t, &first, &chat));
    return keys_may_come(&chat->chat)
               ? hold_sealed(c, t, chat, item->body)
               : lost(c, t, chat, 1, "something came under a key that this device does not have");
}

/* ---- a queue item */

static struct err receive_gap(struct core *c, struct db_txn *t, const struct queue_item *item)
{
    struct wire_reader r = wire_reader_of(item->body);
    struct hearth_event event = {.kind = HEARTH_EVENT_LOSS,
                                 .message = wire_read_u64(&r),
                                 .text = "the queue at the homeserver was full"};
    struct hearth_id id;
    struct err err = chat_by_tag(c, t, item->tag, &id);
    if (err_is_ok(err))
        event.chat = id;
    else if (err.code != ERR_NOT_FOUND)
        return err;
    return event_tell(c, t, &event);
}

struct err receive_item(struct core *c, struct db_txn *t, uint64_t sequence,
                        const struct queue_item *item)
{
    (void)sequence;
    switch (item->kind) {
    case QUEUE_ITEM_DELIVERY:
        return fan_out_is_joiner(item->body) ? join_welcome(c, t, item) : to_chats(c, t, item);
    case QUEUE_ITEM_GAP:
        return receive_gap(c, t, item);
    case QUEUE_ITEM_LAST_RESORT:
        return key_package_publish(c, t);
    default:
        return ERR_OK;
    }
}
