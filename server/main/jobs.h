/* The thread that does what is in jobs.def. */
#ifndef SERVER_MAIN_JOBS_H
#define SERVER_MAIN_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct node;
struct jobs;

/* Jobs run first a little after the start, spread out. */
CHECKED struct err jobs_start(struct node *node, struct jobs **ret_jobs);
void jobs_stop(struct jobs *jobs); /* waits for the piece of work under way; NULL is fine */

/* How often each has run, for the status: calls say for each. */
void jobs_each(struct jobs *jobs, void (*say)(void *to, const char *name, uint64_t runs), void *to);

#endif
