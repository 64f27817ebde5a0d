/* What must come out of a world of residents: every message that the server acknowledged arrives
 * exactly once, in order, at each member of its epoch but its sender, and nowhere else; each epoch
 * has one commit; all members end in one epoch with one authenticator. Any difference fails the
 * running test.
 */
#ifndef TESTS_SUPPORT_ORACLE_H
#define TESTS_SUPPORT_ORACLE_H

#include "support/house/resident.h"

enum { ORACLE_SENT = 4096, ORACLE_STAYS = 256, ORACLE_BLIND = 64 };

/* From when to when a leaf was there. */
struct oracle_stay {
    const struct resident *resident;
    uint8_t key[32]; /* of the leaf */
    uint64_t from, to;
    bool lossy; /* something may be missing, and then it was told so */
    struct {
        uint64_t from, to;
    } blind[ORACLE_BLIND]; /* commits were missed: what was sent then can't be read */
    size_t blind_count;
};

struct oracle_message {
    uint32_t message, sender;
    uint64_t epoch;
    bool maybe;   /* its homeserver came back from a backup of before: it may be missing */
    bool at_once; /* with the one before it: either may have been first, for all the same */
};

struct oracle {
    uint8_t group_id[NAME_MAX_BYTES];
    size_t group_id_len;
    uint64_t epoch;
    struct oracle_message sent[ORACLE_SENT];
    size_t sent_count;
    struct oracle_stay stays[ORACLE_STAYS];
    size_t stay_count;
    /* Messages may be missing, no more than their member was told; and nothing but messages. */
    bool sparse;
    const struct house *liar; /* what comes to its people nobody can promise; NULL: none */
};

void oracle_founded(struct oracle *o, const struct membership *m);
/* A commit of m's was acknowledged; those it added are given. */
void oracle_committed(struct oracle *o, const struct membership *m, struct resident *const *added,
                      size_t count);
void oracle_sent(struct oracle *o, const struct membership *m, uint32_t message);
/* The same where m may have gone on to another epoch meanwhile. */
void oracle_sent_in(struct oracle *o, const struct membership *m, uint32_t message);
/* Rows for members of this homeserver were given up, or may be from now on. */
void oracle_lossy(struct oracle *o, const struct house *home);
/* The owner is as it was when so many had been sent. */
void oracle_restored(struct oracle *o, size_t sent_count);
/* The last two were under way at once. */
void oracle_at_once(struct oracle *o);
/* m resynced; broken_epoch is the first epoch that it had missed (0: none). */
void oracle_resynced(struct oracle *o, const struct membership *m, uint64_t broken_epoch);
/* Who is a member now. */
bool oracle_has(const struct oracle *o, const struct resident *r);
size_t oracle_members(const struct oracle *o);
/* All have synced everything. Returns how many deliveries were compared. */
size_t oracle_check(struct oracle *o);

#endif
