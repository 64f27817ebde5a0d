/* Commits and proposals of others, and being unable to follow. */
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/group_data.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "crypto/hash.h"
#include "mls/codec/message.h"
#include "seal/leaf_credential.h"
#include "wire/reader.h"

enum { DECODE_FACTOR = 96, DECODE_FLOOR_BYTES = 64 * 1024 };

/* A message's framing, without its cryptography. */
static struct err parse(struct bytes message, struct arena *arena, struct mls_message *ret_message)
{
    arena_init(arena, message.len * DECODE_FACTOR + DECODE_FLOOR_BYTES);
    struct err err = mls_message_parse(message, arena, ret_message);
    if (err_is_ok(err) && ret_message->wire_format != WIRE_FORMAT_PUBLIC_MESSAGE &&
        ret_message->wire_format != WIRE_FORMAT_PRIVATE_MESSAGE)
        err = ERR(MLS_WIRE_FORMAT);
    if (!err_is_ok(err))
        arena_clear(arena);
    return err;
}

struct err receive_epoch(struct bytes message, uint64_t *ret_epoch)
{
    struct arena arena;
    struct mls_message m;
    TRY(parse(message, &arena, &m));
    *ret_epoch = m.wire_format == WIRE_FORMAT_PUBLIC_MESSAGE
                     ? m.public_message.content.content.epoch
                     : m.private_message.epoch;
    arena_clear(&arena);
    return ERR_OK;
}

static bool is_ours(struct err err)
{
    return err.code == ERR_NO_MEMORY || err.code == ERR_IO || err.code == ERR_INTERNAL;
}

/* ---- broken */

bool receive_expects(const struct open_chat *chat)
{
    return chat->chat.commit_task != 0 || chat->chat.state == HEARTH_CHAT_BROKEN ||
           chat->group == NULL || !group_is_active(chat->group);
}

struct err receive_broken(struct core *c, struct db_txn *t, struct open_chat *chat, uint64_t epoch,
                          const uint8_t *report, const char *why)
{
    uint64_t task;
    if (chat->chat.state != HEARTH_CHAT_BROKEN) {
        chat->chat.state = HEARTH_CHAT_BROKEN;
        chat->chat.broken_epoch = epoch;
        TRY(chat_save(c, t, chat));
        TRY(receive_event(c, t, chat, HEARTH_EVENT_CHAT_BROKEN, 0, why));
    }
    return resync_begin(c, t, &chat->chat.id, epoch, report, &task);
}

struct err receive_missed(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    uint64_t task;
    if (chat->chat.state == HEARTH_CHAT_BROKEN) /* on our way, or again */
        return resync_begin(c, t, &chat->chat.id, 0, NULL, &task);
    if (receive_expects(chat))
        return ERR_OK;
    return receive_broken(c, t, chat, group_epoch(chat->group) + 1, NULL,
                          "a change of the group did not arrive");
}

/* Something of an epoch that we have not come to. */
static struct err receive_ahead(struct core *c, struct db_txn *t, struct open_chat *chat,
                                const struct delivery_item *item)
{
    TRY(hold_item(c, t, chat, item));
    return receive_missed(c, t, chat);
}

/* ---- what a commit did */

static void push(struct chat_rotation list[CHAT_ROTATIONS], size_t *count, uint64_t epoch,
                 uint32_t leaf)
{
    *count -= *count == CHAT_ROTATIONS;
    memmove(list + 1, list, *count * sizeof *list);
    list[0] = (struct chat_rotation){epoch, leaf};
    ++*count;
}

void chat_committed(struct chat *chat, uint64_t epoch, uint32_t leaf)
{
    push(chat->committers, &chat->committer_count, epoch, leaf);
}

struct err receive_new_epoch(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    uint64_t task;
    TRY(roster_prune(c, t, chat));
    TRY(group_take_name(chat));
    /* our wish to leave was voided by a commit from outside: again */
    if (chat->chat.leaving) {
        chat->chat.leaving = false;
        TRY(group_leave_begin(c, t, &chat->chat.id, &task));
        chat->chat.leaving = true;
    }
    return receive_event(c, t, chat, HEARTH_EVENT_CHAT_CHANGED, 0, NULL);
}

/* Who goes, told before the roster forgets him; one line a user. */
static struct err note_removed(struct core *c, struct db_txn *t, const struct open_chat *chat,
                               const struct staged_commit *s)
{
    char name[80];
    bool resync = s->committer.type == SENDER_NEW_MEMBER_COMMIT;
    for (uint32_t i = 0; i < s->removed.count && !resync; i++) {
        const struct roster_leaf *l = roster_find(chat->roster, s->removed.at[i] / 2);
        if (l == NULL || l->own_user)
            continue;
        bool first = true;
        for (uint32_t j = 0; j < i; j++) {
            const struct roster_leaf *other = roster_find(chat->roster, s->removed.at[j] / 2);
            first &= other == NULL ||
                     memcmp(other->user_pseudonym, l->user_pseudonym, PSEUDONYM_BYTES) != 0;
        }
        if (!first)
            continue;
        TRY(group_member_name(c, t, chat, l->leaf, name));
        TRY(message_note(c, t, &chat->chat.id, "%s is no longer in the group", name));
    }
    return ERR_OK;
}

static struct err note_added(struct core *c, struct db_txn *t, const struct open_chat *chat,
                             const uint32_t *leaves, size_t count)
{
    char name[80];
    for (size_t i = 0; i < count; i++) {
        const struct roster_leaf *l = roster_find(chat->roster, leaves[i]);
        bool first = l != NULL && !l->own_user;
        for (size_t j = 0; first && j < chat->roster->count; j++) {
            const struct roster_leaf *o = &chat->roster->leaves[j];
            first = o->leaf >= l->leaf ||
                    memcmp(o->user_pseudonym, l->user_pseudonym, PSEUDONYM_BYTES) != 0;
        }
        if (!first)
            continue;
        TRY(group_member_name(c, t, chat, leaves[i], name));
        TRY(message_note(c, t, &chat->chat.id, "%s joined", name));
    }
    return ERR_OK;
}

/* What is remembered of a staged commit, which is gone after the merge. */
struct commit_facts {
    uint32_t committer;
    bool external, removes;
    uint32_t replaced; /* of a resync; UINT32_MAX: none */
    uint8_t replaced_user[CLIENT_ID_MAX_BYTES];
    size_t replaced_user_len;
    uint32_t added[256];
    size_t added_count;
    struct bytes external_pub_hash; /* of the commit's item */
};

static void facts_of(const struct open_chat *chat, const struct staged_commit *s,
                     struct commit_facts *f)
{
    *f = (struct commit_facts){.committer = s->committer_leaf,
                               .external = s->committer.type == SENDER_NEW_MEMBER_COMMIT,
                               .replaced = UINT32_MAX};
    f->removes = !f->external && s->removed.count > 0;
    if (f->external && s->removed.count > 0) {
        f->replaced = s->removed.at[0] / 2;
        const struct roster_leaf *l = roster_find(chat->roster, f->replaced);
        struct bytes user = l != NULL ? roster_user(l) : bytes_of(NULL, 0);
        if (user.len > 0)
            memcpy(f->replaced_user, user.data, user.len);
        f->replaced_user_len = user.len;
    }
    for (uint32_t i = 0; i < s->added.count && f->added_count < 256; i++)
        f->added[f->added_count++] = s->added.at[i] / 2;
}

/* Proposals from outside may only remove; external senders are the server (protocol.md 7). */
static bool has_foreign_proposal(const struct staged_commit *s)
{
    for (size_t i = 0; i < s->list_count; i++)
        if (s->list[i].sender.type == SENDER_EXTERNAL &&
            s->list[i].proposal->type != PROPOSAL_REMOVE)
            return true;
    return false;
}

/* ---- rights: the server checks them (protocol.md 7), and members hold it to that */

/* Whose pseudonym a leaf that is added claims, by the news that came along. */
static const uint8_t *claimed(struct bytes leaves, uint32_t leaf)
{
    struct wire_reader r = wire_reader_of(leaves);
    struct leaf_news news;
    while (wire_reader_more(&r)) {
        leaf_news_read(&r, &news);
        if (r.failure == ERR_NONE && news.leaf == leaf)
            return news.user_pseudonym;
    }
    return NULL;
}

static bool same_user(const uint8_t *a, const uint8_t *b)
{
    return a != NULL && b != NULL && memcmp(a, b, PSEUDONYM_BYTES) == 0;
}

static const uint8_t *user_of(const struct open_chat *chat, uint32_t leaf)
{
    const struct roster_leaf *l = roster_find(chat->roster, leaf);
    return l != NULL ? l->user_pseudonym : NULL;
}

/* Admins change everything; everybody adds and removes devices of his own, and only the server
 * proposes from outside. */
static bool is_allowed(const struct open_chat *chat, const struct staged_commit *s,
                       struct bytes leaves)
{
    uint32_t added = 0;
    for (size_t i = 0; i < s->list_count; i++) {
        const struct listed_proposal *p = &s->list[i];
        const uint8_t *by = p->sender.type == SENDER_MEMBER ? user_of(chat, p->sender.index) : NULL;
        bool admin = by != NULL && group_is_admin(chat, by);
        switch (p->proposal->type) {
        case PROPOSAL_ADD:
            if (!admin && !same_user(by, claimed(leaves, s->added.at[added] / 2)))
                return false;
            added++;
            break;
        case PROPOSAL_REMOVE:
            if (p->sender.type == SENDER_MEMBER && !admin &&
                !same_user(by, user_of(chat, p->proposal->remove)))
                return false;
            break;
        case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
            if (!admin)
                return false;
            break;
        case PROPOSAL_PSK:
        case PROPOSAL_EXTERNAL_INIT:
            break;
        default:
            return false; /* neither Updates nor a ReInit (docs/decisions/0011-groups.md) */
        }
    }
    return true;
}

static struct err take_news(struct core *c, struct db_txn *t, struct open_chat *chat,
                            struct bytes leaves, uint64_t accepted_s)
{
    struct wire_reader r = wire_reader_of(leaves);
    while (wire_reader_more(&r)) {
        struct leaf_news news;
        leaf_news_read(&r, &news);
        TRY(wire_reader_check(&r));
        if (news.leaf != group_own_leaf(chat->group))
            TRY(roster_news(c, t, chat, &news, accepted_s));
    }
    return ERR_OK;
}

/* Who came from outside is the one whose leaf he replaced, or the contact that was asked. */
static struct err check_external(struct core *c, struct db_txn *t, struct open_chat *chat,
                                 const struct commit_facts *f)
{
    const struct roster_leaf *l = roster_find(chat->roster, f->committer);
    if (!f->external || l == NULL)
        return ERR_OK;
    roster_from_outside(chat, f->committer);
    if (f->replaced != UINT32_MAX) {
        struct bytes before = bytes_of(f->replaced_user, f->replaced_user_len);
        if (l->state == ROSTER_VERIFIED && before.len > 0 && !bytes_equal(roster_user(l), before))
            return roster_refuse(c, t, chat, f->committer,
                                 "somebody took another member's place in the chat");
        return ERR_OK;
    }
    if (chat->chat.kind == HEARTH_CHAT_DIRECT && chat->chat.state == HEARTH_CHAT_STARTING)
        return contact_joined(c, t, &chat->chat, f->committer);
    return roster_refuse(c, t, chat, f->committer, "somebody joined the chat uninvited");
}

enum { TELLERS = 2 };

/* Who joined again may have skipped the messages that told him a group identity key: his own leaf
 * is wrapped under the newest that he has. The members of the lowest leaves tell him; two of them,
 * since one may be away for long. */
static struct err tell_who_came(struct core *c, struct db_txn *t, struct open_chat *chat,
                                const struct commit_facts *f)
{
    const struct roster_leaf *l = roster_find(chat->roster, f->committer);
    uint8_t key[IDENTITY_KEY_BYTES];
    size_t before_us = 0;
    if (f->replaced == UINT32_MAX || l == NULL)
        return ERR_OK;
    struct err err = identity_key_unwrap(chat->chat.identity_key, l->pseudonym,
                                         buf_view(&l->wrapped_identity_key), key);
    bytes_wipe(key, sizeof key);
    for (size_t i = 0; i < chat->roster->count; i++)
        before_us += chat->roster->leaves[i].leaf < group_own_leaf(chat->group) &&
                     chat->roster->leaves[i].leaf != f->committer;
    return err_is_ok(err) || before_us >= TELLERS ? ERR_OK : group_tell_identity_key(c, t, chat);
}

static struct err after_commit(struct core *c, struct db_txn *t, struct open_chat *chat,
                               const struct commit_facts *f, struct bytes leaves,
                               const struct delivery_item *item)
{
    if (f->removes)
        push(chat->chat.rotations, &chat->chat.rotation_count, group_epoch(chat->group),
             f->committer);
    chat_committed(&chat->chat, group_epoch(chat->group), f->committer);
    TRY(take_news(c, t, chat, leaves, item->accepted_s));
    TRY(check_external(c, t, chat, f));
    TRY(receive_new_epoch(c, t, chat));
    TRY(tell_who_came(c, t, chat, f));
    if (chat->chat.kind == HEARTH_CHAT_GROUP)
        TRY(note_added(c, t, chat, f->added, f->added_count));
    TRY(replace_info_check(c, t, chat, f->external_pub_hash));
    TRY(chat_save(c, t, chat));
    return held_replay(c, t, chat);
}

static struct err merge(struct core *c, struct db_txn *t, struct open_chat *chat,
                        struct mls_received *received, struct bytes leaves,
                        struct bytes external_pub_hash, const struct delivery_item *item)
{
    struct commit_facts facts;
    const struct staged_commit *s = mls_staged_view(received->staged);
    if (mls_staged_removes_us(received->staged)) {
        bool left = chat->chat.leaving;
        mls_staged_free(&received->staged); /* before the group that it looks into */
        return group_over(c, t, chat, left ? "you left the group" : "you were removed");
    }
    facts_of(chat, s, &facts);
    facts.external_pub_hash = external_pub_hash;
    if (chat->chat.kind == HEARTH_CHAT_GROUP)
        TRY(note_removed(c, t, chat, s));
    TRY(group_merge(chat->group, &received->staged));
    return after_commit(c, t, chat, &facts, leaves, item);
}

/* Whose signature is on it: only where the fault lies behind that. Else the homeserver may have
 * made it, and nobody is named. */
static void name_maker(struct open_chat *chat, struct bytes commit, struct err fault)
{
    struct arena arena;
    struct mls_message m;
    if ((fault.code != ERR_MLS_PATH_SECRET && fault.code != ERR_MLS_CONFIRMATION_TAG) ||
        !err_is_ok(parse(commit, &arena, &m)))
        return;
    if (m.wire_format == WIRE_FORMAT_PUBLIC_MESSAGE &&
        m.public_message.content.content.sender.type == SENDER_MEMBER)
        chat_committed(&chat->chat, group_epoch(chat->group) + 1,
                       m.public_message.content.content.sender.index);
    arena_clear(&arena);
}

/* The commit can't be processed: told to the server, and joined again. */
static struct err faulty(struct core *c, struct db_txn *t, struct open_chat *chat,
                         struct bytes commit, struct err fault)
{
    struct digest hash;
    name_maker(chat, commit, fault);
    hash_once(&hash_sha256, commit, &hash);
    return receive_broken(c, t, chat, group_epoch(chat->group) + 1, hash.data,
                          "a change of the group could not be followed");
}

struct err receive_commit(struct core *c, struct db_txn *t, struct open_chat *chat,
                          const struct delivery_item *item)
{
    struct bytes commit, hash, leaves;
    struct mls_received received = {0};
    struct mls_client client = chat->client;
    uint64_t epoch;
    if (!err_is_ok(delivery_commit_parse(item->body, &commit, &hash, &leaves)))
        return ERR_OK;
    struct err err = receive_epoch(commit, &epoch);
    if (is_ours(err))
        return err;
    if (err_is_ok(err) && epoch > group_epoch(chat->group))
        return receive_ahead(c, t, chat, item);
    /* of before; or, while broken, one that is joined past */
    if ((err_is_ok(err) && epoch < group_epoch(chat->group)) ||
        chat->chat.state == HEARTH_CHAT_BROKEN)
        return ERR_OK;
    client.policy = mls_policy_at(item->accepted_s);
    client.policy.any_resync = true; /* whose leaf it replaces the roster asks */
    if (err_is_ok(err))
        err = group_process(chat->group, &client, commit, &received);
    if (err_is_ok(err) && (received.type != MLS_RECEIVED_COMMIT ||
                           has_foreign_proposal(mls_staged_view(received.staged)) ||
                           !is_allowed(chat, mls_staged_view(received.staged), leaves)))
        err = ERR(CLIENT_NOT_ADMIN);
    if (err_is_ok(err))
        err = merge(c, t, chat, &received, leaves, hash, item);
    else if (!is_ours(err) && err.code != ERR_MLS_OWN_MESSAGE)
        err = faulty(c, t, chat, commit, err);
    mls_received_clear(&received);
    return err.code == ERR_MLS_OWN_MESSAGE ? ERR_OK : err;
}

/* ---- proposals */

static bool is_foreign(struct bytes message, uint32_t *ret_removed)
{
    struct arena arena;
    struct mls_message m;
    *ret_removed = UINT32_MAX;
    if (!err_is_ok(parse(message, &arena, &m)))
        return true;
    bool foreign = m.wire_format != WIRE_FORMAT_PUBLIC_MESSAGE ||
                   m.public_message.content.content.type != CONTENT_PROPOSAL ||
                   m.public_message.content.content.proposal.type != PROPOSAL_REMOVE;
    if (!foreign)
        *ret_removed = m.public_message.content.content.proposal.remove;
    arena_clear(&arena);
    return foreign;
}

static struct err note_proposal(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                enum delivery_reason reason, uint32_t leaf)
{
    char name[80];
    const char *why = reason == DELIVERY_REASON_LEAVES ? "leaves the group"
                      : reason == DELIVERY_REASON_INACTIVE
                          ? "was not heard of for long and is removed"
                      : reason == DELIVERY_REASON_GONE ? "is gone and is removed"
                                                       : "is removed by the homeserver";
    TRY(group_member_name(c, t, chat, leaf, name));
    return message_note(c, t, &chat->chat.id, "%s %s", name, why);
}

/* Removals alone are proposed here, by who leaves and by the server; others are not taken. */
struct err receive_proposal(struct core *c, struct db_txn *t, struct open_chat *chat,
                            const struct delivery_item *item)
{
    enum delivery_reason reason;
    struct bytes message;
    struct mls_received received = {0};
    struct mls_client client = chat->client;
    uint64_t epoch;
    uint32_t leaf;
    if (!err_is_ok(delivery_proposal_parse(item->body, &reason, &message)))
        return ERR_OK;
    struct err err = receive_epoch(message, &epoch);
    if (!err_is_ok(err))
        return is_ours(err) ? err : ERR_OK;
    if (epoch > group_epoch(chat->group))
        return receive_ahead(c, t, chat, item);
    if (epoch < group_epoch(chat->group) || chat->chat.state == HEARTH_CHAT_BROKEN)
        return ERR_OK;
    if (is_foreign(message, &leaf))
        return receive_event(c, t, chat, HEARTH_EVENT_UNVERIFIED, 0,
                             "the homeserver delivered a proposal that it may not");
    client.policy = mls_policy_at(item->accepted_s);
    err = group_process(chat->group, &client, message, &received);
    mls_received_clear(&received);
    if (!err_is_ok(err))
        return is_ours(err) ? err : ERR_OK; /* a commit that covers it will show */
    TRY(chat_save(c, t, chat));
    if (leaf == group_own_leaf(chat->group))
        return ERR_OK;
    if (chat->chat.kind == HEARTH_CHAT_GROUP)
        TRY(note_proposal(c, t, chat, reason, leaf));
    return group_cover(c, t, &chat->chat.id);
}
