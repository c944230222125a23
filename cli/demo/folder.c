/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of the demo; see folder.h. */
#include "cli/demo/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

/* Says that a directory is ours. */
#define MARK      "made-by-framekeyctl-demo"
#define DEPTH_MAX 16

static const char *const copy_names[MEDIA_COPIES] = {
        [MEDIA_INPUT] = "input",
        [MEDIA_ENCRYPTED] = "encrypted",
        [MEDIA_DECRYPTED] = "decrypted",
};
static const char *const other_names[] = { FOLDER_PICTURE, FOLDER_FILM };

char *folder_file(const char *path, const char *name) {
        char *file;

        return asprintf(&file, "%s/%s", path, name) < 0 ? NULL : file;
}

char *folder_media(const char *path, MediaCopy copy, const MediaKind *kind) {
        char *file;

        return asprintf(&file, "%s/%s.%s", path, copy_names[copy], kind->ending) < 0 ? NULL : file;
}

/* ---- temporary ---- */

int folder_temporary(char **ret) {
        const char *place = getenv("TMPDIR");
        char *path;

        path = folder_file(place && *place ? place : "/tmp", "framekey-demo.XXXXXX");
        if (!path)
                return -ENOMEM;
        if (!mkdtemp(path)) {
                int r = -errno;

                free(path);
                return r;
        }
        *ret = path;
        return 0;
}

int folder_let_in(const char *path, const User *user) {
        return user->drop && chmod(path, 0711) < 0 ? -errno : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)remove(path); /* what stays behind is in a directory for temporary files */
        return 0;
}

void folder_remove(const char *path) {
        (void)nftw(path, remove_one, DEPTH_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* ---- results ---- */

/* 0 empty, 1 not, negative errno. */
static int has_entries(const char *path) {
        DIR *directory = opendir(path);
        const struct dirent *entry;
        int r = 0;

        if (!directory)
                return -errno;
        while (r == 0 && (entry = readdir(directory)))
                r = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        (void)closedir(directory);
        return r;
}

static int remove_file(char *file) {
        _cleanup_free_ char *path = file;

        if (!path)
                return -ENOMEM;
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_results(const char *path) {
        int r = 0;

        for (size_t k = 0; k < MEDIA_KINDS; k++)
                for (size_t c = 0; c < MEDIA_COPIES && r == 0; c++)
                        r = remove_file(folder_media(path, (MediaCopy)c, &media_kinds[k]));
        for (size_t i = 0; i < ELEMENTS(other_names) && r == 0; i++)
                r = remove_file(folder_file(path, other_names[i]));
        return r;
}

int folder_output(const char *path) {
        _cleanup_free_ char *mark = folder_file(path, MARK);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!mark)
                return -ENOMEM;
        if (mkdir(path, 0777) < 0) {
                if (errno != EEXIST)
                        return -errno;
                if (access(mark, F_OK) == 0)
                        return remove_results(path);
                r = has_entries(path);
                if (r != 0)
                        return r == -ENOTDIR ? FOLDER_NO_DIRECTORY : r < 0 ? r : FOLDER_FOREIGN;
        }
        fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        return fd < 0 ? -errno : 0;
}
