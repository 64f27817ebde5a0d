/* Internal to verify_*.c: lookups by ladder, and the rules of values. */
#ifndef TLOG_VERIFY_INSIDE_H
#define TLOG_VERIFY_INSIDE_H

#include "tlog/verify.h"

/* Indices and commitments of versions[0..count) of a label from proven steps: each proof verified,
 * a commitment given iff the version is below `version`, that of `version` itself is *commitment.
 * Lookups whose index `known` has already are not verified again. */
CHECKED struct err lookups_prove(const struct kt_config *config, struct bytes label,
                                 const struct ladder_steps *steps, const uint32_t *versions,
                                 size_t count, uint32_t version,
                                 const struct hash_value *commitment, const struct kt_known *known,
                                 struct kt_lookup *ret_lookups);

/* No version that `known` (or NULL) has seen bears another commitment here. ERR_TLOG_COMMITMENT. */
CHECKED struct err lookups_agree(const struct kt_known *known, const struct kt_lookup *lookups,
                                 size_t count);

/* A proof of exactly these lookups, present as they are marked, for this root. `absent_is`: the
 * error when one is absent that should be present; `present_is` the other way about. */
CHECKED struct err lookups_check(const struct prefix_proof *proof, const struct kt_lookup *lookups,
                                 size_t count, const struct hash_value *root,
                                 enum err_code absent_is, enum err_code present_is);

/* transparency.md 4: the KeySet in `value` as version known->version of the label. */
CHECKED struct err value_check(const struct kt_query *query, const struct kt_known *known,
                               struct bytes value, enum kt_continuity *ret_continuity);

#endif
