/* Wakes devices (F19): says to a push service that there is something to fetch, never what, from
 * whom or how much.
 *
 *     off          nobody is woken
 *     webhook      POST {"token":"BASE64"} to the operator's own gateway, which knows APNs, FCM or
 * whatever unifiedpush  POST to the URL that the token holds (unifiedpush.org): https and public
 * addresses only, no redirects, so a client can't make the server knock at doors inside the
 * operator's network
 *
 * A push token lies sealed in the queue service; its key comes with the reference
 * (seal/sealed_ref.h), so that neither the stored row nor the sender alone tells which device it is
 * (seal/push_token.h).
 *
 * One thread, bounded: NOTIFIER_WAITING tokens wait at most, a token is pushed once in
 * NOTIFIER_QUIET_S; what is too much is dropped, for a device that was woken a moment ago will
 * fetch everything anyhow. No token is ever logged.
 */
#ifndef SERVER_MAIN_NOTIFIER_H
#define SERVER_MAIN_NOTIFIER_H

#include "base/clock.h"
#include "seal/push_token.h"

enum { NOTIFIER_WAITING = 1024, NOTIFIER_AT_ONCE = 32, NOTIFIER_QUIET_S = 10 };

enum notifier_mode { NOTIFIER_OFF, NOTIFIER_WEBHOOK, NOTIFIER_UNIFIEDPUSH };

struct notifier_options {
    enum notifier_mode mode;
    const char *webhook; /* copied */
    bool development;    /* http and loopback are allowed too */
};

struct notifier_counts {
    uint64_t pushed, failed, dropped, quiet;
};

struct notifier;
CHECKED struct err notifier_new(const struct notifier_options *options, const struct clock *clock,
                                struct notifier **ret_notifier);
/* Other options from now on; what is under way keeps its own. development stays. From any thread.
 */
void notifier_change(struct notifier *notifier, const struct notifier_options *options);
void notifier_free(
    struct notifier *notifier); /* waits for what is under way, a second at most; NULL is fine */
/* For queue_options.notify: from any thread, never blocks. self is the notifier. */
void notifier_notify(void *self, struct bytes sealed_push_token, struct bytes push_token_key);
struct notifier_counts notifier_counts(struct notifier *notifier);

#endif
