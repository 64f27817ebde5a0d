/* Who the leaves of a chat are (DB_ROSTER; protocol.md 3, F21).
 *
 * A leaf is verified when its sealed identity opens under the group identity key, its LeafBinding
 * covers the leaf key, its ClientCredential chains to the pinned root of its domain and is neither
 * over nor revoked, and, where we hold a KeySet of that user, the set has its client and key.
 *
 * It is unverified when something contradicts that. What has not been heard or could not be asked
 * yet contradicts nothing: the leaf is pending then, and is tried again (TASK_ROSTER) after some
 * seconds, later after minutes, and whenever something comes that it may wait for. It waits
 *   for the group identity key that it is wrapped under: a new one follows a removal, in a message
 *     of its own, whose sender may be killed, or far away, in between;
 *   for its homeserver: keys, or the log's word on them or on a member whom we don't know;
 *   for a KeySet of its user: one that has this device may still be under way to us. For so long as
 *     ROSTER_PATIENCE_MS; but one that the log shows and its user has not told us yet, for ever.
 *
 * Nothing is sent to a chat that has an unverified leaf (ERR_CLIENT_UNVERIFIED); what is sent waits
 * while one is pending. When a leaf waits for longer than ROSTER_PATIENCE_MS for what members
 * should have said (it is late), people are told once, and sending is refused
 * (ERR_CLIENT_MEMBER_LATER) until it is known who it is. Leaves that share a user pseudonym must be
 * of one user.
 */
#ifndef CLIENT_CORE_ROSTER_H
#define CLIENT_CORE_ROSTER_H

#include "client/core/chat.h"
#include "seal/delivery_body.h"

enum { ROSTER_PATIENCE_MS = 60000 };
enum roster_state { ROSTER_PENDING = 0, ROSTER_VERIFIED = 1, ROSTER_UNVERIFIED = 2 };
enum roster_waits {
    ROSTER_WAITS_NONE = 0,
    ROSTER_WAITS_KEY = 1,    /* no group identity key that we know opens it */
    ROSTER_WAITS_SERVER = 2, /* its homeserver, or the log, has not answered */
    ROSTER_WAITS_SET = 3,    /* the KeySet that we hold of its user does not have it */
};

struct roster_leaf {
    uint32_t leaf;
    enum roster_state state;
    enum roster_waits waits; /* while it is pending: for what */
    bool outside; /* no member whom we followed added it: it joined, or rejoined, by itself,
                     or the homeserver told us of it */
    bool told;    /* people know that it is late */
    uint8_t user_pseudonym[16], pseudonym[16];
    uint8_t leaf_hash[32]; /* of signature key and credential: of which leaf this speaks */
    uint8_t client_id[CLIENT_ID_MAX_BYTES]; /* of the ClientCredential; empty while not opened */
    size_t client_id_len;
    struct hearth_id contact; /* whose client it is; zeros: none of ours, or not known */
    bool own_user;
    uint64_t since_s;                                     /* when it came, by the server's clock */
    uint64_t news_ms;                                     /* when we heard of it */
    struct buf wrapped_identity_key, wrapped_profile_key; /* as they came, to try again */
};
struct roster {
    struct roster_leaf *leaves; /* by leaf index */
    size_t count;
    bool changed; /* since it was read: to be written */
};

/* From what came with a commit, a Welcome or a LEAF_NEWS. accepted_s: when. */
CHECKED struct err roster_news(struct core *c, struct db_txn *t, struct open_chat *chat,
                               const struct leaf_news *news, uint64_t accepted_s);
/* After a commit and its news: drops leaves that are blank in the group now; one that is another
 * than the row speaks of, or has no row, is unverified. */
CHECKED struct err roster_prune(struct core *c, struct db_txn *t, struct open_chat *chat);
/* Tries PENDING ones again; tells of those that are late. */
CHECKED struct err roster_retry_pending(struct core *c, struct db_txn *t, struct open_chat *chat);
/* It joined the chat by itself. */
void roster_from_outside(struct open_chat *chat, uint32_t leaf);
/* Tries PENDING and UNVERIFIED ones again, and holds the others against their KeySets: keys of a
 * domain, a KeySet, a contact or an identity key came. */
CHECKED struct err roster_retry(struct core *c, struct db_txn *t, struct open_chat *chat);
/* A leaf that does not speak the truth about whom it replaces, say. Event. */
CHECKED struct err roster_refuse(struct core *c, struct db_txn *t, struct open_chat *chat,
                                 uint32_t leaf, const char *why);
/* What an identity says, opened under its key and found good: the steps that roster and commit
 * share. Errors: those of leaf_credential_open and homeserver_verify_client (ERR_NOT_FOUND: the
 * keys of `ret_domain` are wanted first), ERR_KEY_SET: the set that we hold of the user has not
 * this client, or another key, nor does the log know better; ERR_CLIENT_MEMBER_LATER: the log does,
 * but its set does not follow yet on the one that we hold. ret_domain is written with these, too.
 * proves_himself: as of log_check_member. */
struct roster_identity {
    uint8_t client_id[CLIENT_ID_MAX_BYTES];
    size_t client_id_len;
    struct hearth_id contact;
    bool own_user;
};
CHECKED struct err roster_identify(struct core *c, struct db_txn *t, struct bytes leaf_credential,
                                   struct bytes signature_key,
                                   const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                   bool proves_himself, char ret_domain[DOMAIN_MAX_BYTES + 1],
                                   struct roster_identity *ret_identity);
/* Does it open, and did its homeserver sign it? */
bool roster_opens(struct core *c, struct db_txn *t, struct bytes leaf_credential,
                  struct bytes signature_key, const uint8_t identity_key[IDENTITY_KEY_BYTES]);
/* The ClientCredential in a leaf's identity, which was verified when it came. Views into scratch.
 * Errors of identity_key_unwrap and leaf_credential_open. */
CHECKED struct err roster_credential(const struct open_chat *chat, const struct roster_leaf *leaf,
                                     struct buf *scratch, struct bytes *ret_client_credential);
const struct roster_leaf *roster_find(const struct roster *r, uint32_t leaf);
size_t roster_unverified(const struct roster *r);
size_t roster_pending(const struct roster *r);
/* Pending ones that wait for what members should have said by now. */
size_t roster_late(const struct core *c, const struct roster *r);
/* Is this the key that a pending leaf waits for? */
bool roster_waits_for(const struct roster *r, const uint8_t identity_key[IDENTITY_KEY_BYTES]);
/* May the members be told a group identity key? Not while one is there who may have come without a
 * member's doing, and is not verified: it would tell him who they all are. */
bool roster_may_hear_keys(const struct roster *r);
/* Does the identity of every leaf that is pending open, under the group's identity key and its
 * homeserver's keys, so that only the log is still to be heard? */
bool roster_opened(struct core *c, struct db_txn *t, const struct open_chat *chat);
/* UserId of a leaf, of its ClientId; empty while not opened. View. */
struct bytes roster_user(const struct roster_leaf *leaf);
size_t roster_users(const struct roster *r); /* user pseudonyms */
/* Appends how people call the leaf's user, NUL included: "you", a contact's handle, a profile's
 * name, or the hex of the user pseudonym; of the other: also for who is not in any more. */
CHECKED struct err roster_name(struct core *c, struct db_txn *t, const struct roster_leaf *leaf,
                               struct buf *b);
CHECKED struct err roster_name_of(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                  const uint8_t user_pseudonym[16], struct buf *b);
CHECKED struct err roster_write(const struct roster *r, struct buf *b);
CHECKED struct err roster_read(struct bytes in, struct roster **ret_roster);
void roster_free(struct roster *r);

#endif
