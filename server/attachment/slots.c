#include "server/attachment/slots.h"

struct err slots_take(struct slots *slots, unsigned most, bool control, unsigned bin)
{
    unsigned share = most / SLOTS_SHARE > 0 ? most / SLOTS_SHARE : 1;
    if (control)
        share = most;
    if (atomic_fetch_add(&slots->bins[bin], 1) < share) {
        if (atomic_fetch_add(&slots->all, 1) < most)
            return ERR_OK;
        atomic_fetch_sub(&slots->all, 1);
    }
    atomic_fetch_sub(&slots->bins[bin], 1);
    return ERR(FRONT_OVERLOAD);
}

void slots_give(struct slots *slots, unsigned bin)
{
    atomic_fetch_sub(&slots->all, 1);
    atomic_fetch_sub(&slots->bins[bin], 1);
}
