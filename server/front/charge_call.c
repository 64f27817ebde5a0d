/* Paying for a call whose effect is no transaction of its own (charge.h). */
#include <stdlib.h>

#include "server/front/charge.h"

struct paying {
    struct charge_till till;
    struct hearth_call *call; /* NULL: over */
    struct inbox *inbox;
    uint64_t principal;
    void (*then)(struct hearth_call *call, void *arg);
    void *arg;
    struct charge charge;
};

static void end(struct paying *p, struct err result)
{
    struct hearth_call *call = p->call;
    if (call != NULL)
        hearth_call_on_cancel(call, NULL, NULL);
    if (call != NULL && !err_is_ok(result)) {
        (void)charge_fail(call, &p->charge, result);
        call = NULL;
    }
    p->then(call, p->arg);
    charge_clear(&p->charge);
    p->till.unref(p->till.service);
    free(p);
}

static void on_cancel(struct hearth_call *call, void *arg)
{
    ((struct paying *)arg)->call = NULL;
    (void)front_fail(call, ERR(CANCELLED));
}

static struct err run_take(struct store_txn *txn, void *arg)
{
    struct paying *p = arg;
    return charge_take(txn, &p->till.purse, &p->charge);
}

static void taken(void *arg, struct err result)
{
    end(arg, result);
}

static struct err run_check(struct store_txn *txn, void *arg)
{
    struct paying *p = arg;
    return charge_check(txn, &p->till.purse, &p->charge);
}

static void checked(void *arg, struct err result)
{
    struct paying *p = arg;
    const struct store_work take = {
        .principal = p->principal, .cost = 2, .run = run_take, .done = taken, .arg = p};
    if (err_is_ok(result) && p->call == NULL)
        result = ERR(CANCELLED); /* nothing was spent yet */
    if (err_is_ok(result))
        result = p->till.submit(p->till.service, true, p->inbox, &take);
    if (!err_is_ok(result))
        end(p, result);
}

enum hearth_code charge_call(struct hearth_call *call, const struct charge_till *till,
                             struct charge *charge,
                             void (*then)(struct hearth_call *call, void *arg), void *arg)
{
    struct paying *p = malloc(sizeof *p);
    if (p == NULL) {
        charge_clear(charge);
        return front_fail(call, ERR(NO_MEMORY));
    }
    *p = (struct paying){.till = *till,
                         .principal = front_caller(call)->principal,
                         .then = then,
                         .arg = arg,
                         .charge = *charge};
    *charge = (struct charge){0};
    till->ref(till->service);
    const struct store_work look = {
        .principal = p->principal, .cost = 1, .run = run_check, .done = checked, .arg = p};
    struct err err = front_inbox(p->charge.front, hearth_call_loop(call), &p->inbox);
    if (err_is_ok(err))
        err = till->submit(till->service, false, p->inbox, &look);
    if (!err_is_ok(err)) {
        end(p, err); /* of no call yet */
        return front_fail(call, err);
    }
    p->call = call;
    hearth_call_on_cancel(call, on_cancel, p);
    return HEARTH_LATER;
}
