/* Leaves as Hearth's groups ask for them, and the records that lie beside them. */
#ifndef SERVER_LEAF_CHECK_H
#define SERVER_LEAF_CHECK_H

#include "mls/codec/key_package.h"
#include "server/delivery/delivery_inside.h"
#include "server/delivery/group_state.h"

/* Credential of LEAF_CREDENTIAL_TYPE (basic is refused) with a sealed identity; sizes (DoS6).
 * ERR_DELIVERY_LEAF. */
CHECKED struct err leaf_check(const struct delivery *d, const struct leaf_node *leaf,
                              struct leaf_credential *ret_credential);
/* DoS6: the package around it. ERR_DELIVERY_LEAF. */
CHECKED struct err key_package_check(const struct delivery *d, const struct key_package *kp);

/* A leaf with its record: the reference is signed by the leaf, its domain is one. The policy is
 * what the record says, 0 for nothing. ret_leaf: views into leaf and record; index, epoch and month
 * are the caller's to fill. ERR_DELIVERY_LEAF, ERR_DELIVERY_RECORD. */
CHECKED struct err record_check(const struct delivery *d, const struct suite *suite,
                                const struct leaf_node *leaf, const Hearth__V1__LeafRecord *record,
                                struct leaf_entry *ret_leaf);
/* The reference alone, into leaf. ERR_DELIVERY_RECORD; ERR_FEDERATION_REFUSED: we do not speak with
 * its domain. */
CHECKED struct err reference_check(const struct delivery *d, const struct suite *suite,
                                   const Hearth__V1__QueueReference *reference,
                                   struct leaf_entry *leaf);

/* Nobody else (`except` left out) has the leaf's pseudonym. ERR_DELIVERY_LEAF. */
CHECKED struct err pseudonym_is_fresh(const struct leaf_entry *leaves, size_t count,
                                      const struct leaf_entry *leaf, uint32_t except);
/* A user pseudonym that is in use is claimed with the countersignature of a leaf that has it; one
 * that is not, with none. ERR_DELIVERY_RECORD. */
CHECKED struct err user_pseudonym_check(const struct group_state *state, struct bytes group_id,
                                        const struct leaf_entry *leaf);

/* What others may see of a record: not the reference, nor when its owner is woken, which are
 * between the owner and us. */
struct leaf_news leaf_news_of(const struct leaf_entry *leaf);
CHECKED struct err leaf_record_of(const struct leaf_entry *leaf, struct arena *arena,
                                  Hearth__V1__PublicLeafRecord **ret_record);

#endif
