/* Saying no to who asks (TASK_REFUSE), and hearing it. */
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/offer.h"
#include "hearth/v1/delivery_rpc.h"
#include "wire/writer.h"

/* ---- the verb. Nobody waits for the answer: for us he is gone at once.
 *
 *     body    the request, packed; its idempotency id is the task's
 */

static struct err make_request(struct core *c, const struct contact *contact, struct buf *packed)
{
    struct asks asks;
    struct offer_facts facts;
    struct offer_hashes hashes;
    struct buf sealed = BUF_INIT;
    uint8_t id_bytes[16];
    Hearth__V1__RefuseConnectionRequest in = HEARTH__V1__REFUSE_CONNECTION_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    Hearth__V1__GroupAccess access = HEARTH__V1__GROUP_ACCESS__INIT;
    TRY(rng_fill(c->rng, id_bytes, sizeof id_bytes));
    TRY(asks_read(buf_view(&contact->pending), &asks));
    TRY(offer_facts_of(asks.offer, &facts, &hashes));
    struct err err = offer_refusal_seal(c, bytes_of(facts.answer_key, 32), &hashes, &sealed);
    bytes_wipe(&hashes, sizeof hashes);
    if (err_is_ok(err)) {
        id.id = pb_of(bytes_of(id_bytes, sizeof id_bytes));
        access.group_id = pb_of(facts.group_id);
        access.state_key = pb_of(bytes_of(facts.state_key, STATE_KEY_BYTES));
        in.idempotency = &id;
        in.group = &access;
        in.sealed_answer = pb_of(buf_view(&sealed));
        err = core_pack(&in.base, packed);
    }
    buf_clear(&sealed);
    return err;
}

struct err contact_refuse(struct core *c, struct db_txn *t, const struct hearth_id *id,
                          uint64_t *ret_task)
{
    static const struct hearth_id nothing;
    struct contact contact = {0};
    struct buf packed = BUF_INIT;
    TRY(contact_get(c, t, id, &contact));
    bool may = contact.state == HEARTH_CONTACT_ASKS && hearth_id_equal(&contact.chat, &nothing);
    struct err err = may ? make_request(c, &contact, &packed) : ERR(CLIENT_CONTACT);
    contact_clear(&contact);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_REFUSE, NULL, id, buf_view(&packed), ret_task);
    buf_clear(&packed);
    TRY(err);
    return contact_give_up(c, t, id);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct domain_name group;
    (void)c, (void)t;
    Hearth__V1__RefuseConnectionRequest *in =
        hearth__v1__refuse_connection_request__unpack(NULL, task->body.len, task->body.data);
    if (in == NULL)
        return ERR(STORE_CORRUPT);
    struct err err =
        domain_name_parse(bytes_of(in->group->group_id.data, in->group->group_id.len), &group);
    if (err_is_ok(err))
        memcpy(call->domain, group.domain.data, group.domain.len);
    hearth__v1__refuse_connection_request__free_unpacked(in, NULL);
    TRY(err);
    call->anonymous = true;
    call->endpoint = api_endpoint("Delivery", "RefuseConnection");
    buf_append_bytes(&call->request, buf_view(&task->body));
    *ret_next = TASK_NEXT_CALL;
    return buf_check(&call->request);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)t;
    *ret_next = TASK_NEXT_DONE;
    if (answer->status->code == HEARTH_OK || answer->status->code == HEARTH_NOT_FOUND)
        return ERR_OK; /* he does not wait any more: as good */
    return task_step_refused(c, task, answer, ret_next);
}

const struct task_steps task_steps_REFUSE = {.prepare = prepare, .settle = settle};

/* ---- hearing it */

static struct err refused(struct core *c, struct db_txn *t, struct contact *contact)
{
    uint64_t task;
    TRY(contact_forget_offers(t, contact));
    contact->state = HEARTH_CONTACT_REFUSED;
    TRY(contact_put(c, t, contact));
    TRY(devices_tell_contact(c, t, contact));
    TRY(contact_event(c, t, HEARTH_EVENT_CONTACT_REFUSED, contact, ""));
    return group_delete_begin(c, t, &contact->chat, &task);
}

struct err contact_refused(struct core *c, struct db_txn *t, struct chat *chat, struct bytes sealed)
{
    struct contact contact = {0};
    struct asked asked = {0};
    bool is_refusal = false;
    struct hearth_id id = chat->contact;
    struct err err = contact_get(c, t, &id, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (contact.state == HEARTH_CONTACT_ASKED) {
        err = asked_read(buf_view(&contact.pending), &asked);
        if (err_is_ok(err)) {
            struct err opened = offer_refusal_open(&asked, sealed, &is_refusal);
            if (opened.code == ERR_NO_MEMORY)
                err = opened;
            else if (!err_is_ok(opened)) /* the server could bring anything */
                err = contact_event(c, t, HEARTH_EVENT_UNVERIFIED, &contact,
                                    "an answer that is none to our request");
        }
        if (err_is_ok(err) && is_refusal)
            err = refused(c, t, &contact);
    }
    asked_clear(&asked);
    contact_clear(&contact);
    return err;
}
