/* Rows of logs, as people's clients have them. */
#ifndef UNIT_CLIENT_CORE_LOGS_H
#define UNIT_CLIENT_CORE_LOGS_H

#include "client/core/log_inside.h"

#include "client/core/contact.h"
#include "client/core/task.h"
#include "seal/system_keys.h"
#include "unit/client/core/friends.h"

struct reading {
    const char *domain;
    struct bytes label;
    struct log log;
    struct log_label *l;
};

static struct err read_log_rows(struct core *c, struct db_txn *t, void *arg)
{
    struct reading *r = arg;
    (void)c;
    TRY(log_get(t, r->domain, &r->log));
    return r->label.len > 0 ? log_label_get(t, r->domain, r->label, &r->l) : ERR_OK;
}

__attribute__((unused)) static struct reading reading_of(struct person *p, struct bytes label)
{
    struct reading r = {.domain = "a.test", .label = label};
    assert_ok(core_look(p->core, read_log_rows, &r));
    return r;
}

__attribute__((unused)) static void reading_end(struct reading *r)
{
    log_clear(&r->log);
    log_label_free(r->l);
}

__attribute__((unused)) static struct buf user_label(struct person *p)
{
    struct buf label = BUF_INIT;
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, buf_view(&p->core->account.user_id));
    assert_ok(buf_check(&label));
    return label;
}

/* Of a.test, as GetKeys's answer left it (client/core/log_keys.c). */
__attribute__((unused)) static const char keys_row[] = "log-keysa.test";

#endif
