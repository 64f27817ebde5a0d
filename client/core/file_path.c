/* Paths that a task keeps, whatever becomes of the working directory. */
#include "client/core/file_inside.h"

#include <stdlib.h>
#include <unistd.h>

struct err file_path(const char *path, char ret_path[FILE_PATH_BYTES])
{
    size_t len = strlen(path), at = 0;
    if (len == 0)
        return ERR(CLIENT_FILE);
    if (path[0] != '/') {
        if (getcwd(ret_path, FILE_PATH_BYTES) == NULL)
            return ERR(CLIENT_FILE);
        at = strlen(ret_path);
        if (at + 1 >= FILE_PATH_BYTES)
            return ERR(CLIENT_FILE);
        ret_path[at++] = '/';
    }
    if (at + len + FILE_PART_SUFFIX_BYTES >= FILE_PATH_BYTES)
        return ERR(CLIENT_FILE);
    memcpy(ret_path + at, path, len + 1);
    return ERR_OK;
}

void file_end(struct core *c, uint64_t task, struct err err, const struct hearth_status *status)
{
    static const struct hearth_status ok;
    const struct file_verdict verdict = {.err = err};
    /* with a verdict it is over; without one the engine looks at the status */
    bool judged = status == NULL || (!err_is_ok(err) && !err_retry(err));
    if (judged)
        task_stream_done(c, task, &ok, &verdict.base);
    else
        task_stream_done(c, task, status, NULL);
}

struct err file_verdict_of(const struct task_answer *answer)
{
    return ((const struct file_verdict *)(const void *)answer->out)->err;
}
