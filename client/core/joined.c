/* Friends: who accepted our offer, once it is known who he is (TASK_JOINED), and what both sides do
 * then.
 *
 *     body of the task    struct { uint32 leaf; }
 */
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/log.h"
#include "client/core/mutual.h"
#include "client/core/offer.h"
#include "client/core/roster.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* ---- from here on a friend */

static struct err tell_key_sets(struct core *c, struct db_txn *t, const struct hearth_id *chat)
{
    struct buf chain = BUF_INIT;
    uint8_t id[16];
    uint64_t task;
    struct err err = own_key_sets_write(c, t, &chain);
    if (err_is_ok(err))
        err = rng_fill(c->rng, id, sizeof id);
    if (err_is_ok(err)) {
        const struct content content = {
            .kind = CONTENT_KEY_SET, .id = id, .sent_ms = core_now_ms(c), .body = buf_view(&chain)};
        err = group_send(c, t, chat, &content, 0, &task);
    }
    buf_clear(&chain);
    return err;
}

static struct err add_our_devices(struct core *c, struct db_txn *t, const struct contact *contact)
{
    const struct commit_wish wish = {.add_devices = true};
    uint64_t task;
    return devices_count(c) > 1 ? group_wish(c, t, &contact->chat, &wish, &task) : ERR_OK;
}

struct err contact_befriend(struct core *c, struct db_txn *t, struct contact *contact)
{
    struct hearth_id other;
    bool mutual;
    TRY(contact_forget_offers(t, contact));
    TRY(mutual_find(c, t, contact, &other, &mutual));
    contact->state = HEARTH_CONTACT_FRIEND;
    TRY(contact_put(c, t, contact));
    TRY(devices_tell_contact(c, t, contact));
    TRY(friendship_send(c, t, contact));
    TRY(tell_key_sets(c, t, &contact->chat));
    TRY(log_heads_say(c, t, &contact->chat));
    TRY(add_our_devices(c, t, contact));
    return mutual ? mutual_settle(c, t, contact, &other) : ERR_OK;
}

/* ---- who came */

static struct err take_user(struct core *c, struct db_txn *t, struct contact *contact,
                            const struct roster_leaf *leaf)
{
    struct buf waited = contact->key_sets;
    contact->key_sets = BUF_INIT;
    buf_clear(&contact->user_id);
    buf_append(&contact->user_id, leaf->client_id, leaf->client_id_len - UUID_BYTES);
    struct err err = buf_check(&contact->user_id);
    if (err_is_ok(err) && waited.len > 0)
        err = contact_key_sets(c, t, contact, buf_view(&waited));
    buf_clear(&waited);
    return err;
}

/* Whoever has the offer but not his name on it does not stay. */
static struct err turn_away(struct core *c, struct db_txn *t, struct contact *contact,
                            const struct roster_leaf *leaf)
{
    const struct commit_wish wish = {.remove = &leaf->user_pseudonym, .remove_count = 1};
    uint64_t task;
    TRY(contact_event(c, t, HEARTH_EVENT_UNVERIFIED, contact,
                      "whoever accepted does not show who he is"));
    return group_wish(c, t, &contact->chat, &wish, &task);
}

static struct err welcome(struct core *c, struct db_txn *t, struct contact *contact,
                          const struct roster_leaf *leaf, struct open_chat *chat)
{
    struct roster_leaf his = *leaf; /* the roster may move; nothing owned is used */
    if (his.own_user || his.client_id_len <= UUID_BYTES)
        return turn_away(c, t, contact, &his);
    TRY(take_user(c, t, contact, &his));
    contact->handle_proved = true; /* the handle's key vouched for the package that he could open */
    chat->chat.state = HEARTH_CHAT_OPEN;
    TRY(chat_save(c, t, chat));
    TRY(contact_befriend(c, t, contact));
    TRY(contacts_changed(c, t)); /* the roster learns whose leaf it is */
    return contact_event(c, t, HEARTH_EVENT_CONTACT_ACCEPTED, contact, "");
}

/* ret_later: not known yet who he is. */
static struct err try_joined(struct core *c, struct db_txn *t, const struct hearth_id *id,
                             uint32_t leaf_index, bool *ret_later)
{
    struct contact contact = {0};
    struct open_chat *chat;
    *ret_later = false;
    struct err err = contact_get(c, t, id, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    err = chat_open(c, t, &contact.chat, &chat);
    const struct roster_leaf *leaf = err_is_ok(err) ? roster_find(chat->roster, leaf_index) : NULL;
    if (leaf == NULL || contact.state != HEARTH_CONTACT_ASKED)
        err = err.code == ERR_NOT_FOUND ? ERR_OK : err;
    else if (leaf->state == ROSTER_PENDING)
        *ret_later = true;
    else if (leaf->state == ROSTER_VERIFIED)
        err = welcome(c, t, &contact, leaf, chat);
    else
        err = turn_away(c, t, &contact, leaf);
    contact_clear(&contact);
    return err;
}

struct err contact_joined(struct core *c, struct db_txn *t, struct chat *chat, uint32_t leaf)
{
    struct hearth_id contact = chat->contact;
    struct buf body = BUF_INIT;
    uint64_t task;
    bool later;
    TRY(try_joined(c, t, &contact, leaf, &later));
    if (!later)
        return ERR_OK;
    wire_write_u32(&body, leaf);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_JOINED, NULL, &contact, buf_view(&body), &task);
    buf_clear(&body);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    uint32_t leaf = wire_read_u32(&r);
    bool later;
    (void)call;
    TRY(wire_reader_end(&r));
    TRY(try_joined(c, t, &task->subject, leaf, &later));
    *ret_next = later ? TASK_NEXT_WAIT : TASK_NEXT_DONE; /* woken when keys have come */
    return ERR_OK;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c, (void)t, (void)task, (void)answer;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

const struct task_steps task_steps_JOINED = {.prepare = prepare, .settle = settle};
