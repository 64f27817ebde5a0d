/* Group ids reserved without keeping any (DoS3): a fresh id, and a MAC over it and its end.
 *
 *     reservation = struct { uint64 expires_s; opaque mac[32]; }
 *     mac = HMAC-SHA256(KEEPER_RESERVATION, "Hearth 1 reservation" || expires_s || GroupId)
 */
#ifndef SERVER_RESERVATION_H
#define SERVER_RESERVATION_H

#include "server/delivery/delivery_inside.h"

enum { RESERVATION_BYTES = 8 + 32 };

/* Appends a fresh GroupId of our domain to group_id. */
CHECKED struct err reservation_make(const struct delivery *d, struct buf *group_id,
                                    uint8_t ret_reservation[RESERVATION_BYTES]);
/* ERR_DELIVERY_RESERVATION. */
CHECKED struct err reservation_check(const struct delivery *d, struct bytes group_id,
                                     struct bytes reservation);

#endif
