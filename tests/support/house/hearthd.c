#include "support/house/hearthd.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/test.h"

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)close(fd);
    return ntohs(at.sin_port);
}

/* Runs with its output in a pipe; the parent's death is its death. */
static pid_t spawn(const struct hearthd *h, const char *const *words, int *ret_out)
{
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (h->cpus > 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            for (int i = 0; i < h->cpus; i++)
                CPU_SET(i, &set);
            (void)sched_setaffinity(0, sizeof set, &set);
        }
        (void)dup2(pipes[1], STDOUT_FILENO);
        execv(h->program, (char *const *)(uintptr_t)words);
        _exit(127);
    }
    (void)close(pipes[1]);
    *ret_out = pipes[0];
    return pid;
}

/* All of its output, or up to the first line. */
static void read_out(int fd, bool line, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n = 0;
    while (len < size - 1 && (n = read(fd, text + len, line ? 1 : size - 1 - len)) > 0) {
        len += (size_t)n;
        if (line && text[len - 1] == '\n')
            break;
    }
    text[len] = '\0';
}

/* What init --dev set already is left out, as a setting is given once. */
static void set_once(FILE *conf, const char *given, const char *name, unsigned long long value)
{
    char line[96];
    (void)snprintf(line, sizeof line, "\n%s = ", name);
    if (strstr(given, line) == NULL)
        (void)fprintf(conf, "%s = %llu\n", name, value);
}

static void raise_limits(const struct hearthd *h)
{
    static char given[65536];
    char path[128];
    (void)snprintf(path, sizeof path, "%s/hearthd.conf", h->folder);
    FILE *conf = fopen(path, "a+e");
    assert_non_null(conf);
    rewind(conf);
    given[fread(given, 1, sizeof given - 1, conf)] = '\0';
    (void)fprintf(conf, "\n[connections]\n");
    set_once(conf, given, "per_prefix", 100000);
    set_once(conf, given, "new_per_s", 100000);
    (void)fprintf(conf, "[storage]\nfree_mib = 0\n[limits]\n");
#define LIMIT_ROW(name, unit, value, least, most, reason)
#define LIMIT_BUCKET(name, burst, per_hour, reason) set_once(conf, given, #name, 1000ULL * (burst));
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
    assert_int_equal(fclose(conf), 0);
}

/* In h->folder. */
static void init(struct hearthd *h, const char *domain)
{
    char text[4096];
    int out = -1, status = 0;
    (void)snprintf(h->ca_file, sizeof h->ca_file, "%s/hearth-dev-ca.pem", h->root);
    (void)snprintf(h->address, sizeof h->address, "127.0.0.1:%u", free_port());
    const char *words[] = {"hearthd",  "--dir", h->folder,  "init",     "--dev",
                           "--domain", domain,  "--listen", h->address, NULL};
    pid_t pid = spawn(h, words, &out);
    read_out(out, false, text, sizeof text);
    (void)close(out);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("hearthd init failed: %s", text);
    const char *at = strstr(text, "\ninvite  ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, " invite %511s", h->invitation), 1);
    raise_limits(h);
}

void hearthd_make(struct hearthd *h, const char *program)
{
    *h = (struct hearthd){.program = program};
    (void)snprintf(h->root, sizeof h->root, "/tmp/hearthd-test-XXXXXX");
    assert_non_null(mkdtemp(h->root));
    (void)snprintf(h->folder, sizeof h->folder, "%s/a", h->root);
    init(h, "a.test");
}

void hearthd_make_beside(struct hearthd *h, const struct hearthd *first, const char *domain)
{
    *h = (struct hearthd){.program = first->program};
    (void)snprintf(h->root, sizeof h->root, "%s", first->root);
    (void)snprintf(h->folder, sizeof h->folder, "%s/%s", h->root, domain);
    init(h, domain);
}

void hearthd_start(struct hearthd *h)
{
    char text[512];
    int out = -1;
    const char *words[] = {"hearthd", "--dir", h->folder, "run", NULL};
    h->pid = spawn(h, words, &out);
    read_out(out, true, text, sizeof text);
    (void)close(out);
    if (strncmp(text, "serving ", 8) != 0)
        fail_msg("hearthd does not serve: %s", text);
    h->lives++;
}

void hearthd_kill(struct hearthd *h)
{
    if (h->pid == 0)
        return;
    (void)kill(h->pid, SIGKILL);
    assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
    h->pid = 0;
}

int hearthd_stop(struct hearthd *h)
{
    int status = 0;
    (void)kill(h->pid, SIGTERM);
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    h->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0)
            remove_folder(name);
    }
    (void)closedir(dir);
    (void)rmdir(path);
}

void hearthd_remove(struct hearthd *h)
{
    hearthd_kill(h);
    remove_folder(h->root);
}

uint64_t hearthd_rss_kib(const struct hearthd *h)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)h->pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %llu", &kib) == 1)
            break;
    (void)fclose(file);
    return kib;
}

/* Of one process: fields 14 and 15 of its stat, in clock ticks. */
static uint64_t ticks_of(long pid, long *ret_parent)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    (void)!fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    const char *at = strrchr(text, ')');
    if (at == NULL || sscanf(at + 1, " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                             ret_parent, &user, &system) != 3)
        return 0;
    return user + system;
}

uint64_t hearthd_cpu_us(const struct hearthd *h)
{
    uint64_t ticks = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10), parent = 0;
        uint64_t own = pid > 0 ? ticks_of(pid, &parent) : 0;
        if (pid == h->pid || (pid > 0 && parent == h->pid))
            ticks += own;
    }
    (void)closedir(dir);
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}
