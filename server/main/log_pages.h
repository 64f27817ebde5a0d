/* The log by plain HTTP for who knows C2SP and nothing of us: /checkpoint, /tile/L/N,
 * /tile/entries/N; and this homeserver as a witness of its peers' logs (C2SP tlog-witness):
 * POST /witness/v1/add-checkpoint, GET /witness/v1/HASH/checkpoint. A thread and a loop of its own,
 * so that who asks much makes those wait who ask the same, and nobody else. Without TLS and limits
 * of its own: for a proxy, or a network that is trusted.
 */
#ifndef SERVER_MAIN_LOG_PAGES_H
#define SERVER_MAIN_LOG_PAGES_H

#include "server/federation/federation.h"
#include "server/transparency/transparency.h"

struct log_pages;

/* Errors of page_server_many. Log and federation are borrowed. */
CHECKED struct err log_pages_open(struct transparency *t, struct federation *f, const char *address,
                                  struct log_pages **ret_pages);
/* Before the log or the federation is closed. NULL is fine. */
void log_pages_close(struct log_pages *pages);

#endif
