/* hearthd.conf: an INI file, one row of config.def for each setting, every error with its line and
 * a suggestion. */
#ifndef SERVER_MAIN_CONFIG_H
#define SERVER_MAIN_CONFIG_H

#include <stdio.h>

#include "base/err.h"
#include "server/front/limit.h"

enum {
    CONFIG_LIST_MAX = 16,
    CONFIG_VALUE_MAX = 512,
    CONFIG_ERROR_MAX = 512,
    CONFIG_LIMITS_MAX = 128
};

struct config_list {
    char values[CONFIG_LIST_MAX][CONFIG_VALUE_MAX];
    size_t count;
};

/* One member per row, section_name: server_domain, tls_certificate, ... */
struct config {
#define CONFIG_TEXT(section, name, value, live, text) char section##_##name[CONFIG_VALUE_MAX];
#define CONFIG_PATH(section, name, value, live, text) char section##_##name[CONFIG_VALUE_MAX];
#define CONFIG_CHOICE(section, name, value, choices, live, text) \
    char section##_##name[CONFIG_VALUE_MAX];
#define CONFIG_BOOL(section, name, value, live, text)                bool section##_##name;
#define CONFIG_NUMBER(section, name, value, least, most, live, text) uint64_t section##_##name;
#define CONFIG_LIST(section, name, value, live, text)                struct config_list section##_##name;
#include "server/main/config.def"
#undef CONFIG_TEXT
#undef CONFIG_PATH
#undef CONFIG_CHOICE
#undef CONFIG_BOOL
#undef CONFIG_NUMBER
#undef CONFIG_LIST
    struct config_limit {
        char name[64]; /* of limit.def, in lower case */
        uint64_t value;
    } limits[CONFIG_LIMITS_MAX];
    size_t limit_count;
};

/* Every setting at its default. */
void config_defaults(struct config *config);
/* Defaults, then the file. On failure ret_error says what, where and what to do:
 *     hearthd.conf:12: unknown setting "lissten" in [server]; did you mean "listen"?
 * ERR_CONFIG, or ERR_IO when the file can't be read. name is for messages. */
CHECKED struct err config_read(FILE *file, const char *name, struct config *ret_config,
                               char ret_error[CONFIG_ERROR_MAX]);
CHECKED struct err config_load(const char *path, struct config *ret_config,
                               char ret_error[CONFIG_ERROR_MAX]);

/* The list of settings with kind, default, range and text; and a configuration as a file, only what
 * differs from the defaults unless all is set. */
void config_describe(FILE *out);
void config_write(FILE *out, const struct config *config, bool all);

/* Names of rows that differ, to `changed` when a reload brings them into force, to `restart` when
 * not; both may be NULL. Calls say(self, name) for each. */
void config_differences(const struct config *before, const struct config *after, bool live,
                        void (*say)(void *self, const char *name), void *self);

/* The same for limits, which are all live: "limits.SEND_LEAF". */
void config_limit_differences(const struct config *before, const struct config *after,
                              void (*say)(void *self, const char *name), void *self);
/* What a reload brings into force: live rows and limits of fresh. */
void config_take_live(struct config *config, const struct config *fresh);

/* The nearest of the names a NULL-ended list has, or NULL when none is near: for "did you mean". */
const char *config_nearest(const char *word, const char *const *names);

#endif
