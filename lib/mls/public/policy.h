/* What RFC 9420 leaves to the application, and the time: passed to whatever validates. */
#ifndef MLS_PUBLIC_POLICY_H
#define MLS_PUBLIC_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct mls_policy {
    /* Seconds since 1970. For a message that was received: when its server accepted it, not when it
     * is read. All members then judge alike, and who was away until an added KeyPackage expired is
     * not left behind by refusing its Add (RFC 9420 7.3 only recommends that check to receivers).
     */
    uint64_t now;
    uint64_t max_lifetime_seconds; /* RFC 9420 7.2: longest not_before..not_after; 0: any */
    uint64_t
        early_seconds; /* how far not_before may lie ahead: clocks of clients are wrong by hours */
    /* Also leaves that stand in a tree already must be within their lifetimes. RFC 9420 7.3
     * recommends this to joiners and doesn't demand it: a leaf may have expired after it was added,
     * and then one idle member would keep everybody else out. False: the time is judged when a leaf
     * arrives (KeyPackage, Add), for a leaf in a tree only the length of its lifetime is. */
    bool strict_tree_lifetime;
    bool any_resync; /* RFC 9420 12.2: an external commit may remove a leaf of another identity */
};

enum { MLS_MAX_LIFETIME_DAYS = 366, MLS_EARLY_HOURS = 24 };

static inline struct mls_policy mls_policy_at(uint64_t now)
{
    return (struct mls_policy){
        .now = now,
        .max_lifetime_seconds = (uint64_t)MLS_MAX_LIFETIME_DAYS * 24 * 3600,
        .early_seconds = (uint64_t)MLS_EARLY_HOURS * 3600,
    };
}

#endif
