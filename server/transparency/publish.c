/* Values of the homeserver itself: whoever brings them waits, since nothing may be used before the
 * log has it. */
#include "server/transparency/service.h"

struct publish {
    const struct transparency *t;
    const struct transparency_value *values;
    size_t count;
    uint32_t versions[TRANSPARENCY_VALUES_MOST];
    bool fresh; /* something has to be offered */
};

/* The newest version has this value: in *ret_version; LADDER_NONE: it has not. */
static struct err find_same(const struct kt_log *log, struct store_txn *txn,
                            const struct transparency_value *value, uint32_t *ret_version)
{
    uint8_t id[AT_REST_ID_BYTES];
    kt_label_id(log, value->label, id);
    *ret_version = LADDER_NONE;
    uint32_t version;
    TRY(kt_version_greatest(log, txn, id, UINT64_MAX, &version));
    if (version == LADDER_NONE)
        return ERR_OK;
    struct err err = kt_log_has(log, txn, value->label, version, value->value);
    if (err_is_ok(err))
        *ret_version = version;
    return err.code == ERR_AUTH_LABEL_VERSION ? ERR_OK : err;
}

static struct err run_find(struct store_txn *txn, void *arg)
{
    struct publish *p = arg;
    p->fresh = false;
    for (size_t i = 0; i < p->count; i++) {
        TRY(find_same(p->t->options.log, txn, &p->values[i], &p->versions[i]));
        p->fresh |= p->versions[i] == LADDER_NONE;
    }
    return ERR_OK;
}

static struct err run_offer(struct store_txn *txn, void *arg)
{
    struct publish *p = arg;
    const struct kt_log *log = p->t->options.log;
    TRY(run_find(txn, p)); /* another may have been quicker */
    for (size_t i = 0; i < p->count; i++) {
        const struct transparency_value *value = &p->values[i];
        uint8_t id[AT_REST_ID_BYTES];
        uint32_t newest;
        uint64_t epoch;
        if (p->versions[i] != LADDER_NONE)
            continue;
        kt_label_id(log, value->label, id);
        TRY(kt_version_greatest(log, txn, id, UINT64_MAX, &newest));
        p->versions[i] = newest == LADDER_NONE ? 0 : newest + 1;
        TRY(kt_log_offer(log, txn, value->label, p->versions[i], value->value, &epoch));
    }
    return ERR_OK;
}

/* Are all in signed epochs? */
static struct err run_signed(struct store_txn *txn, void *arg)
{
    const struct publish *p = arg;
    const struct kt_log *log = p->t->options.log;
    bool is_signed;
    for (size_t i = 0; i < p->count; i++)
        TRY(kt_log_has(log, txn, p->values[i].label, p->versions[i], p->values[i].value));
    TRY(kt_log_signed(txn, &is_signed));
    return is_signed ? ERR_OK : ERR(NOT_FOUND);
}

struct err transparency_publish(struct transparency *t, const struct transparency_value *values,
                                size_t count)
{
    enum { EPOCHS_MOST = 64 };
    struct publish p = {.t = t, .values = values, .count = count};
    if (count > TRANSPARENCY_VALUES_MOST)
        return ERR(ARGUMENT);
    TRY(store_call_read(t->store, run_find, &p));
    if (!p.fresh)
        return ERR_OK;
    uint64_t epoch;
    TRY(transparency_tick_now(t, &epoch)); /* what a crash left waiting may be of these labels */
    TRY(store_call(t->store, run_offer, &p));
    for (unsigned i = 0; i < EPOCHS_MOST; i++) {
        TRY(transparency_tick_now(t, &epoch));
        struct err err = store_call_read(t->store, run_signed, &p);
        if (err.code != ERR_NOT_FOUND)
            return err;
    }
    return ERR(STORE_QUEUE_FULL);
}
