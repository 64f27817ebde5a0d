/* A signing client for tests, for every kind of caller: what a channel's or a call's signer needs
 * to fill in hearth-auth-bin, with faults on demand.
 *
 *     struct caller alice;
 *     caller_init(&alice, REQUEST_QUEUE_CLIENT, bytes_of(id, 16), "a.test", clock, rng);
 *     channel_options.interceptors = &(struct hearth_signer){...} = caller_signer(&alice);
 *     ... alice.key.public_key goes into the server's record ...
 *     alice.faults.time_off_ms = -61000;      the next calls are a minute late
 */
#ifndef TESTS_SUPPORT_SERVER_CALLER_H
#define TESTS_SUPPORT_SERVER_CALLER_H

#include "base/clock.h"
#include "base/rng.h"
#include "hearth/rpc.h"
#include "seal/request_auth.h"

/* The zero value is a good client. They hold until they are taken back. */
struct caller_faults {
    bool no_auth;             /* sends none */
    bool wrong_key;           /* a key of somebody else's */
    int64_t time_off_ms;      /* its clock is so far off */
    const char *audience;     /* meant for this server */
    bool replay;              /* the header of the call before, as it was */
    bool replay_nonce;        /* the nonce of the call before, signed anew */
    bool other_body;          /* signed over another body */
    const char *path;         /* signed for this path */
    enum request_caller kind; /* says to be of this kind; 0: its own */
    struct bytes id;          /* says to be this one; empty: itself */
    bool twice;               /* sends the header two times */
    size_t cut;               /* leaves off so many bytes of it */
    bool garbage;             /* sends something else */
    bool no_signature;        /* an empty signature */
    bool zero_signature;      /* 64 zeros */
};

struct caller {
    enum request_caller kind;
    uint8_t id_bytes[REQUEST_ID_MAX_BYTES];
    struct bytes id;
    char audience[256];
    const struct clock *clock;
    const struct rng *rng;
    struct sig_key key;
    struct sig_key other_key; /* for wrong_key */
    struct caller_faults faults;
    uint8_t nonce[REQUEST_NONCE_BYTES]; /* of the last call */
    struct buf last;                    /* its header */
    unsigned calls;
};

/* Makes keys. clock, rng: borrowed. Fails the test when it can't. */
void caller_init(struct caller *c, enum request_caller kind, struct bytes id, const char *audience,
                 const struct clock *clock, const struct rng *rng);
/* Another key or id, of a record the server made. */
void caller_set_id(struct caller *c, struct bytes id);
void caller_clear(struct caller *c);
/* For hearth_call_options.signer, or hearth_channel_options.interceptors. */
struct hearth_signer caller_signer(struct caller *c);
struct bytes caller_public_key(const struct caller *c);

#endif
