/* Whose cosignatures make a checkpoint a witnessed one (C2SP tlog-policy), of one log or of all
 * that somebody meets.
 *
 *     # a comment
 *     witness NAME VERIFIER-KEY [URL]
 *     group NAME any|all|NUMBER MEMBER...      so many of these
 *     quorum NAME|none                         once: the witness or group that it takes
 *
 * Names are printable ASCII, stand in the policy alone and are given before they are used. `log`
 * lines are carried and ignored: which logs are meant is the caller's. Nobody counts twice: a key
 * has one line, and a member stands in one group.
 */
#ifndef TLOG_POLICY_H
#define TLOG_POLICY_H

#include "tlog/note.h"

enum { POLICY_MAX_BYTES = 16384, POLICY_NAMES_MAX = 32 };

/* About 3 kB; views into the text. */
struct tlog_policy {
    struct tlog_policy_row {
        struct bytes name;
        bool is_witness;
        bool in_group;
        struct note_key key; /* of a witness */
        uint32_t members;    /* of a group: bits, by the rows before it */
        unsigned least;      /* so many of them; at least 1 */
    } rows[POLICY_NAMES_MAX];
    size_t count;
    size_t quorum; /* a row; count: none, which every checkpoint meets */
};

/* ERR_TLOG_POLICY; ERR_WIRE_LIMIT: longer, or more names than that. */
CHECKED struct err tlog_policy_parse(struct bytes text, struct tlog_policy *ret_policy);
/* Is the note witnessed? ret_who: bits of the rows that hold, of witnesses whose good cosignature
 * it has, and of groups. The log's own signature is the caller's to verify. */
bool tlog_policy_met(const struct tlog_policy *policy, const struct note *note, uint32_t *ret_who);

#endif
