/* The log by plain HTTP for who knows C2SP and nothing of us: /checkpoint, /tile/L/N,
 * /tile/entries/N. A thread and a loop of its own, so that who asks much makes those wait who ask
 * the same, and nobody else. Without TLS and limits of its own: for a proxy, or a network that is
 * trusted.
 */
#ifndef SERVER_MAIN_LOG_PAGES_H
#define SERVER_MAIN_LOG_PAGES_H

#include "server/transparency/transparency.h"

struct log_pages;

/* Errors of page_server_many. The log is borrowed. */
CHECKED struct err log_pages_open(struct transparency *t, const char *address,
                                  struct log_pages **ret_pages);
/* Before the log is closed. NULL is fine. */
void log_pages_close(struct log_pages *pages);

#endif
