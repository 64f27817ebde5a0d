/* Is a homeserver's log witnessed (transparency.md 7): have those whom the person names cosigned
 * the checkpoint of the newest window's first entry, that of which heads and searches speak?
 *
 *     DB_SETTING "log-policy": the policy (tlog/policy.h), as it was given
 *     DB_SETTING "log-cosigned" domain: the newest such checkpoint that met the policy of then
 *
 * That is shown, and nothing hangs on it: whoever is shown another log than the witnesses is told
 * by comparing heads, too, only later. TASK_LOG_WITNESS asks for the checkpoint once a window has
 * begun, and again until the witnesses had the time to see it.
 */
#ifndef CLIENT_CORE_LOG_WITNESS_H
#define CLIENT_CORE_LOG_WITNESS_H

#include "client/core/log.h"
#include "tlog/policy.h"

/* For all logs from now on; empty: none. Errors of tlog_policy_parse, and nothing changes. */
CHECKED struct err log_witness_policy(struct core *c, struct db_txn *t, struct bytes text);
/* This log may have a newer window: leaves a task, where there is a policy. */
CHECKED struct err log_witness_begin(struct core *c, struct db_txn *t, const char *domain);

struct log_witnessed {
    bool judged;      /* there is a policy */
    uint64_t entries; /* of the newest checkpoint that meets it; 0: none that is known */
    char names[512];  /* of its witnesses who cosigned that, by the policy; cut */
};
CHECKED struct err log_witness_says(struct db_txn *t, const struct log *log,
                                    struct log_witnessed *ret_witnessed);

#endif
