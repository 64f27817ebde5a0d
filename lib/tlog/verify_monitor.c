/* transparency.md 9: owners and contacts. */
#include "tlog/verify_inside.h"

/* ---- owners */

uint32_t kt_own_version_at(const struct kt_own *own, uint64_t index)
{
    uint32_t version = LADDER_NONE;
    for (size_t i = 0; i < own->count; i++) {
        const struct kt_lookup *lookup = &own->lookups[i];
        if (lookup->present && lookup->epoch <= index &&
            (version == LADDER_NONE || lookup->version > version))
            version = lookup->version;
    }
    return version;
}

struct err kt_owner_request(struct buf *b, const struct kt_view *view, const struct kt_own *own,
                            const struct kt_dist *from)
{
    const struct owner_request request = {.last = view->size,
                                          .from_dist = from->index,
                                          .label = own->label,
                                          .expected = kt_own_version_at(own, UINT64_MAX)};
    if (own->label.len == 0 || own->label.len > LABEL_MAX_BYTES)
        return ERR(ARGUMENT);
    owner_request_write(b, &request);
    return buf_check(b);
}

static const struct kt_lookup *own_find(const struct kt_own *own, uint32_t version)
{
    for (size_t i = 0; i < own->count; i++) {
        if (own->lookups[i].version == version)
            return &own->lookups[i];
    }
    return NULL;
}

/* The owner's own versions up to this one stand at this entry, and nothing above them. */
static struct err check_step(const struct kt_own *own, uint32_t version,
                             const struct owner_step *step)
{
    struct kt_lookup lookups[LADDER_MAX];
    struct version_ladder base;
    ladder_base(version, &base);
    for (size_t i = 0; i < base.count; i++) {
        const struct kt_lookup *lookup = own_find(own, base.at[i]);
        if (lookup == NULL)
            return ERR(TLOG_UNKNOWN);
        lookups[i] = *lookup;
        lookups[i].present = version != LADDER_NONE && base.at[i] <= version;
        if (lookups[i].present && !lookup->present)
            return ERR(TLOG_UNKNOWN);
    }
    return lookups_check(&step->proof, lookups, base.count, &step->dist.entry.prefix_root,
                         ERR_TLOG_VERSION, ERR_TLOG_UNEXPECTED);
}

/* No distinguished entry lies between: the entry before `to` is still of `from`'s window. */
static bool follows(const struct kt_config *config, const struct kt_dist *from,
                    const struct dist_entry *to)
{
    if (from->index == 0)
        return to->index == 1;
    return to->index > from->index &&
           kt_window(config, to->prev.timestamp) == kt_window(config, from->entry.timestamp);
}

static struct err check_steps(struct kt_view *next, const struct owner_response *response,
                              struct err (*check)(void *arg, const struct owner_step *step),
                              void *arg, struct kt_dist *at)
{
    struct wire_reader r = response->steps;
    for (size_t i = 0; i < response->step_count; i++) {
        FILLED_LATER struct owner_step step;
        owner_step_read(&r, &step);
        TRY(wire_reader_check(&r));
        TRY(dist_entry_verify(&step.dist, &next->config, next->size, &next->root));
        if (!follows(&next->config, at, &step.dist))
            return ERR(TLOG_STEPS);
        TRY(check(arg, &step));
        TRY(kt_view_see_dist(next, &step.dist));
        *at = (struct kt_dist){.index = step.dist.index, .entry = step.dist.entry};
    }
    return ERR_OK;
}

static struct err run_owner(struct kt_view *view, const struct kt_dist *from, struct bytes in,
                            struct err (*check)(void *arg, const struct owner_step *step),
                            void *arg, struct kt_dist *ret_to)
{
    struct kt_view next = *view;
    struct kt_dist at = *from;
    struct owner_response response;
    TRY(owner_response_parse(in, &response));
    TRY(kt_view_head(&next, response.checkpoint, &response.consistency));
    TRY(check_steps(&next, &response, check, arg, &at));
    *view = next;
    *ret_to = at;
    return ERR_OK;
}

static struct err check_made(void *arg, const struct owner_step *step)
{
    struct kt_own own = *(const struct kt_own *)arg;
    return check_step(&own, kt_own_version_at(&own, step->dist.index), step);
}

struct err kt_verify_owner(struct kt_view *view, const struct kt_own *own,
                           const struct kt_dist *from, struct bytes in, struct kt_dist *ret_to)
{
    struct kt_own copy = *own;
    return run_owner(view, from, in, check_made, &copy, ret_to);
}

/* ---- owners of several devices */

struct late {
    struct kt_own own;
    struct kt_lookup *lookups; /* the same, to be changed */
    uint32_t at, newest;       /* LADDER_NONE: no version yet */
};

/* Those that this entry is the first to show. */
static void place(struct late *late, uint32_t version, uint64_t index)
{
    for (size_t i = 0; i < late->own.count; i++) {
        struct kt_lookup *lookup = &late->lookups[i];
        bool after = late->at == LADDER_NONE || lookup->version > late->at;
        if (lookup->present && after && version != LADDER_NONE && lookup->version <= version)
            lookup->epoch = index;
    }
    late->at = version;
}

/* The version that a step's results say is the newest. False: they are no whole ladder. */
static bool claimed_version(const struct prefix_proof *proof, uint32_t *ret_version)
{
    struct ladder_walk walk;
    *ret_version = LADDER_NONE;
    ladder_walk_begin(&walk);
    for (size_t i = 0; i < proof->count; i++) {
        bool present = proof->results[i].type == PREFIX_INCLUSION;
        if (walk.done)
            return false;
        if (present && (*ret_version == LADDER_NONE || walk.version > *ret_version))
            *ret_version = (uint32_t)walk.version;
        ladder_walk_step(&walk, present);
    }
    return walk.done;
}

static bool is_below(uint32_t a, uint32_t b)
{
    return a != b && b != LADDER_NONE && (a == LADDER_NONE || a < b);
}

/* One entry: its newest version is one of ours, and at least that of the entry before. One whose
 * ladder we never learned can't be verified. */
static struct err check_late(void *arg, const struct owner_step *step)
{
    struct late *late = arg;
    uint32_t claimed;
    if (!claimed_version(&step->proof, &claimed) || is_below(late->newest, claimed))
        claimed = late->newest; /* which is not so, and the check says how */
    else if (is_below(claimed, late->at))
        return ERR(TLOG_VERSION);
    struct err err = check_step(&late->own, claimed, step);
    if (err.code == ERR_TLOG_UNKNOWN && is_below(late->at, claimed) &&
        is_below(claimed, late->newest))
        return ERR_OK;
    TRY(err);
    place(late, claimed, step->dist.index);
    return ERR_OK;
}

struct err kt_verify_owner_late(struct kt_view *view, struct bytes label, struct kt_lookup *lookups,
                                size_t count, const struct kt_dist *from, struct bytes in,
                                struct kt_dist *ret_to)
{
    struct late late = {.own = {label, NULL, count}};
    if (count > KT_LATE_MOST)
        return ERR(ARGUMENT);
    struct kt_lookup placed[KT_LATE_MOST];
    if (count > 0)
        memcpy(placed, lookups, count * sizeof *lookups);
    late.own.lookups = late.lookups = placed;
    late.at = kt_own_version_at(&late.own, from->index);
    late.newest = kt_own_version_at(&late.own, UINT64_MAX);
    TRY(run_owner(view, from, in, check_late, &late, ret_to));
    if (count > 0)
        memcpy(lookups, placed, count * sizeof *lookups);
    return ERR_OK;
}

/* ---- contacts */

struct err kt_contact_request(struct buf *b, const struct kt_view *view,
                              const struct kt_contact *contacts, size_t count)
{
    struct contact_request request = {.last = view->size, .item_count = count};
    if (count > CONTACT_ITEMS_MAX)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < count; i++)
        request.items[i] = (struct contact_item){contacts[i].label, contacts[i].known->version,
                                                 contacts[i].opening};
    contact_request_write(b, &request);
    return buf_check(b);
}

/* The lookups of all, one after the other. */
static struct err contact_lookups(const struct kt_contact *contacts, size_t count,
                                  struct kt_lookup *lookups, size_t *ret_count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const struct kt_known *known = contacts[i].known;
        struct version_ladder monitor;
        ladder_monitor(known->version, &monitor);
        if (total + monitor.count > PREFIX_LOOKUPS_MAX)
            return ERR(ARGUMENT);
        for (size_t j = 0; j < monitor.count; j++) {
            const struct kt_lookup *lookup = kt_known_find(known, monitor.at[j]);
            if (lookup == NULL || !lookup->present)
                return ERR(TLOG_UNKNOWN);
            lookups[total++] = *lookup;
        }
    }
    *ret_count = total;
    return ERR_OK;
}

struct err kt_verify_contacts(struct kt_view *view, const struct kt_contact *contacts, size_t count,
                              struct bytes in, uint64_t *ret_index)
{
    struct kt_view next = *view;
    FILLED_LATER struct contact_response response;
    FILLED_LATER struct kt_lookup lookups[PREFIX_LOOKUPS_MAX];
    size_t lookup_count;
    TRY(contact_lookups(contacts, count, lookups, &lookup_count));
    TRY(contact_response_parse(in, &response));
    TRY(kt_view_head(&next, response.checkpoint, &response.consistency));
    TRY(dist_entry_verify(&response.dist, &next.config, next.size, &next.root));
    for (size_t i = 0; i < count; i++) {
        if (response.dist.index < contacts[i].known->epoch)
            return ERR(TLOG_DISTINGUISHED);
    }
    TRY(kt_view_see_dist(&next, &response.dist));
    TRY(lookups_check(&response.proof, lookups, lookup_count, &response.dist.entry.prefix_root,
                      ERR_TLOG_VERSION, ERR_TLOG_VERSION));
    *view = next;
    *ret_index = response.dist.index;
    return ERR_OK;
}
