/* What the files about homeservers share. */
#ifndef CLIENT_CORE_HOMESERVER_INSIDE_H
#define CLIENT_CORE_HOMESERVER_INSIDE_H

#include "client/core/homeserver.h"

/* The row as it is; zero where there is none. */
CHECKED struct err homeserver_row(struct db_txn *t, const char *domain, struct homeserver *ret);
CHECKED struct err homeserver_put(struct db_txn *t, const char *domain, const struct homeserver *h);
/* The lane in which the keys of a domain are fetched. */
void homeserver_lane(const char *domain, uint8_t ret_lane[16]);
/* Was it fetched once, longer ago than a day? */
bool homeserver_is_stale(const struct core *c, const struct homeserver *h);
/* Is this ClientCredential on its list? */
bool homeserver_has_revoked(const struct homeserver *h, struct bytes credential);
/* What it sent last did not verify, or it did not say: when it may be asked again; 0: now. */
uint64_t homeserver_again_ms(const struct core *c, const struct homeserver *h);
/* homeserver_news.c: every chat's roster is tried again. */
CHECKED struct err homeserver_news(struct core *c, struct db_txn *t);
/* Another revocation list came: leaves whose credential is on it now are unverified. */
CHECKED struct err homeserver_revoked(struct core *c, struct db_txn *t, const char *domain);

#endif
