#include "pass/key_rules.h"

#include "pass/redeem.h"
#include "pass/voucher.h"

bool pass_key_interval(uint16_t token_type, uint32_t period, uint64_t *ret_not_before,
                       uint64_t *ret_not_after)
{
    if (token_type == PASS_TYPE_TOKEN) {
        *ret_not_before = (uint64_t)period * PASS_DAY_S;
        *ret_not_after = *ret_not_before + 2 * (uint64_t)PASS_DAY_S;
        return true;
    }
    if (token_type == PASS_TYPE_VOUCHER) {
        *ret_not_before = (uint64_t)period * PASS_WEEK_S;
        *ret_not_after = *ret_not_before + PASS_WEEK_S + PASS_DAY_S;
        return true;
    }
    return false;
}

/* Public at a distinguished epoch one window before its time, or in a log that is young. */
bool pass_key_seen_in_time(const struct pass_sighting *s, uint64_t not_before)
{
    if (s->epoch_s >= s->first_s && (s->epoch_s - s->first_s) / 2 < s->window_s)
        return true;
    return s->distinguished && s->epoch_s <= not_before && not_before - s->epoch_s >= s->window_s;
}

static struct err find(const struct pass_directory *directory, const struct pass_sighting *sighting,
                       struct bytes domain, uint16_t token_type, uint8_t class, uint32_t period,
                       struct pass_directory_key *ret_key)
{
    uint64_t not_before, not_after;
    if (!bytes_equal(directory->issuer, domain))
        return ERR(PASS_KEY_UNKNOWN);
    if (!pass_directory_find(directory, token_type, class, period, ret_key))
        return ERR(PASS_KEY);
    if (!pass_key_interval(token_type, period, &not_before, &not_after) ||
        ret_key->not_before != not_before || ret_key->not_after != not_after ||
        !pass_key_seen_in_time(sighting, not_before))
        return ERR(PASS_KEY_UNKNOWN);
    return ERR_OK;
}

struct err pass_token_key_accept(const struct pass_directory *directory,
                                 const struct pass_sighting *sighting, struct bytes domain,
                                 uint8_t class, uint32_t period, struct pass_public_key *ret_key)
{
    struct pass_directory_key key;
    TRY(find(directory, sighting, domain, PASS_TYPE_TOKEN, class, period, &key));
    if (key.public_key.len != VOPRF_ELEMENT_BYTES)
        return ERR(PASS_KEY_UNKNOWN);
    return pass_public_key_init(domain, class, period, key.public_key.data, ret_key);
}

struct err pass_voucher_key_accept(const struct pass_directory *directory,
                                   const struct pass_sighting *sighting, struct bytes domain,
                                   uint8_t class, uint32_t week, struct blind_rsa_public *ret_key)
{
    struct pass_directory_key key;
    TRY(find(directory, sighting, domain, PASS_TYPE_VOUCHER, class, week, &key));
    return blind_rsa_public_init(key.public_key, ret_key);
}
