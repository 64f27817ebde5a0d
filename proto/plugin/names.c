#include "proto/plugin/names.h"

#include <stdio.h>
#include <string.h>

#include "proto/plugin/plugin.h"

/* <ctype.h> follows the locale; names don't. */
static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_word(char c)
{
    return to_upper(c) >= 'A' ? (to_upper(c) <= 'Z' || c == '_') : (c >= '0' && c <= '9');
}

/* The list of protoc-c's c_helpers; kept equal to it, or member names would differ from the
 * header's. */
static const char *const keywords[] = {
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "compl",
    "const",
    "const_cast",
    "continue",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "not",
    "not_eq",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
};

/* What C11, gcc and C++20 add to it. */
static const char *const further_keywords[] = {
    "alignas",   "alignof",       "char8_t",      "char16_t", "char32_t",  "concept",
    "consteval", "constexpr",     "constinit",    "co_await", "co_return", "co_yield",
    "decltype",  "export",        "linux",        "noexcept", "nullptr",   "requires",
    "restrict",  "static_assert", "thread_local", "typeof",   "unix",
};

static bool is_in(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

#define IS_IN(name, list) is_in(name, list, sizeof(list) / sizeof *(list))

char *name_type(struct arena *arena, const char *full_name)
{
    char *name = arena_alloc(arena, 2 * strlen(full_name) + 1);
    char *at = name;
    bool capital = true;
    for (const char *c = full_name; at != NULL && *c != '\0'; c++) {
        if (*c == '.') {
            *at++ = '_';
            *at++ = '_';
            capital = true;
        } else if (*c == '_') {
            capital = true;
        } else {
            *at++ = capital ? to_upper(*c) : *c;
            capital = false;
        }
    }
    return name;
}

/* A dot becomes `between`; a capital behind anything but a capital gets "_" before it. */
static char *snake(struct arena *arena, const char *dotted, const char *between)
{
    char *name = arena_alloc(arena, 2 * strlen(dotted) + 1);
    char *at = name;
    bool was_upper = true; /* no "_" at the front */
    for (const char *c = dotted; at != NULL && *c != '\0'; c++) {
        if (*c == '.') {
            for (const char *b = between; *b != '\0'; b++)
                *at++ = *b;
            was_upper = true;
            continue;
        }
        if (is_upper(*c) && !was_upper)
            *at++ = '_';
        *at++ = to_lower(*c);
        was_upper = is_upper(*c);
    }
    return name;
}

char *name_symbol(struct arena *arena, const char *full_name)
{
    return snake(arena, full_name, "__");
}

char *name_snake(struct arena *arena, const char *name)
{
    return snake(arena, name, "");
}

static char *with_underscore(struct arena *arena, const char *name)
{
    size_t size = strlen(name) + 2;
    char *longer = arena_alloc(arena, size);
    if (longer != NULL)
        snprintf(longer, size, "%s_", name);
    return longer;
}

char *name_field(struct arena *arena, const char *name)
{
    char *member = arena_strndup(arena, name, strlen(name));
    for (char *c = member; c != NULL && *c != '\0'; c++)
        *c = to_lower(*c);
    return member != NULL && IS_IN(member, keywords) ? with_underscore(arena, member) : member;
}

char *name_member(struct arena *arena, const char *name)
{
    char *member = name_snake(arena, name);
    bool taken = member != NULL && (IS_IN(member, keywords) || IS_IN(member, further_keywords));
    return taken ? with_underscore(arena, member) : member;
}

char *name_prefix(struct arena *arena, const char *package, const char *service)
{
    bool hearth = strcmp(package, "hearth") == 0 || strncmp(package, "hearth.", 7) == 0;
    const char *front = hearth ? "hearth" : package;
    size_t len = strlen(front) + 1 + strlen(service);
    char *joined = arena_alloc(arena, len + 1);
    if (joined == NULL)
        return NULL;
    snprintf(joined, len + 1, "%s%s%s", front, *front == '\0' ? "" : ".", service);
    return snake(arena, joined, "_");
}

char *name_guard(struct arena *arena, const char *file)
{
    char *guard = arena_strndup(arena, file, strlen(file));
    for (char *c = guard; c != NULL && *c != '\0'; c++)
        *c = is_word(*c) ? to_upper(*c) : '_';
    return guard;
}

bool name_is_identifier(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > PLUGIN_NAME_BYTES || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_word(name[i]))
            return false;
    return true;
}

bool name_is_package(const char *name)
{
    size_t len = strlen(name);
    if (len > PLUGIN_NAME_BYTES)
        return false;
    bool start = true;
    for (size_t i = 0; i < len; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (start ? !is_word(name[i]) || digit : !is_word(name[i]) && name[i] != '.')
            return false;
        start = name[i] == '.';
    }
    return len == 0 || !start;
}

bool name_is_file(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > PLUGIN_NAME_BYTES || name[0] == '/' || strstr(name, "..") != NULL)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_word(name[i]) && strchr("-+./", name[i]) == NULL)
            return false;
    return true;
}

bool name_is_reserved(const char *prefix)
{
    static const char *const taken[] = {
        "hearth_broken_rule", "hearth_call",        "hearth_call_options", "hearth_channel",
        "hearth_client",      "hearth_client_call", "hearth_code",         "hearth_endpoint",
        "hearth_interceptor", "hearth_loop",        "hearth_metadata",     "hearth_rule",
        "hearth_server",      "hearth_service",     "hearth_shape",        "hearth_signer",
        "hearth_status",      "hearth_stream",      "hearth_tls",
    };
    return IS_IN(prefix, taken);
}
