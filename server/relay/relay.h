/* The relay's door (F20): passes sealed messages between a new device and one that links it. In
 * memory only; knows neither of them and opens nothing.
 *
 * The new device waits at a meeting place, the hash of a code of at least 100 bits, and shows the
 * code when the response headers say that the place is held: whoever joins before that finds
 * nobody; the existing one, which has read the code, joins it there. Each then gets an empty
 * message, and from then on what one sends the other gets, in order. What the new device sends
 * before that is not read from the wire yet. One pair to a meeting place: a second new device is
 * told so (ERR_RELAY_TAKEN), whoever else joins hears what one hears at a place where nobody is
 * (ERR_NOT_FOUND). Places are kept as PRF values under a key of this run.
 *
 * Either end's loss ends the other (ERR_RELAY_LOST); when both have half-closed both end well. A
 * session is bounded by RELAY_BYTES both ways together, and by the deadline of its two rows; at
 * most one message a way is in memory, for a sender waits until the receiver's stream has room.
 *
 * The ends may be on different loops. All that one tells the other goes by hearth_loop_post();
 * where that fails for memory the sender's end fails, and the other ends at its deadline at the
 * latest.
 */
#ifndef SERVER_RELAY_H
#define SERVER_RELAY_H

#include "server/front/front.h"

struct relay;

struct relay_options {
    bool control; /* tests, control runs: no limits of its own */
};

/* options may be NULL. */
CHECKED struct err relay_open(struct front_env *env, const struct relay_options *options,
                              struct relay **ret_relay);
/* Adds hearth.v1.Relay to the server. */
CHECKED struct err relay_add(struct relay *relay, struct hearth_server *server);
/* After the server, when the loops have run what was posted to them, or are gone. NULL is fine. */
void relay_close(struct relay *relay);
/* Sessions now, for the metrics page. */
unsigned relay_sessions(const struct relay *relay);

#endif
