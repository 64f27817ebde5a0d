/* A commit from bytes to everything that is to be written and sent (RFC 9420 12.4): the heavy part
 * of Commit, Resync, JoinConnection and DeleteGroup, on a reader's thread.
 *
 * Order: form, epoch, sender -> the group is loaded -> signature -> proposals, path, tree, all that
 * public information allows (mls_public) -> kind, roles, leaves and records -> GroupInfo ->
 * Welcomes. Nothing of the request's state changes before all of it holds.
 */
#ifndef SERVER_COMMIT_CHECK_H
#define SERVER_COMMIT_CHECK_H

#include "mls/public/staged_commit.h"
#include "server/delivery/request.h"

enum commit_kind { COMMIT_REGULAR, COMMIT_RESYNC, COMMIT_JOIN, COMMIT_DELETE };

/* What came, unverified. Borrowed from the request. */
struct commit_in {
    enum commit_kind kind;
    struct bytes message;
    const Hearth__V1__GroupInfoParts *info; /* NULL in COMMIT_DELETE */
    Hearth__V1__JoinerPart *const *joiners; /* COMMIT_REGULAR only */
    size_t joiner_count;
    struct bytes welcome_group_info;
    const Hearth__V1__LeafRecord *own_leaf; /* NULL: as it was */
};

/* What was checked. Clear it. */
struct commit_ok {
    struct arena arena; /* of the decoded message */
    struct public_group group;
    struct staged_commit *staged;
    struct bytes authenticated_data;
    struct leaf_entry *added; /* in the order of the Adds; in the request's work arena */
    size_t added_count;
    struct joiner *joiners;
    struct bytes *init_keys;
    struct leaf_entry own; /* the committer's, in the new tree */
    bool own_changed;
    struct leaf_news *news; /* added, then own if it changed */
    size_t news_count;
    struct extensions info_extensions;
    struct bytes external_pub;
};
void commit_ok_clear(struct commit_ok *ok);

/* Errors: those of public_group_verify, staged_commit_process and _check_info, ERR_DELIVERY_... */
CHECKED struct err commit_check(struct request *r, const struct commit_in *in,
                                struct commit_ok *ret_ok);
/* Into the request: state, fan-out, past tree, rotation, effect. Uses ok up. */
CHECKED struct err commit_accept(struct request *r, const struct commit_in *in,
                                 struct commit_ok *ok);
/* Both. */
CHECKED struct err commit_run(struct request *r, const struct commit_in *in);

/* An Extension extensions<V> with its length, complete. */
CHECKED struct err extensions_parse(struct bytes in, struct extensions *ret_extensions);
/* Form of what the server keeps of a GroupInfo: external_pub there, no tree, size.
 * ERR_DELIVERY_INFO. */
CHECKED struct err info_parts_check(const struct delivery *d,
                                    const Hearth__V1__GroupInfoParts *parts,
                                    struct extensions *ret_extensions,
                                    struct bytes *ret_external_pub);

#endif
