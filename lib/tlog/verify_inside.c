#include "tlog/verify_inside.h"

#include "seal/key_set.h"

/* One index, out of what is known or from its proof. */
static struct err index_of(const struct kt_config *config, struct bytes label, uint32_t version,
                           const uint8_t *proof, const struct kt_known *known,
                           uint8_t ret_index[INDEX_BYTES])
{
    const struct kt_lookup *held = known != NULL ? kt_known_find(known, version) : NULL;
    if (held != NULL) {
        memcpy(ret_index, held->index, INDEX_BYTES);
        return ERR_OK;
    }
    return tlog_index_verify(bytes_of(config->vrf_key, VRF_PUBLIC_BYTES), label, version,
                             bytes_of(proof, VRF_PROOF_BYTES), ret_index);
}

static bool is_present(uint32_t version, uint32_t greatest)
{
    return greatest != LADDER_NONE && version <= greatest;
}

struct err lookups_prove(const struct kt_config *config, struct bytes label,
                         const struct ladder_steps *steps, const uint32_t *versions, size_t count,
                         uint32_t version, const struct hash_value *commitment,
                         const struct kt_known *known, struct kt_lookup *ret_lookups)
{
    if (steps->count != count)
        return ERR(TLOG_LADDER);
    for (size_t i = 0; i < count; i++) {
        struct kt_lookup *lookup = &ret_lookups[i];
        bool below = is_present(versions[i], version) && versions[i] != version;
        if (below != (steps->at[i].commitment != NULL))
            return ERR(TLOG_LADDER);
        *lookup =
            (struct kt_lookup){.version = versions[i], .present = is_present(versions[i], version)};
        TRY(index_of(config, label, versions[i], steps->at[i].proof, known, lookup->index));
        if (below)
            memcpy(lookup->commitment.data, steps->at[i].commitment, HASH_VALUE_BYTES);
        else if (lookup->present)
            lookup->commitment = *commitment;
    }
    return ERR_OK;
}

struct err lookups_agree(const struct kt_known *known, const struct kt_lookup *lookups,
                         size_t count)
{
    for (size_t i = 0; known != NULL && i < count; i++) {
        const struct kt_lookup *before = kt_known_find(known, lookups[i].version);
        if (before != NULL && before->present && lookups[i].present &&
            !hash_value_equal(&before->commitment, &lookups[i].commitment))
            return ERR(TLOG_COMMITMENT);
    }
    return ERR_OK;
}

struct err lookups_check(const struct prefix_proof *proof, const struct kt_lookup *lookups,
                         size_t count, const struct hash_value *root, enum err_code absent_is,
                         enum err_code present_is)
{
    struct prefix_lookup asked[PREFIX_LOOKUPS_MAX];
    struct hash_value got;
    if (count > PREFIX_LOOKUPS_MAX)
        return ERR(TLOG_LADDER);
    /* ladders of two greatest versions agree up to the lookup that tells them apart, so a wrong
     * number of lookups is looked into before it is complained about */
    for (size_t i = 0; i < count && i < proof->count; i++) {
        bool present = proof->results[i].type == PREFIX_INCLUSION;
        if (present != lookups[i].present)
            return (struct err){present ? present_is : absent_is};
        asked[i] =
            (struct prefix_lookup){lookups[i].index, present ? &lookups[i].commitment : NULL};
    }
    if (proof->count != count)
        return ERR(TLOG_LADDER);
    TRY(prefix_evaluate(proof, asked, count, &got));
    return hash_value_equal(&got, root) ? ERR_OK : ERR(TLOG_PREFIX_PROOF);
}

/* ---- values */

/* The commitment of the version before, where a lookup of either time has it. */
static const struct hash_value *commitment_before(const struct kt_query *query,
                                                  const struct kt_known *known)
{
    uint32_t version = known->version - 1;
    const struct kt_lookup *lookup = kt_known_find(known, version);
    if (lookup == NULL && query->known != NULL)
        lookup = kt_known_find(query->known, version);
    return lookup != NULL && lookup->present ? &lookup->commitment : NULL;
}

static struct err follow(const struct kt_query *query, const struct key_set *set,
                         enum kt_continuity *ret_continuity)
{
    FILLED_LATER struct key_set before;
    TRY(key_set_parse(query->known_value, &before));
    TRY(key_set_verify(set, &before));
    *ret_continuity = set->reset ? KT_RESET : KT_CHAINED;
    return ERR_OK;
}

static struct err key_set_check(const struct kt_query *query, const struct kt_known *known,
                                struct bytes value, enum kt_continuity *ret_continuity)
{
    const struct kt_known *old = query->known;
    FILLED_LATER struct key_set set;
    TRY(key_set_parse(value, &set));
    if (!bytes_equal(set.label, query->label) || set.version != known->version)
        return ERR(KEY_SET);
    if (set.version > 0) {
        const struct hash_value *before = commitment_before(query, known);
        if (before != NULL && !set.reset && set.prev_commitment.len > 0 &&
            !bytes_equal(set.prev_commitment, hash_value_view(before)))
            return ERR(KEY_SET);
    } else {
        TRY(key_set_verify(&set, NULL));
    }
    *ret_continuity = KT_FIRST;
    if (old == NULL || !old->exists)
        return ERR_OK;
    *ret_continuity = KT_GAP;
    if (old->version == known->version)
        *ret_continuity = KT_SAME;
    else if (old->version + 1 == known->version && query->known_value.len > 0)
        return follow(query, &set, ret_continuity);
    return ERR_OK;
}

struct err value_check(const struct kt_query *query, const struct kt_known *known,
                       struct bytes value, enum kt_continuity *ret_continuity)
{
    *ret_continuity = KT_NO_RULES;
    bool is_set = query->label.data[0] == LABEL_USER || query->label.data[0] == LABEL_HANDLE;
    if (!is_set || query->opaque_value)
        return ERR_OK;
    return key_set_check(query, known, value, ret_continuity);
}
