/* From what came to what may go out: SendMessage. */
#ifndef SERVER_DELIVERY_CHECK_H
#define SERVER_DELIVERY_CHECK_H

#include "server/delivery/request.h"

/* Decoded, not looked at. */
struct send_in {
    struct bytes message;
    bool notify;
    const uint32_t *mentioned; /* leaves */
    size_t mentioned_count;
};
/* A PrivateMessage with application content of this group and its present epoch. The server can't
 * see more of it (RFC 9420 6.3): who wrote it is what the request's signature says. */
struct send_ok {
    struct bytes message;
    struct fanout_how how; /* mentions: leaves that are there */
};
/* ERR_NOT_FOUND for a mention of nobody, ERR_DELIVERY_CONTENT, ERR_DELIVERY_EPOCH, ERR_TOO_LARGE,
 * those of the codec. */
CHECKED struct err send_check(const struct request *r, const struct send_in *in,
                              struct send_ok *ret_ok);

/* A member was heard: writes the month into its leaf, and the state, if it is another one. Each
 * leaf's months begin on a day of their own, given by its pseudonym, so that a large group does not
 * write its state a thousand times on one day; what is written is at most a month behind, which
 * access_is_silent() allows for. Gives way where others change the state at the same time. */
CHECKED struct err request_touch(struct request *r);

#endif
