#include "client/core/log_receipt.h"

#include <stdlib.h>

#include "client/core/log_inside.h"
#include "seal/key_set.h"

static struct err keep(struct db_txn *t, struct log_label *l, const struct key_set *set,
                       struct bytes key_set, struct bytes proof)
{
    if (l->receipt.len > 0 && l->receipt_version > set->version)
        return ERR_OK;
    buf_clear(&l->receipt);
    buf_clear(&l->receipt_value);
    buf_append_bytes(&l->receipt, proof);
    buf_append_bytes(&l->receipt_value, key_set);
    l->receipt_version = set->version;
    l->receipt_shown = false;
    TRY(buf_check(&l->receipt));
    TRY(buf_check(&l->receipt_value));
    return log_label_put(t, l);
}

struct err log_receipt_take(struct core *c, struct db_txn *t, struct bytes key_set,
                            struct bytes proof)
{
    const char *domain = c->account.domain;
    struct log_label *l = NULL;
    if (proof.len == 0 || proof.len > LOG_RECEIPT_MAX_BYTES)
        return ERR_OK;
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(key_set, set);
    if (err_is_ok(err))
        err = log_label_get(t, domain, set->label, &l);
    if (err.code == ERR_NOT_FOUND)
        err = log_label_new(domain, set->label, &l);
    if (err_is_ok(err))
        err = keep(t, l, set, key_set, proof);
    log_label_free(l);
    free(set);
    return err;
}

struct err log_receipt_read(const struct log *log, const struct log_label *l,
                            struct log_receipt *ret_receipt)
{
    const struct kt_own own = {.label = buf_view(&l->label)};
    if (l->receipt.len == 0)
        return ERR(NOT_FOUND);
    TRY(log_config_view(&log->view.config, &ret_receipt->view));
    TRY(update_response_parse(buf_view(&l->receipt), &ret_receipt->response));
    /* when it was given was then: how old it may be is not asked */
    return kt_verify_update(&ret_receipt->view, &own, l->receipt_version,
                            buf_view(&l->receipt_value), ret_receipt->response.pair.entry.timestamp,
                            buf_view(&l->receipt), &ret_receipt->result);
}

struct err log_receipt_view(const struct log *log, const struct log_label *l,
                            struct kt_view *ret_view)
{
    if (l->receipt.len == 0)
        return ERR(NOT_FOUND);
    struct update_response *response = malloc(sizeof *response);
    struct err err =
        response != NULL ? log_config_view(&log->view.config, ret_view) : ERR(NO_MEMORY);
    if (err_is_ok(err))
        err = update_response_parse(buf_view(&l->receipt), response);
    if (err_is_ok(err))
        err = kt_view_head(ret_view, response->checkpoint, &response->consistency);
    free(response);
    return err;
}

static struct err drop(struct core *c, struct db_txn *t, const struct log *log, struct log_label *l,
                       struct err why)
{
    buf_clear(&l->receipt);
    buf_clear(&l->receipt_value);
    TRY(log_label_put(t, l));
    return log_alarm(c, t, NULL, 0,
                     "%s proves a change of yours with a receipt that does not hold: %s",
                     log->domain, err_text(why));
}

struct err log_receipt_due(struct core *c, struct db_txn *t, const struct log *log,
                           struct log_label *l, bool *ret_due)
{
    *ret_due = false;
    if (log->state != LOG_HELD || log->distrusted || l->receipt.len == 0 || l->receipt_shown)
        return ERR_OK;
    struct log_receipt *receipt = malloc(sizeof *receipt);
    if (receipt == NULL)
        return ERR(NO_MEMORY);
    struct err err = log_receipt_read(log, l, receipt);
    free(receipt);
    *ret_due = err_is_ok(err);
    enum err_class class = err_class_of(err);
    if (!err_is_ok(err) && (class == ERR_CLASS_PEER || class == ERR_CLASS_CALLER))
        return drop(c, t, log, l, err);
    return err;
}
