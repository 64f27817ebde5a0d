/* Errors as people see them: what, why, what to do. */
#include <stdio.h>

#include "client/core/core.h"
#include "hearth/v1/common.pb-c.h"

static void set(char *out, size_t len, const char *text)
{
    (void)snprintf(out, len, "%s", text != NULL ? text : "");
}

static enum hearth_result result_of(struct err err)
{
    switch (err.code) {
    case ERR_NONE:
        return HEARTH_DONE;
    case ERR_ARGUMENT:
    case ERR_DOMAIN:
        return HEARTH_USAGE;
    case ERR_NOT_FOUND:
    case ERR_CLIENT_LINK_NOBODY:
        return HEARTH_NOT_THERE;
    case ERR_TIMEOUT:
        return HEARTH_TIMED_OUT;
    case ERR_CRYPTO_SIGNATURE:
    case ERR_CRYPTO_PROOF:
    case ERR_CRYPTO_VRF:
    case ERR_CREDENTIAL:
    case ERR_CREDENTIAL_TIME:
    case ERR_CREDENTIAL_REVOKED:
    case ERR_KEY_SET:
    case ERR_PASS_KEY_UNKNOWN:
    case ERR_TLOG_FORK:
    case ERR_TLOG_SHRUNK:
    case ERR_TLOG_INCLUSION:
    case ERR_TLOG_CONSISTENCY:
    case ERR_TLOG_VERSION:
    case ERR_TLOG_COMMITMENT:
    case ERR_TLOG_UNEXPECTED:
    case ERR_TLOG_DISTINGUISHED:
    case ERR_TLOG_PREFIX_PROOF:
    case ERR_TLOG_TIME:
    case ERR_TLOG_STEPS:
    case ERR_CLIENT_LOG:
    case ERR_CLIENT_UNVERIFIED:
        return HEARTH_UNVERIFIED;
    default:
        return HEARTH_FAILED;
    }
}

static const char *hint_of(struct err err)
{
    switch (err.code) {
    case ERR_STORE_FULL:
    case ERR_STORE_LOW_DISK:
        return "make room on the disk";
    case ERR_STORE_IN_USE:
        return "close the other program that has this account open";
    case ERR_STORE_UNCERTAIN:
    case ERR_STORE_STOPPED:
        return "open the account again";
    case ERR_CREDENTIAL_TIME:
        return "check the clock of this machine";
    case ERR_DOMAIN:
        return "names of development are in no DNS: --homeserver DOMAIN=HOST:PORT";
    case ERR_CLIENT_LINK_NOBODY:
        return "a code lives while its device shows it, for ten minutes at most, and is used up by "
               "one try";
    case ERR_CRYPTO_TAG:
        return "was that the right passphrase?";
    default:
        return err_retry(err) ? "try again in a moment" : "";
    }
}

void core_error_of(struct err err, struct hearth_error *ret_error)
{
    *ret_error = (struct hearth_error){.result = result_of(err)};
    if (err_is_ok(err))
        return;
    set(ret_error->name, sizeof ret_error->name, err_name(err));
    set(ret_error->text, sizeof ret_error->text, err_text(err));
    set(ret_error->hint, sizeof ret_error->hint, hint_of(err));
}

static const char *hint_of_code(enum hearth_code code)
{
    switch (code) {
    case HEARTH_UNAVAILABLE:
    case HEARTH_DEADLINE_EXCEEDED:
        return "is the homeserver up, and the network?";
    case HEARTH_UNAUTHENTICATED:
        return "is the clock of this machine right?";
    default:
        return "";
    }
}

/* What the server added, where it is something that we know. */
static void read_details(const struct hearth_status *status, struct hearth_error *error)
{
    ProtobufCMessage *detail = hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    if (detail != NULL) {
        error->retry_s = ((const Hearth__V1__RetryAfter *)(const void *)detail)->seconds;
        protobuf_c_message_free_unpacked(detail, NULL);
    }
    detail = hearth_status_find(status, &hearth__v1__wrong_epoch__descriptor);
    if (detail != NULL) {
        set(error->name, sizeof error->name, "WRONG_EPOCH");
        protobuf_c_message_free_unpacked(detail, NULL);
    }
    detail = hearth_status_find(status, &hearth__v1__quota_exceeded__descriptor);
    if (detail != NULL) {
        const Hearth__V1__QuotaExceeded *quota = (const void *)detail;
        set(error->name, sizeof error->name, "QUOTA");
        (void)snprintf(error->cause, sizeof error->cause, "no more than %llu of %.60s",
                       (unsigned long long)quota->limit, quota->what);
        protobuf_c_message_free_unpacked(detail, NULL);
    }
    detail = hearth_status_find(status, &hearth__v1__too_large__descriptor);
    if (detail != NULL) {
        const Hearth__V1__TooLarge *large = (const void *)detail;
        set(error->name, sizeof error->name, "TOO_LARGE");
        (void)snprintf(error->cause, sizeof error->cause, "%llu bytes, where %llu is the limit",
                       (unsigned long long)large->actual, (unsigned long long)large->limit);
        protobuf_c_message_free_unpacked(detail, NULL);
    }
    detail = hearth_status_find(status, &hearth__v1__version_unsupported__descriptor);
    if (detail != NULL) {
        set(error->name, sizeof error->name, "VERSION_UNSUPPORTED");
        set(error->hint, sizeof error->hint, "install a newer version of this program");
        protobuf_c_message_free_unpacked(detail, NULL);
    }
}

/* A server's text is shown as text: no control characters reach a terminal. */
static void clean(char *text)
{
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at == 0x7F)
            *at = '?';
}

void core_error_of_status(const struct hearth_status *status, struct hearth_error *ret_error)
{
    *ret_error = (struct hearth_error){.result = HEARTH_DONE};
    if (status->code == HEARTH_OK)
        return;
    ret_error->result = HEARTH_REFUSED;
    ret_error->grpc = (int)status->code;
    set(ret_error->name, sizeof ret_error->name, hearth_code_name(status->code));
    set(ret_error->text, sizeof ret_error->text,
        status->message != NULL && status->message[0] != '\0' ? status->message
                                                              : "the homeserver refused");
    set(ret_error->hint, sizeof ret_error->hint, hint_of_code(status->code));
    read_details(status, ret_error);
    clean(ret_error->text);
    clean(ret_error->cause);
}
