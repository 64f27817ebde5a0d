#include "interop/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of clients for Google's clouds, of other languages' servers, of newer descriptions. */
static const char *const ignored[] = {
    "additional_metadata",      "address_type",
    "correctness_options_file", "custom_credentials_type",
    "default_service_account",  "do_not_abort_on_transient_failures",
    "enable_observability",     "google_c2p_universe_domain",
    "iteration_interval",       "log_metadata_and_status",
    "max_send_message_size",    "oauth_scope",
    "service_account_key_file", "service_config_json",
    "soak_num_threads",         "use_alts",
};

static bool parse_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"true", "1", "yes", "t"};
    static const char *const no[] = {"false", "0", "no", "f"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool set(const struct flag *flag, const char *value)
{
    char *end;
    if (flag->kind == FLAG_BOOL)
        return parse_bool(value, flag->at);
    if (flag->kind == FLAG_TEXT) {
        *(const char **)flag->at = value;
        return true;
    }
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != 0 || number > 0x7fffffff)
        return false;
    *(unsigned *)flag->at = (unsigned)number;
    return true;
}

static const struct flag *find(const struct flag *flags, const char *name, size_t len)
{
    for (; flags->name != NULL; flags++) {
        if (strlen(flags->name) == len && memcmp(flags->name, name, len) == 0)
            return flags;
    }
    return NULL;
}

static bool is_ignored(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        if (strlen(ignored[i]) == len && memcmp(ignored[i], name, len) == 0)
            return true;
    }
    return false;
}

static bool complain(const char *program, const struct flag *flags, const char *argument)
{
    fprintf(stderr, "%s: can't read %s\n", program, argument);
    for (; flags->name != NULL; flags++)
        fprintf(stderr, "  --%-24s %s\n", flags->name, flags->help);
    return false;
}

/* One flag at argv[*i]; takes the next argument where that is its value. */
static bool parse_one(int argc, char **argv, int *i, const struct flag *flags)
{
    const char *name = argv[*i];
    bool boolean_value;
    if (strncmp(name, "--", 2) == 0)
        name += 2;
    else if (*name == '-')
        name++;
    else
        return false;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    const struct flag *flag = find(flags, name, len);
    if (flag == NULL && value == NULL && strncmp(name, "no", 2) == 0) {
        flag = find(flags, name + 2, len - 2);
        return flag != NULL && flag->kind == FLAG_BOOL && set(flag, "false");
    }
    bool boolean = flag != NULL && flag->kind == FLAG_BOOL;
    bool takes_next = value == NULL && next != NULL &&
                      (boolean ? parse_bool(next, &boolean_value) : strncmp(next, "--", 2) != 0);
    if (takes_next) {
        value = next;
        (*i)++;
    }
    if (flag == NULL)
        return is_ignored(name, len);
    return set(flag, value != NULL ? value : boolean ? "true" : "");
}

bool flags_parse(int argc, char **argv, const struct flag *flags)
{
    for (int i = 1; i < argc; i++) {
        int at = i;
        if (!parse_one(argc, argv, &i, flags))
            return complain(argv[0], flags, argv[at]);
    }
    return true;
}

const char *flags_credential(const char *given, const char *name, const char *variable)
{
    static char paths[4][512];
    static unsigned used;
    if (given != NULL && *given != 0)
        return given;
    const char *folder = getenv("HEARTH_TEST_CREDS");
    if (folder == NULL)
        return variable != NULL ? getenv(variable) : NULL;
    if (used == sizeof paths / sizeof *paths)
        return NULL;
    char *path = paths[used++];
    (void)snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}
