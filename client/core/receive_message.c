/* Application messages: decrypted, attributed, stored. */
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/head.h"
#include "client/core/log.h"
#include "client/core/log_proof.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "mls/codec/message.h"
#include "wire/reader.h"

static bool is_ours(struct err err)
{
    return err.code == ERR_NO_MEMORY || err.code == ERR_IO || err.code == ERR_INTERNAL;
}

/* ---- who said it */

/* As the leaf says that the message was made with; false: nothing that we know. */
static bool pseudonym_of(struct bytes sender_leaf, uint8_t ret_pseudonym[PSEUDONYM_BYTES])
{
    struct wire_reader r = wire_reader_of(sender_leaf);
    struct leaf_node node;
    struct leaf_credential credential;
    leaf_node_read(&r, &node);
    if (!err_is_ok(wire_reader_check(&r)) || node.credential.type != LEAF_CREDENTIAL_TYPE ||
        !err_is_ok(leaf_credential_parse(node.credential.body, &credential)))
        return false;
    memcpy(ret_pseudonym, credential.pseudonym, PSEUDONYM_BYTES);
    return true;
}

/* The row of the sender, if it speaks of the leaf that sent; a leaf may have been replaced since.
 */
static const struct roster_leaf *sender_of(const struct open_chat *chat, uint32_t leaf,
                                           struct bytes sender_leaf)
{
    const struct roster_leaf *l = roster_find(chat->roster, leaf);
    uint8_t pseudonym[PSEUDONYM_BYTES];
    if (l == NULL || sender_leaf.len == 0)
        return l;
    return pseudonym_of(sender_leaf, pseudonym) &&
                   memcmp(pseudonym, l->pseudonym, sizeof pseudonym) == 0
               ? l
               : NULL;
}

static void fill_sender(const struct roster_leaf *l, struct message_row *row)
{
    if (l == NULL)
        return; /* pseudonym zeros: somebody who is gone */
    memcpy(row->sender, l->user_pseudonym, sizeof row->sender);
    row->sender_verified = l->state == ROSTER_VERIFIED;
    row->own = l->own_user;
}

/* ---- kinds of content */

static bool is_text(struct bytes text)
{
    return text.len > 0 && text.len <= 65536 && memchr(text.data, 0, text.len) == NULL;
}

static struct err add_row(struct core *c, struct db_txn *t, struct open_chat *chat,
                          struct message_row *row, const struct content *content,
                          uint64_t accepted_s)
{
    uint64_t number;
    memcpy(row->id.bytes, content->id, sizeof row->id.bytes);
    row->state = HEARTH_MESSAGE_RECEIVED;
    row->sent_ms = content->sent_ms;
    row->accepted_s = accepted_s;
    return message_add(c, t, &chat->chat.id, row, &number);
}

static struct err take_text(struct core *c, struct db_txn *t, struct open_chat *chat,
                            struct message_row *row, const struct content *content,
                            uint64_t accepted_s)
{
    if (!is_text(content->body))
        return ERR_OK;
    row->kind = HEARTH_MESSAGE_TEXT;
    row->text = content->body;
    return add_row(c, t, chat, row, content, accepted_s);
}

static struct err take_file(struct core *c, struct db_txn *t, struct open_chat *chat,
                            struct message_row *row, const struct content *content,
                            uint64_t accepted_s)
{
    struct file_keys keys;
    if (!err_is_ok(file_keys_read(content->body, &keys)))
        return ERR_OK;
    row->kind = HEARTH_MESSAGE_FILE;
    row->text = keys.name;
    row->detail = content->body;
    row->file_bytes = keys.bytes;
    return add_row(c, t, chat, row, content, accepted_s);
}

/* Is it not settled yet who took up our offer? */
static bool is_asked(struct core *c, struct db_txn *t, const struct hearth_id *id)
{
    struct contact contact = {0};
    if (!err_is_ok(contact_get(c, t, id, &contact)))
        return false;
    bool asked = contact.state == HEARTH_CONTACT_ASKED && contact.user_id.len == 0;
    contact_clear(&contact);
    return asked;
}

/* What a member says to our contact book: only if he is who he says. In a direct chat there is but
 * one other, and what he says while he is being looked into, or before it is concluded whom he is
 * the contact of (TASK_JOINED), is the contact's to keep. */
static struct err take_contact_news(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                    const struct roster_leaf *l, const struct content *content)
{
    static const struct hearth_id nobody;
    bool other = chat->chat.kind == HEARTH_CHAT_DIRECT && l != NULL && !l->own_user;
    bool nameless = other && l->state == ROSTER_VERIFIED && hearth_id_equal(&l->contact, &nobody);
    if ((other && l->state == ROSTER_PENDING) ||
        (nameless && is_asked(c, t, &chat->chat.contact))) {
        struct hearth_id asked = chat->chat.contact;
        return contact_content(c, t, &asked, content->kind, content->body);
    }
    if (l == NULL || l->state != ROSTER_VERIFIED || l->own_user ||
        memcmp(l->contact.bytes, nobody.bytes, sizeof nobody.bytes) == 0)
        return ERR_OK;
    struct hearth_id contact = l->contact;
    return contact_content(c, t, &contact, content->kind, content->body);
}

static struct err take_content(struct core *c, struct db_txn *t, struct open_chat *chat,
                               uint32_t leaf, const struct roster_leaf *l,
                               const struct content *content, struct message_row *row,
                               uint64_t accepted_s)
{
    switch (content->kind) {
    case CONTENT_TEXT:
        return take_text(c, t, chat, row, content, accepted_s);
    case CONTENT_FILE:
        return take_file(c, t, chat, row, content, accepted_s);
    case CONTENT_IDENTITY_KEY:
        return identity_key_take(c, t, chat, leaf, content->body);
    case CONTENT_FRIENDSHIP:
        if (chat->chat.kind != HEARTH_CHAT_DIRECT)
            return ERR_OK;
        return take_contact_news(c, t, chat, l, content);
    case CONTENT_KEY_SET:
        TRY(take_contact_news(c, t, chat, l, content));
        return roster_retry(c, t, chat);
    case CONTENT_PROFILE:
        return take_contact_news(c, t, chat, l, content);
    case CONTENT_LOG_HEADS:
        return log_heads_hear(c, t, content->body);
    case CONTENT_LOG_PROOF:
        TRY(log_proof_hear(c, t, content->body));
        return roster_retry(c, t, chat);
    case CONTENT_DEVICE_NEWS:
        if (chat->chat.kind != CHAT_KIND_DEVICES || l == NULL || !l->own_user ||
            l->state != ROSTER_VERIFIED)
            return ERR_OK;
        return devices_news(c, t, content->body);
    default:
        return message_note(c, t, &chat->chat.id, "something came that this version does not know");
    }
}

static struct err take_plaintext(struct core *c, struct db_txn *t, struct open_chat *chat,
                                 uint32_t leaf, const struct roster_leaf *l, struct bytes plaintext,
                                 uint64_t accepted_s, bool targeted)
{
    struct content content;
    struct message_row row = {.targeted = targeted};
    if (!err_is_ok(content_read(plaintext, &content)))
        return ERR_OK; /* a member's nonsense */
    fill_sender(l, &row);
    return take_content(c, t, chat, leaf, l, &content, &row, accepted_s);
}

struct err receive_content(struct core *c, struct db_txn *t, struct open_chat *chat,
                           uint32_t sender_leaf, uint64_t epoch, struct bytes plaintext,
                           uint64_t accepted_s, bool targeted)
{
    (void)epoch;
    return take_plaintext(c, t, chat, sender_leaf, roster_find(chat->roster, sender_leaf),
                          plaintext, accepted_s, targeted);
}

/* ---- decrypting */

/* With the group, or with one of before a resync, whose used keys are gone then, too. */
static struct err decrypt(struct core *c, struct db_txn *t, struct open_chat *chat,
                          const struct mls_client *client, struct bytes message,
                          struct mls_received *received)
{
    struct err err = group_process(chat->group, client, message, received);
    for (size_t n = 0; n < BEFORE_MAX && !err_is_ok(err) && !is_ours(err); n++) {
        struct mls_group *before = NULL;
        struct err there = before_get(c, t, chat, n, &before);
        if (there.code == ERR_NOT_FOUND)
            break;
        TRY(there);
        struct err old = group_process(before, client, message, received);
        if (err_is_ok(old))
            old = before_put(c, t, &chat->chat.id, n, before);
        err = err_is_ok(old) || is_ours(old) ? old : err;
        group_free(before);
    }
    return err;
}

static struct err told_lost(struct core *c, struct db_txn *t, struct open_chat *chat,
                            struct err err)
{
    switch (err.code) {
    case ERR_MLS_OWN_MESSAGE:
        return ERR_OK;
    case ERR_MLS_EPOCH_GONE:
        return receive_event(c, t, chat, HEARTH_EVENT_LOSS, 1,
                             "a message is of a time that this device was not in the group");
    default:
        return receive_event(c, t, chat, HEARTH_EVENT_LOSS, 1, "a message could not be decrypted");
    }
}

struct err receive_message(struct core *c, struct db_txn *t, struct open_chat *chat,
                           const struct delivery_item *item)
{
    struct mls_received received = {0};
    struct mls_client client = chat->client;
    uint64_t epoch;
    struct err err = receive_epoch(item->body, &epoch);
    if (!err_is_ok(err))
        return is_ours(err) ? err : told_lost(c, t, chat, err);
    if (epoch > group_epoch(chat->group)) {
        TRY(hold_item(c, t, chat, item));
        return receive_missed(c, t, chat);
    }
    client.policy = mls_policy_at(item->accepted_s);
    err = decrypt(c, t, chat, &client, item->body, &received);
    if (err_is_ok(err) && received.type != MLS_RECEIVED_APPLICATION) {
        mls_received_clear(&received); /* handshake messages are public here */
        return told_lost(c, t, chat, ERR(MLS_CONTENT_SENDER));
    }
    if (err.code == ERR_CRYPTO_TAG && epoch == group_epoch(chat->group))
        return head_forked(c, t, chat);
    if (!err_is_ok(err))
        return is_ours(err) ? err : told_lost(c, t, chat, err);
    const struct roster_leaf *l = sender_of(chat, received.sender.index, received.sender_leaf);
    uint8_t pseudonym[PSEUDONYM_BYTES];
    struct head_from from = {.epoch = received.epoch};
    struct bytes content;
    if (pseudonym_of(received.sender_leaf, pseudonym))
        from.pseudonym = pseudonym;
    err = head_take(c, t, chat, &from, received.application_data, &content);
    if (err_is_ok(err))
        err =
            take_plaintext(c, t, chat, received.sender.index, l, content, item->accepted_s, false);
    mls_received_clear(&received);
    return err_is_ok(err) ? chat_save(c, t, chat) : err;
}
