#include "server/delivery/reservation.h"

#include "crypto/hash.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define RESERVATION_LABEL bytes_str("Hearth 1 reservation")

static struct bytes key_of(const struct delivery *d)
{
    return bytes_of(d->reservation_key, sizeof d->reservation_key);
}

struct err reservation_make(const struct delivery *d, struct buf *group_id,
                            uint8_t ret_reservation[RESERVATION_BYTES])
{
    uint8_t uuid[UUID_BYTES];
    struct digest mac;
    uint64_t expires_s = delivery_now_s(d) + delivery_limit(d, LIMIT_RESERVE_MINUTES) * 60;
    TRY(rng_fill(d->env.rng, uuid, sizeof uuid));
    domain_name_write(group_id, &(struct domain_name){uuid, bytes_str(d->env.domain)});
    TRY(buf_check(group_id));
    for (int i = 0; i < 8; i++)
        ret_reservation[i] = (uint8_t)(expires_s >> (56 - 8 * i));
    hmac_once(&hash_sha256, key_of(d),
              BYTES_LIST(RESERVATION_LABEL, bytes_of(ret_reservation, 8), buf_view(group_id)),
              &mac);
    memcpy(ret_reservation + 8, mac.data, mac.len);
    return ERR_OK;
}

struct err reservation_check(const struct delivery *d, struct bytes group_id,
                             struct bytes reservation)
{
    struct domain_name name;
    struct wire_reader r = wire_reader_of(reservation);
    struct bytes end = wire_read_fixed(&r, 8);
    struct bytes mac = wire_read_fixed(&r, 32);
    uint64_t expires_s = 0;
    if (!err_is_ok(wire_reader_end(&r)) ||
        !err_is_ok(hmac_verify(&hash_sha256, key_of(d),
                               BYTES_LIST(RESERVATION_LABEL, end, group_id), mac)))
        return ERR(DELIVERY_RESERVATION);
    for (int i = 0; i < 8; i++)
        expires_s = expires_s << 8 | end.data[i];
    if (delivery_now_s(d) >= expires_s || !err_is_ok(domain_name_parse(group_id, &name)) ||
        !bytes_equal(name.domain, bytes_str(d->env.domain)))
        return ERR(DELIVERY_RESERVATION);
    return ERR_OK;
}
