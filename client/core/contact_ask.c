/* Asking a handle for a connection, the verb: a contact that was asked, a chat for the two of us,
 * and TASK_CONNECT (connect.c), which waits for the chat's group. */
#include "client/core/chat.h"
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/offer.h"
#include "client/core/task.h"

static struct err may_ask(struct core *c, struct db_txn *t, const char *handle)
{
    struct hearth_id id;
    struct contact other = {0};
    struct err err = contact_by_handle(c, t, handle, &id);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    TRY(contact_get(c, t, &id, &other));
    /* who asks us by that name only says so: we may ask the handle itself */
    bool may = other.state != HEARTH_CONTACT_ASKED && other.state != HEARTH_CONTACT_FRIEND;
    contact_clear(&other);
    return may ? ERR_OK : ERR(CLIENT_CONTACT);
}

static struct err fill(struct core *c, const char *handle, struct contact *contact)
{
    struct asked asked = {0};
    if (strlen(handle) > HANDLE_TEXT_MAX_BYTES)
        return ERR(ARGUMENT);
    memcpy(contact->handle, handle, strlen(handle) + 1);
    contact->state = HEARTH_CONTACT_ASKED;
    TRY(core_random_id(c, &contact->id));
    TRY(rng_fill(c->rng, contact->contact_id, sizeof contact->contact_id));
    TRY(kem_generate(seal_hpke->kem, c->rng, &asked.answer_private, &asked.answer_public));
    asked_write(&contact->pending, &asked);
    asked_clear(&asked);
    return buf_check(&contact->pending);
}

static struct err ask(struct core *c, struct db_txn *t, struct contact *contact, uint64_t *ret_task)
{
    uint64_t created;
    uint8_t lane[16];
    TRY(contact_put(c, t, contact)); /* the chat looks for it */
    TRY(group_create_begin(c, t, HEARTH_CHAT_DIRECT, NULL, &contact->id, &contact->chat, &created));
    TRY(contact_put(c, t, contact));
    TRY(devices_tell_contact(c, t, contact));
    chat_lane(&contact->chat, CHAT_LANE, lane);
    return task_add(c, t, TASK_CONNECT, lane, &contact->id,
                    bytes_of(contact->id.bytes, sizeof contact->id.bytes), ret_task);
}

struct err contact_ask(struct core *c, struct db_txn *t, const char *handle,
                       struct hearth_id *ret_contact, uint64_t *ret_task)
{
    struct contact contact = {0};
    struct bytes local, domain;
    char own[HANDLE_TEXT_MAX_BYTES + 1] = "";
    TRY(handle_split(handle, &local, &domain));
    if (!c->account.registered)
        return ERR(WRONG_STATE);
    TRY(handle_own(c, t, own));
    if (strcmp(own, handle) == 0)
        return ERR(ARGUMENT);
    TRY(may_ask(c, t, handle));
    struct err err = fill(c, handle, &contact);
    if (err_is_ok(err))
        err = ask(c, t, &contact, ret_task);
    if (err_is_ok(err))
        *ret_contact = contact.id;
    contact_clear(&contact);
    return err;
}
