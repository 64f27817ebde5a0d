/* ReserveGroupId: stateless (reservation.h), so that reserving costs us nothing to remember (DoS3).
 */
#include "server/delivery/reservation.h"
#include "server/delivery/rpcs.h"

static struct err reserve(struct delivery *d, struct hearth_call *call,
                          Hearth__V1__ReserveGroupIdResponse *out)
{
    uint8_t reservation[RESERVATION_BYTES];
    struct buf group_id = BUF_INIT;
    TRY(limit_take(front_limits(d->env.front), LIMIT_RESERVE_PREFIX, front_caller(call)->source, 1,
                   NULL));
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

enum hearth_code reserve_group_id(struct delivery *d, struct hearth_call *call,
                                  Hearth__V1__ReserveGroupIdResponse *out)
{
    struct err err = reserve(d, call, out);
    return err_is_ok(err) ? HEARTH_OK : front_fail(call, err);
}
