/* A small log with a past, and one answer of each kind about it: seeds of the fuzz targets, and
 * what these judge them by. Deterministic.
 */
#ifndef KIT_TLOG_STORY_H
#define KIT_TLOG_STORY_H

#include "kit/tlog/operator.h"
#include "tlog/evidence.h"

enum story_answer {
    STORY_SEARCH,  /* first contact: bob */
    STORY_AGAIN,   /* bob once more, known and pending */
    STORY_ABSENT,  /* a label without versions */
    STORY_OWNER,   /* bob's monitoring from the first entry on */
    STORY_CONTACT, /* that the pending version of bob is still there */
    STORY_UPDATE,  /* bob's version 1 */
    STORY_PROOF,   /* bob's own KtProof */
    STORY_HEADS,
    STORY_DIST_NOTE,
    STORY_ROOTS, /* evidence */
    STORY_TIME,
    STORY_REWRITTEN,
    STORY_FORKED,
    STORY_ANSWERS,
};

struct story {
    struct kt_operator op, fork;
    struct bytes bob, carol, dave;
    uint64_t now_ms;
    struct kt_view first;   /* the configuration alone */
    struct kt_view pending; /* when bob's version 1 was found, not yet at a distinguished entry */
    struct kt_view newest;
    struct kt_result bob_pending;
    struct buf pending_answer;   /* where it was found */
    struct kt_lookup lookups[8]; /* all that bob's clients know */
    struct kt_own own;
    struct kt_dist from; /* where bob's monitoring starts */
    struct buf answers[STORY_ANSWERS];
};

CHECKED struct err story_begin(struct story *s);
void story_end(struct story *s);

#endif
