/* ReserveGroupId: stateless (reservation.h), so that reserving costs us nothing to remember (DoS3).
 * Where it costs tokens these are marked first, which is all that it writes. */
#include "server/delivery/reservation.h"
#include "server/delivery/rpcs.h"

static struct err reserve(struct delivery *d, struct hearth_call *call,
                          Hearth__V1__ReserveGroupIdResponse *out)
{
    uint8_t reservation[RESERVATION_BYTES];
    struct buf group_id = BUF_INIT;
    struct err err = reservation_make(d, &group_id, reservation);
    uint8_t *id = err_is_ok(err) ? hearth_call_alloc(call, group_id.len) : NULL;
    uint8_t *proof = err_is_ok(err) ? hearth_call_alloc(call, sizeof reservation) : NULL;
    if (id != NULL && proof != NULL) {
        memcpy(id, group_id.data, group_id.len);
        memcpy(proof, reservation, sizeof reservation);
        out->group_id = (ProtobufCBinaryData){group_id.len, id};
        out->reservation = (ProtobufCBinaryData){sizeof reservation, proof};
    } else if (err_is_ok(err)) {
        err = ERR(NO_MEMORY);
    }
    buf_clear(&group_id);
    return err;
}

/* ---- paying */

static void paid(struct hearth_call *call, void *arg)
{
    struct delivery *d = arg;
    if (call == NULL)
        return;
    Hearth__V1__ReserveGroupIdResponse out;
    hearth__v1__reserve_group_id_response__init(&out);
    struct err err = reserve(d, call, &out);
    if (err_is_ok(err))
        hearth_delivery_reserve_group_id_reply(call, &out);
    else
        (void)front_fail(call, err);
}

static void ref(void *service)
{
    (void)delivery_ref(service);
}

static void unref(void *service)
{
    delivery_unref(service);
}

static struct err submit(void *service, bool write, struct inbox *inbox,
                         const struct store_work *work)
{
    return delivery_submit(service, write, inbox, work);
}

enum hearth_code reserve_group_id(struct delivery *d, struct hearth_call *call,
                                  Hearth__V1__ReserveGroupIdResponse *out)
{
    struct charge charge;
    struct err err = limit_take(front_limits(d->env.front), LIMIT_RESERVE_PREFIX,
                                front_caller(call)->source, 1, NULL);
    if (!err_is_ok(err))
        return front_fail(call, err);
    charge_begin(d->env.front, call, PASS_DELIVERY, &charge);
    const struct charge_till till = {delivery_purse(d), d, ref, unref, submit};
    if (charge_owes(&charge))
        return charge_call(call, &till, &charge, paid, d);
    err = reserve(d, call, out);
    return err_is_ok(err) ? HEARTH_OK : front_fail(call, err);
}
