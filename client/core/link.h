/* Linking a device (F20), over Relay: the new one shows a code of 128 bits, the existing one is
 * given it.
 *
 *     code         26 digits of Crockford's base32 (16 bytes, zero bits at the end), in groups of
 *                  five with dashes between; read without case, O as 0, I and L as 1
 *     rendezvous   SHA-256("Hearth 1 LinkRendezvous" || code)
 *     psk          HKDF-SHA256 of the code, label "LinkPsk"; psk id: the rendezvous
 *
 *     new  -> old  Hello     struct { uint8 version = 1; opaque public[32]; opaque mac[32]; }
 *                            fresh X25519 key; HMAC-SHA256 under the code, label "LinkHello"
 *     old  -> new  Enc       HPKE (seal_hpke), PSK mode, to that key, info "Hearth 1 Link" ||
 *                            rendezvous || public; from here on each message is
 *                            struct { uint8 last; opaque ciphertext<..> } of a part of a letter:
 *                            old to new by the HPKE context, new to old by AES-128-GCM under keys
 *                            that it exports (labels "new key", "new nonce"), both numbered
 *
 * The relay sees two keys and ciphertext. Whoever guesses the code has one try, against a place
 * that lives for ten minutes at most; whoever learns it can't read what was said before (the keys
 * are fresh), but stands in for one end until the other has come.
 *
 * Letters (after the keys):
 *     old -> new   Offer     who we are: UserId, domain, root of the homeserver's credentials
 *     new -> old   Request   device's name, ClientCredentialRequest, keys of its queue
 *     old -> new   Sign      the next KeySet with it in, unsigned
 *     new -> old   Signed    its signature over that
 *     old -> new   Grant     credential, KeySets, what the devices share (core/enrol.c)
 *     new -> old   Thanks    it is stored
 */
#ifndef CLIENT_CORE_LINK_H
#define CLIENT_CORE_LINK_H

#include "client/core/core.h"

enum { LINK_CODE_BYTES = 16, LINK_CODE_TEXT_BYTES = 26 + 5 + 1 };

void link_code_text(const uint8_t code[LINK_CODE_BYTES], char ret_text[LINK_CODE_TEXT_BYTES]);
/* ERR_CLIENT_LINK_CODE. */
CHECKED struct err link_code_read(const char *text, uint8_t ret_code[LINK_CODE_BYTES]);

/* The new device: on an account that is not registered. show runs from the loop once the relay
 * has answered that it holds the place. op (NULL: nobody waits) ends when the device is enrolled.
 * One at a time: what is left of an earlier attempt ends. ERR_WRONG_STATE. */
struct link_new {
    const char *domain, *device;
    void (*show)(const char *code, void *arg);
    void *arg;
};
CHECKED struct err link_begin(struct core *c, const struct link_new *options, struct hearth_op *op);
/* The existing one. op ends when the new one has stored what it needs; it is added to the chats
 * afterwards. Nobody there: CLIENT_LINK_NOBODY, at once, for each try costs one of the few that the
 * relay grants a source (RELAY_PREFIX), and a code is not shown before its place is held. */
CHECKED struct err link_accept(struct core *c, const char *code, struct hearth_op *op);
/* Ends what is under way, untold. */
void link_stop(struct core *c);

#endif
