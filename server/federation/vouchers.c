/* Which keys of a peer's vouchers are used: those that its log has, and had a window before their
 * week, or in its first two windows (tokens.md 2, pass/key_rules.h). Who shows one homeserver keys
 * of its own would know its users by them. Nothing here asks: logged.c does. */
#include "pass/key_rules.h"
#include "pass/redeem.h"
#include "pass/voucher.h"
#include "seal/system_keys.h"
#include "server/federation/inside.h"

/* Steps of a past: its first entry, the moments of the last, this and the next week, and the end of
 * the log's first two windows. */
enum { STEP_FIRST, STEP_WEEK, STEP_YOUNG = STEP_WEEK + 3, STEPS };

static bool directory_of(struct bytes value, struct pass_directory *ret_directory)
{
    struct system_key keys[SYSTEM_KEYS_MOST];
    size_t count;
    if (!err_is_ok(system_keys_parse(value, keys, &count)))
        return false;
    for (size_t i = 0; i < count; i++)
        if (keys[i].use == SYSTEM_USE_TOKENS)
            return err_is_ok(pass_directory_parse(keys[i].key, ret_directory));
    return false;
}

static bool has(const struct pass_directory *directory, const struct voucher_keys *keys, size_t i)
{
    struct pass_directory_key key;
    return pass_directory_find(directory, PASS_TYPE_VOUCHER, keys->keys[i].class,
                               keys->keys[i].week, &key) &&
           bytes_equal(key.public_key, bytes_of(keys->keys[i].spki, sizeof keys->keys[i].spki));
}

static bool was_proved(const struct voucher_keys *before, const struct voucher_keys *keys, size_t i)
{
    for (size_t k = 0; before != NULL && k < before->count; k++)
        if (before->keys[k].class == keys->keys[i].class &&
            before->keys[k].week == keys->keys[i].week &&
            memcmp(before->keys[k].spki, keys->keys[i].spki, sizeof keys->keys[i].spki) == 0)
            return !before->keys[k].pending;
    return false;
}

void vouchers_begin(struct voucher_keys *keys, const struct voucher_keys *before)
{
    for (size_t i = 0; i < keys->count; i++)
        keys->keys[i].pending = !was_proved(before, keys, i);
}

/* The week's first second; weeks are 32 bits. */
static uint64_t begin_of(uint32_t week)
{
    return (uint64_t)week * PASS_WEEK_S;
}

/* When a key of that week must have been there. */
static uint64_t moment_of(const struct voucher_past *past, uint32_t week)
{
    return begin_of(week) > past->window_s ? begin_of(week) - past->window_s : 0;
}

void vouchers_in_newest(struct voucher_keys *keys, struct bytes value, uint64_t now_s)
{
    struct pass_directory directory;
    const bool exists = directory_of(value, &directory);
    const uint64_t week = now_s / PASS_WEEK_S;
    size_t count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const bool over = begin_of(keys->keys[i].week) + PASS_WEEK_S + PASS_DAY_S <= now_s;
        if (over || keys->keys[i].week > week + 1)
            continue; /* a log that went on meanwhile has dropped what is over */
        if (!exists || !has(&directory, keys, i)) {
            keys->refused = true;
            continue;
        }
        keys->keys[count++] = keys->keys[i];
    }
    keys->count = count;
}

/* ---- what the log had before */

static bool is_pending(const struct voucher_keys *keys, const uint32_t *week)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].pending && (week == NULL || keys->keys[i].week == *week))
            return true;
    return false;
}

static void refuse_late(struct voucher_keys *keys, const struct voucher_past *past, uint64_t now_s)
{
    size_t count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].pending && moment_of(past, keys->keys[i].week) <= now_s)
            keys->refused = true;
        else
            keys->keys[count++] = keys->keys[i];
    }
    keys->count = count;
}

bool vouchers_ask(struct voucher_keys *keys, struct voucher_past *past, uint64_t now_s,
                  uint64_t *ret_at_s)
{
    const uint32_t this_week = (uint32_t)(now_s / PASS_WEEK_S);
    while (past->step < STEPS && is_pending(keys, NULL)) {
        const unsigned step = past->step++;
        const uint32_t week = this_week + step - STEP_WEEK - 1;
        if (step == STEP_FIRST)
            *ret_at_s = 0;
        else if (step == STEP_YOUNG)
            *ret_at_s = past->first_s + 2 * past->window_s - 1;
        else if (is_pending(keys, &week))
            *ret_at_s = moment_of(past, week);
        else
            continue;
        if (*ret_at_s <= now_s)
            return true;
    }
    refuse_late(keys, past, now_s);
    return false;
}

static void note(struct voucher_keys *keys, const struct voucher_past *past,
                 const struct pass_directory *directory, bool distinguished, uint64_t at_s)
{
    const struct pass_sighting sighting = {distinguished, at_s, past->window_s, past->first_s};
    for (size_t i = 0; i < keys->count; i++)
        if ((directory == NULL || has(directory, keys, i)) &&
            pass_key_seen_in_time(&sighting, begin_of(keys->keys[i].week)))
            keys->keys[i].pending = false;
}

void vouchers_seen(struct voucher_keys *keys, struct voucher_past *past,
                   const struct kt_sight *sight, uint64_t newest_s)
{
    struct pass_directory directory;
    if (sight->index == 1) {
        past->first_s = sight->at_ms / 1000;
        note(keys, past, NULL, false, newest_s);
    }
    if (sight->exists && directory_of(sight->value, &directory))
        note(keys, past, &directory, true, sight->at_ms / 1000);
}
