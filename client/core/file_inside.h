/* What file_send.c and file_get.c share. */
#ifndef CLIENT_CORE_FILE_INSIDE_H
#define CLIENT_CORE_FILE_INSIDE_H

#include "client/core/file.h"
#include "client/core/op.h"
#include "client/core/task.h"

enum { FILE_PATH_BYTES = 4096, FILE_PART_SUFFIX_BYTES = 32 };

/* Absolute, with room for the suffix. ERR_CLIENT_FILE. */
CHECKED struct err file_path(const char *path, char ret_path[FILE_PATH_BYTES]);

/* How a transfer ended, from the stream to settle. */
struct file_verdict {
    ProtobufCMessage base; /* never looked at */
    struct err err;
};
/* status NULL: it is done, with err as the verdict. Otherwise an err that no repeat could mend is
 * the verdict, and the status is looked at by the engine. */
void file_end(struct core *c, uint64_t task, struct err err, const struct hearth_status *status);
struct err file_verdict_of(const struct task_answer *answer);

#endif
